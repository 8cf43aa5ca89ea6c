"""``python -m experiments.plan`` is ``miajax plan``."""

from miajax.cli.plan import run

if __name__ == "__main__":
    run.main("python -m experiments.plan")
