"""``python -m experiments.lira`` is ``miajax lira``."""

from miajax.cli.lira import run

if __name__ == "__main__":
    run.main("python -m experiments.lira")
