"""``python -m experiments.low_budget`` is ``miajax low_budget``."""

from miajax.cli.low_budget import run

if __name__ == "__main__":
    run.main("python -m experiments.low_budget")
