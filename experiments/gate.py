"""``python -m experiments.gate`` is ``miajax gate``."""

from miajax.cli.gate import run

if __name__ == "__main__":
    run.main("python -m experiments.gate")
