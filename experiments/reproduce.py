"""``python -m experiments.reproduce`` is ``miajax reproduce``."""

from miajax.cli.reproduce import run

if __name__ == "__main__":
    run.main("python -m experiments.reproduce")
