"""``python -m experiments.compare`` is ``miajax compare``."""

from miajax.cli.compare import run

if __name__ == "__main__":
    run.main("python -m experiments.compare")
