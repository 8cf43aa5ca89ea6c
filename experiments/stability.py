"""``python -m experiments.stability`` is ``miajax stability``."""

from miajax.cli.stability import run

if __name__ == "__main__":
    run.main("python -m experiments.stability")
