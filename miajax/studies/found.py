"""What finished studies of attacks left in a folder, for those who read figures and train nothing."""

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, cast

from miajax.errors import UserError
from miajax.metrics.claims import Lead
from miajax.metrics.figures import Estimate
from miajax.metrics.forms import SPREAD, Form
from miajax.metrics.json_form import UNKNOWN, from_json
from miajax.metrics.people import People
from miajax.metrics.summary import AttackSummary
from miajax.metrics.without_models import Checks
from miajax.notes import Note
from miajax.parsing import parsing
from miajax.runs.atomic import read_json
from miajax.studies.attacked.entry import Calibrated, InSlice
from miajax.studies.results import Record
from miajax.studies.written import SCHEMA_VERSION
from miajax.typed import Json

_NONE = Estimate(None, reason=UNKNOWN)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttackFound:
    """One attack in the results of any study of attacks, as far as the study says it.

    Attributes:
      comparable: False on a target unlike its shadow models.
      calibrated, slices: see ``attacked.entry.Entry``.
    """

    figures: Annotated[AttackSummary, SPREAD]
    comparable: bool = True
    calibrated: Annotated[Mapping[float, Calibrated | None], Form(key="shadow_calibrated")] = dataclasses.field(
        default_factory=dict[float, Calibrated | None]
    )
    slices: Mapping[str, Mapping[str, InSlice | None]] = dataclasses.field(
        default_factory=dict[str, Mapping[str, InSlice | None]]
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyFound:
    """Results of any study of attacks, as far as the study says it; see its own type for what the fields are.

    Attributes:
      study: empty in results of earlier versions.
      target: the number of a model, or the name of a file.
      shadows: of one model trained elsewhere, what its shadow models show; else None.
      plan: by which models were trained; None where they were trained elsewhere.
      made: what was spent on models, and who trained them.
      privacy: None where there is no guarantee, or none is known.
    """

    study: str = ""
    dataset: str = ""
    model: str = ""
    num_valid: int = 0
    num_examples: int = 0
    num_non_members: int = 0
    target: int | str | None = None
    train_accuracy: Estimate = _NONE
    test_accuracy: Estimate = _NONE
    generalization_gap: Estimate = _NONE
    official_test_accuracy: Estimate = _NONE
    attacks: Mapping[str, AttackFound]
    attacks_not_run: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    strongest: Lead | None = None
    groups: People | None = None
    shadows: Record | None = None
    comparable: bool = True
    not_comparable: tuple[str, ...] = ()
    plan: Record | None = None
    privacy: Record | None = None
    made: Record | None = None
    checks: Annotated[Checks | None, SPREAD] = None
    failed_models: tuple[int, ...] = ()
    versions: Record = dataclasses.field(default_factory=dict[str, Any])
    notes: tuple[Note, ...] = ()


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


def study_of(file: Path, results: Json) -> StudyFound:
    """Results as values; without attacks where a study has no figures of merit of them.

    Args:
      file: that holds them, for the message.
      results: read from it.

    Raises:
      UserError: a key is missing, or a value is none of its kind.
    """
    with reading_results(file):
        return from_json(StudyFound, results if "attacks_not_run" in results else {**results, "attacks": {}})


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
