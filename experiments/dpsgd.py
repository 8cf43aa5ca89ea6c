"""``python -m experiments.dpsgd`` is ``miajax dpsgd``."""

from miajax.cli.dpsgd import run

if __name__ == "__main__":
    run.main("python -m experiments.dpsgd")
