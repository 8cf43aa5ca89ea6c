"""Before and after: what a defence, another estimator or another epsilon did to what attacks find.

Two finished runs on the same data, with the same or another membership, are read as they are; nothing is trained and
no attack is run. Into ``<run>/compare``, or ``--out``, go

    results.json           dataset, num_examples, paired; before, after {run, model, num_shadows, num_valid, strongest};
                           settings[{name, before, after}]; attacks.<name>{auc, tpr_at_fpr.<fpr>}, each {before, after,
                           change, all with _ci, change_ci_of_all, standing} or null, and exposure{gained_protection,
                           lost_protection, ...}; accuracy{train_accuracy, test_accuracy, generalization_gap} or null;
                           lead{attack, by, fpr}, the attack that sentences are about
    per_example.parquet    id, exposure before and after to the leading attack, p, change by the rule
    per_group.parquet      the same by group, as group_of_row.npy numbers them, where members were drawn by group
    report.html
"""

import concurrent.futures
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from miajax.campaign.made import versions
from miajax.described import described
from miajax.errors import UserError
from miajax.metrics.changes import FALSE_DISCOVERIES, Changes
from miajax.metrics.claims import LEAD_FPRS, Lead, strongest
from miajax.metrics.groups import of_groups
from miajax.metrics.summary import fpr_key
from miajax.runs.atomic import write_text
from miajax.runs.tables import write_table
from miajax.studies import common
from miajax.studies.attacked.groups import FILE as PER_GROUP
from miajax.studies.attacked.groups import join_of
from miajax.studies.compare.figures import accuracy_changes, attack_changes, example_changes
from miajax.studies.compare.results import AttackChanged, Comparison, Exposure, SideFound, Speaking
from miajax.studies.compare.side import Side, check_comparable, read_side, settings_that_differ
from miajax.studies.invocation import Invocation
from miajax.studies.results import FoundResult
from miajax.warned import collected_warnings

if TYPE_CHECKING:
    from miajax.studies.compare.page import Record


@described
@dataclasses.dataclass(frozen=True)
class CompareOptions:
    """What is compared, and what may be shown."""

    attacks: tuple[str, ...] | None = None
    """attacks to compare; all that both runs have scores of when not given"""
    encoded_otherwise: bool = False
    """the runs hold the same records though features differ, such as a table encoded for trees and for networks"""
    show_records: bool = False
    """show labels and pictures of the examples whose exposure changed, not only their numbers"""


@collected_warnings()
def run_compare(
    before: Path,
    after: Path,
    out: Path | None = None,
    options: CompareOptions | None = None,
    invocation: Invocation | None = None,
) -> FoundResult[Comparison]:
    """Compares two finished runs and writes the page.

    Args:
      before: a run folder, or an import.
      after: another.
      out: folder to write; ``compare`` in the run before if None.
      options: defaults if None.
      invocation: how the study was called; from code if None.

    Raises:
      UserError: a folder is no finished run, or the two cannot be compared; what differs is named.
    """
    options, called = options or CompareOptions(), invocation or Invocation()
    if before.resolve() == after.resolve():
        raise UserError(f"--run and --with both name {before}", expected="two runs")
    sides = read_side(before), read_side(after)
    remarks = check_comparable(*sides, options.encoded_otherwise)
    names = _common_attacks(*sides, options.attacks)
    paired = sides[0].member.shape == sides[1].member.shape and bool((sides[0].member == sides[1].member).all())
    if not all(side.valid.any() for side in sides) or (paired and not (sides[0].valid & sides[1].valid).any()):
        raise UserError(f"{before} and {after} have no models to compare", expected="models that trained well in both")
    record = _records(sides[0]) if options.show_records else None
    with called.timed("attack"):
        grouped = sides[0].by_group
        leads = [_strongest(side, names) for side in sides]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:

            def of_examples(name: str) -> tuple[Changes, Exposure]:
                return example_changes(*sides, name, paired)

            def of_attack(name: str) -> AttackChanged:
                whole = by_group[name][1] if grouped else None
                return attack_changes(*sides, name, paired, len(names), exposures[name][1], whole)

            def of_whole(name: str) -> tuple[Changes, Exposure]:
                return example_changes(*sides, name, paired, by_group=True)

            by_group = dict(zip(names, pool.map(of_whole, names), strict=True)) if grouped else {}
            exposures = dict(zip(names, pool.map(of_examples, names), strict=True))
            changes = pool.map(of_attack, names)
            attacks = dict(zip(names, changes, strict=True))
        accuracy = accuracy_changes(*sides, paired)
    comparison = Comparison(
        dataset=sides[0].results.dataset,
        num_examples=sides[0].member.shape[1],
        unit="group" if grouped else "row",
        num_groups=None if sides[0].groups is None else int(sides[0].groups.max()) + 1,
        paired=paired,
        before=_about(sides[0], leads[0]),
        after=_about(sides[1], leads[1]),
        settings=settings_that_differ(*sides),
        attacks=attacks,
        lead=_speaking(attacks, leads[0]),
        accuracy=accuracy,
        exposure_fpr=common.EXPOSURE_FPR,
        false_discoveries=FALSE_DISCOVERIES,
        versions=versions(),
        notes=(*remarks, *sides[0].notes, *sides[1].notes, *_notes(*sides, paired)),
    )
    out = out or before / "compare"
    lead = comparison.lead.attack
    found = exposures[lead][0], by_group[lead][0] if grouped else None
    comparison = called.finished(
        "compare", out, comparison, lambda so_far: _write(out, *found, record, so_far, called.command)
    )
    return FoundResult(out, comparison)


