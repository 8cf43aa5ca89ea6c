"""``python -m experiments.epsilon`` is ``miajax epsilon``."""

from miajax.cli.epsilon import run

if __name__ == "__main__":
    run.main("python -m experiments.epsilon")
