"""What a campaign measured beside what the paper prints, and what differs between the two."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from miajax.errors import UserError
from miajax.metrics.figures import Estimate as AnyEstimate
from miajax.metrics.json_form import from_json
from miajax.report import numbers
from miajax.report.attack_faces import face
from miajax.report.numbers import Estimate
from miajax.report.page import Block, Cell, Column, Points, Table
from miajax.runs.atomic import read_json
from miajax.studies.defenses.results import Defenses
from miajax.studies.found import StudyFound, study_of
from miajax.studies.paper_tables import CAVEATS, NAMED, SOURCE, TABLES, PublishedRow
from miajax.studies.reproduce.record import CampaignParts
from miajax.typed import Json

_COUNTERPARTS = {
    "cifar10": ("cifar10", "densenet_bc_100_12"),
    "digits": ("cifar10", "densenet_bc_100_12"),
    "fashion_mnist": ("cifar10", "densenet_bc_100_12"),
    "purchase100": ("purchase100", "purchase_mlp"),
    "purchase_like": ("purchase100", "purchase_mlp"),
}
"""By data set of ours, data set and network of the paper: pictures beside pictures, purchases beside purchases."""
_NOT_RUN = Estimate(None, reason="Not run here.")
_Ours = tuple[AnyEstimate, AnyEstimate, AnyEstimate, AnyEstimate]
"""Accuracy on members and on non-members, AUC and advantage of the threshold."""


def beside_paper(folder: Path, of: CampaignParts, num_shadows: int) -> list[Block]:
    """The table of both, and what differs; nothing where the paper has no counterpart or nothing was measured.

    Args:
      folder: of the campaign, with its parts in it.
      of: the campaign.
      num_shadows: its models.
    """
    theirs = _COUNTERPARTS.get(of.dataset)
    if theirs is None:
        return []
    undefended, ours = _studied(folder), _rows(folder)
    if undefended is not None:
        ours.setdefault("original", _undefended(undefended))
    if not ours:
        return []
    columns = [Column("Defence")]
    for title in ("Accuracy on members", "Accuracy on non-members", "AUC of the threshold", "Advantage"):
        columns += [Column(title, "number", "here"), Column(title, "number", "paper")]
    rows = [_row(name, row, ours.get(name)) for name, row in TABLES[theirs].items()]
    table = Table(
        columns, rows, f"Measured here beside {SOURCE}: {theirs[0]}, {theirs[1]}. Brackets are 95 % intervals."
    )
    return [table, *_named(undefended, theirs), Points(_differences(of, theirs, num_shadows, folder), "What differs")]


def _row(name: str, theirs: PublishedRow, ours: _Ours | None) -> list[Cell]:
    title = name.replace("_", " ") + "".join(
        f" (theirs: {setting.replace('_', ' ')} {value:g})" for setting, value in theirs.settings.items()
    )
    published = (theirs.train_accuracy, theirs.test_accuracy, theirs.threshold_auc, theirs.threshold_advantage)
    cells: list[Cell] = [title]
    for number, value in enumerate(published):
        here = _NOT_RUN if ours is None else numbers.shown(ours[number], 3)
        cells += [here, numbers.estimate(value, reason="The paper does not say.", decimals=4)]
    return cells


def _named(undefended: StudyFound | None, theirs: tuple[str, str]) -> list[Block]:
    """Of members at 1 % false alarms, how many are named: by LiRA here, by the paper's most confident there."""
    if undefended is None or undefended.strongest is None:
        return []
    attack = undefended.strongest.attack
    tpr = undefended.attacks[attack].figures.tpr_at_fpr.get(0.01)
    if tpr is None:
        return []
    true, false = NAMED[theirs]
    rows: list[list[Cell]] = [
        [f"here: {face(attack).inline}", numbers.shown(tpr, 4), Estimate(0.01, decimals=4)],
        ["paper: the most confident of one model", Estimate(true, decimals=4), Estimate(false, decimals=4)],
    ]
    columns = [Column("Named vulnerable"), Column("TPR", "number"), Column("FPR", "number")]
    return [Table(columns, rows, "Who is called vulnerable, and how many members and non-members that names.")]


def _differences(of: CampaignParts, theirs: tuple[str, str], num_shadows: int, folder: Path) -> Sequence[str]:
    points: list[str] = []
    for what, here, there in (("data set", of.dataset, theirs[0]), ("network", of.model, theirs[1])):
        if here != there:
            points.append(f"The {what} is {here} here, {there} there: figures stand beside one another, not in a row.")
    points.append(f"Here {num_shadows} models, each a target; there one model.")
    results = _read(folder / "results.json")
    for entry in results.get("published", ()):
        points += [f"{each}." for each in (*entry.get("differences", ()), *entry.get("why_not", ()))]
    return list(dict.fromkeys([*points, *CAVEATS]))


def _undefended(found: StudyFound) -> _Ours:
    attack = found.attacks.get("global_threshold")
    figures = None if attack is None else attack.figures
    auc, advantage = (_NOT_RUN, _NOT_RUN) if figures is None else (figures.auc, figures.advantage)
    return found.train_accuracy, found.test_accuracy, auc, advantage


def _rows(folder: Path) -> dict[str, _Ours]:
    """By defence, what the study of defences found; empty where it has not run."""
    results = _read(folder / "defenses" / "results.json")
    with contextlib.suppress(UserError):
        rows = from_json(Defenses, results).rows if results else ()
        return {
            row.defense: (row.train_accuracy, row.test_accuracy, row.threshold_auc, row.threshold_advantage)
            for row in rows
        }
    return {}


def _studied(folder: Path) -> StudyFound | None:
    """What LiRA and the baselines found, or None."""
    file = folder / "results.json"
    results = _read(file)
    with contextlib.suppress(UserError):
        return study_of(file, results) if results else None
    return None


def _read(file: Path) -> Json:
    found: Any = read_json(file) if file.is_file() else {}
    return cast(Json, found) if isinstance(found, dict) else {}
