"""What an audit report rests on."""

from pathlib import Path
from typing import Any, Literal

from miajax.studies.audit_report.evidence import Evidence


def evidence_of(results: dict[str, Any], kind: Literal["run", "import", "target"] = "run") -> Evidence:
    """What an audit report rests on, by its ``results.json``."""
    return Evidence(
        path=Path(), kind=kind, file=Path(), results=results, attacks=(), slices=(), exposed=(),
        not_exposed="No record was looked at.", scored={}, files=(), bounds=(), config={}, manifest={},
    )  # fmt: skip
