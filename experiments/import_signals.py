"""``python -m experiments.import_signals`` is ``miajax import_signals``."""

from miajax.cli.import_signals import run

if __name__ == "__main__":
    run.main("python -m experiments.import_signals")