def _common_attacks(before: Side, after: Side, wanted: tuple[str, ...] | None) -> list[str]:
    names = [name for name in before.scores if name in after.scores]
    for name in wanted or ():
        if name not in names:
            where = [str(side.path) for side in (before, after) if name not in side.scores]
            raise UserError(
                f"--attacks {name}: {' and '.join(where)} {'has' if len(where) == 1 else 'have'} no scores of it",
                expected=f"some of {', '.join(names) or 'none that both have'}",
                remedy="miajax attacks --run DIR scores a run",
            )
    if not names:
        raise UserError(
            f"{before.path} and {after.path} have no attack in common",
            expected="scores of the same attack in both",
            remedy="miajax attacks --run DIR scores a run under every attack",
        )
    return [name for name in names if wanted is None or name in wanted]


def _strongest(side: Side, names: Sequence[str]) -> Lead | None:
    """The attack that finds most of what members were drawn by."""
    if side.groups is None or not side.by_group:
        scores = {name: side.score(name) for name in names}
        return strongest(scores, side.member, side.valid, groups=side.groups)
    whole = of_groups(side.member, side.groups)
    return strongest({name: side.of_groups(name, join_of(name))[0] for name in names}, whole, side.valid)


def _speaking(attacks: Mapping[str, AttackChanged], strongest_before: Lead | None) -> Speaking:
    """The attack that was strongest before, and its figure at the first low rate that both runs resolve."""
    name = next(iter(attacks)) if strongest_before is None else strongest_before.attack
    fpr = next((rate for rate in LEAD_FPRS if attacks[name].of_unit.tpr_at_fpr.get(rate)), None)
    return Speaking(name, "auc" if fpr is None else "tpr_at_fpr", None if fpr is None else fpr_key(fpr))


def _about(side: Side, lead: Lead | None) -> SideFound:
    return SideFound(
        run=side.path.resolve().name,
        model=side.results.model,
        num_shadows=len(side.member),
        num_valid=int(side.valid.sum()),
        fingerprint=side.manifest.get("fingerprint"),
        privacy=side.results.privacy,
        strongest=lead,
    )


def _notes(before: Side, after: Side, paired: bool) -> list[str]:
    notes: list[str] = []
    if len(before.member) != len(after.member):
        notes.append(
            f"The runs have {len(before.member)} and {len(after.member)} models: attacks grow stronger with more "
            "shadow models, so part of a difference may be theirs."
        )
    if not paired:
        notes.append(
            "The runs' memberships are not the same: models are not paired, only examples are, and intervals are "
            "mostly wider than between runs of the same --seed, --split and number of models."
        )
    left_out = int((before.valid ^ after.valid).sum()) if paired else 0
    if left_out:
        notes.append(f"{left_out} models trained well in one run only and are left out with their twins.")
    modes = [side.results.lira_mode for side in (before, after)]
    if modes[0] != modes[1]:
        notes.append(f"LiRA ran in mode {modes[0]} before and {modes[1]} after: its figures differ by that, too.")
    return notes


def _write(
    out: Path, found: Changes, whole: Changes | None, record: "Record | None", comparison: Comparison, command: str
) -> None:
    from miajax.studies.compare.page import Record, render_compare_report

    write_table(out / "per_example.parquet", _columns("id", found))
    if whole is not None:
        write_table(out / PER_GROUP, _columns("group", whole))
    page = render_compare_report(comparison, found, record or Record(None, None, ()), command)
    write_text(out / "report.html", page)


def _columns(key: str, found: Changes) -> dict[str, np.ndarray]:
    return {
        key: np.arange(len(found.p), dtype=np.int32), "exposure_before": found.before, "exposure_after": found.after,
        "p": found.p, "change": found.direction.astype(np.int8),
    }  # fmt: skip


def _records(side: Side) -> "Record":
    """Labels and pictures of the run's own data.

    Raises:
      UserError: the data cannot be read any more, or an import has none.
    """
    from miajax.campaign.config import Setup
    from miajax.campaign.stored import stored_config
    from miajax.studies.compare.page import Record

    if not side.manifest:
        raise UserError(f"--show_records: {side.path} is an import, which holds no records", expected="a run folder")
    dataset = Setup.of(stored_config(side.path)).dataset
    return Record(side.labels, common.pictures_of(dataset), dataset.class_names)
