"""What an audit report rests on."""

from pathlib import Path
from typing import Any, Literal

from miajax.studies.audit_report.evidence import Evidence


def evidence_of(results: dict[str, Any], kind: Literal["run", "import", "target"] = "run") -> Evidence:
    """What an audit report rests on, by its ``results.json``."""
    return Evidence(Path(), kind, Path("results.json"), results, (), (), (), "No record was looked at.", {}, (), (), {}, {})
