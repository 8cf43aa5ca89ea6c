"""``python -m experiments.runs`` is ``miajax runs``."""

from miajax.cli.runs import run

if __name__ == "__main__":
    run.main("python -m experiments.runs")
