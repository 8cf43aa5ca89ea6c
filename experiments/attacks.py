"""``python -m experiments.attacks`` is ``miajax attacks``."""

from miajax.cli.attacks import run

if __name__ == "__main__":
    run.main("python -m experiments.attacks")
