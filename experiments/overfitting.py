"""``python -m experiments.overfitting`` is ``miajax overfitting``."""

from miajax.cli.overfitting import run

if __name__ == "__main__":
    run.main("python -m experiments.overfitting")
