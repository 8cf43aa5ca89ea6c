"""``python -m experiments.audit_report`` is ``miajax audit_report``."""

from miajax.cli.audit_report import run

if __name__ == "__main__":
    run.main("python -m experiments.audit_report")
