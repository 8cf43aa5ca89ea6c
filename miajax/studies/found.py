"""What finished studies of attacks left in a folder, for those who read figures and train nothing."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from miajax.errors import UserError
from miajax.parsing import parsing
from miajax.runs.atomic import read_json
from miajax.studies.written import SCHEMA_VERSION
from miajax.typed import Json


def reading_results(file: Path) -> contextlib.AbstractContextManager[None]:
    """Within the block, figures of a ``results.json`` are read: whatever they lack becomes one line.

    Raises:
      UserError: the file does not hold what the block reads of it.
    """
    return parsing(str(file), expected="figures as a study wrote them", fault="does not hold what is read of it")


def found_results(run: Path) -> dict[Path, Json]:
    """``results.json`` of a folder and of the attacks beside it, by file.

    Args:
      run: a run folder, a study's folder in it such as ``RUN/attacks``, an import, or an audited target.

    Raises:
      UserError: there is none.
    """
    files = [file for file in (run / "results.json", run / "attacks" / "results.json") if file.is_file()]
    if not files:
        raise UserError(
            f"{run} holds no results.json",
            expected="the folder of a finished study",
            remedy="miajax lira or miajax attacks writes one",
        )
    found: dict[Path, Json] = {}
    for file in files:
        read: Any = read_json(file)
        results = cast(Json, read) if isinstance(read, dict) else {"attacks": None}
        if not isinstance(results.get("attacks", {}), dict):
            raise UserError(f"{file} is no results.json of miajax", expected="an object of figures")
        if (version := results.get("schema_version", SCHEMA_VERSION)) != SCHEMA_VERSION:
            raise UserError(f"{file} has schema_version {version}", expected=str(SCHEMA_VERSION),
                            remedy="Read it with the miajax that wrote it")  # fmt: skip
        found[file] = results
    return found


def fullest(found: Mapping[Path, Json]) -> Json:
    """``results.json`` of the study that ran the most attacks.

    Args:
      found: of ``found_results``.

    Raises:
      UserError: none of them is a study of attacks that says which is strongest.
    """
    able = [results for results in found.values() if "strongest" in results and "attacks" in results]
    if not able:
        raise UserError(
            f"{next(iter(found))} is of a study without a strongest attack",
            expected="the folder of miajax lira, attacks, audit_target or import_signals",
        )
    return max(able, key=lambda each: len(each["attacks"]))


def named(found: Mapping[Path, Json], results: Json) -> Path:
    """The file that some results were read from."""
    return next(file for file, each in found.items() if each is results)
