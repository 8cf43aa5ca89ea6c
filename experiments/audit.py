"""``python -m experiments.audit`` is ``miajax audit``."""

from miajax.cli.audit import run

if __name__ == "__main__":
    run.main("python -m experiments.audit")
