"""``python -m experiments.audit_target`` is ``miajax audit_target``."""

from miajax.cli.audit_target import run

if __name__ == "__main__":
    run.main("python -m experiments.audit_target")
