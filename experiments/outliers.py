"""``python -m experiments.outliers`` is ``miajax outliers``."""

from miajax.cli.outliers import run

if __name__ == "__main__":
    run.main("python -m experiments.outliers")
