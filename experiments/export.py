"""``python -m experiments.export`` is ``miajax export``."""

from miajax.cli.export import run

if __name__ == "__main__":
    run.main("python -m experiments.export")
