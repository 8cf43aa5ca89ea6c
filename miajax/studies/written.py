"""The one way in which ``results.json`` is written: with the version and the study that readers go by."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from miajax.runs.atomic import write_json

SCHEMA_VERSION = 1
"""Raised where a key that is there changes its meaning, its unit or its type, or goes; keys may be added without."""


def write_results(
    study: str, folder: Path, results: dict[str, Any], write: Callable[[Path, dict[str, Any]], None] | None = None
) -> None:
    """Writes ``results.json`` and adds ``schema_version`` and ``study`` to the results, first in the file.

    Args:
      study: which of the definitions in ``miajax/schemas/results.schema.json`` the results keep.
      folder: where the file belongs.
      results: everything else.
      write: ``write_sealed`` where a later call goes on from the file; ``write_json`` if None.
    """
    results |= {"schema_version": SCHEMA_VERSION, "study": study}
    first = ("schema_version", "study")
    (write or write_json)(folder / "results.json", {**{key: results[key] for key in first}, **results})
