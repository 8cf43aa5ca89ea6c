"""Signals that were computed elsewhere, under every attack that they allow: no model is trained or asked."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from miajax.attacks.attack import needed
from miajax.attacks.options import AttackOptions
from miajax.attacks.registry import BASELINE, usual_attacks, why_not
from miajax.campaign.made import versions
from miajax.errors import UserError
from miajax.metrics.accuracy import share_correct
from miajax.metrics.claims import strongest
from miajax.metrics.figures import Estimate
from miajax.metrics.groups import undivided
from miajax.metrics.new_data import on_new_data
from miajax.metrics.paired import mean_difference, mean_rate
from miajax.metrics.roc import roc_curve, thin
from miajax.metrics.summary import AttackSummary, summarise
from miajax.metrics.vulnerability import empirical_auc, exposure_at_pooled_fpr
from miajax.report.objections import Speaking, objections
from miajax.runs.atomic import write_json, write_npy, write_text
from miajax.runs.content_checks import SignalKind
from miajax.runs.content_notes import note_on_copies, note_on_order, note_on_rows_drawn_together
from miajax.runs.group_names import GROUPS_FILE
from miajax.runs.imports import ImportedSignals, ImportFormat, read_signals
from miajax.runs.tables import write_table
from miajax.signals.bundle import Signals
from miajax.signals.scaled_logit import scaled_logit
from miajax.studies import common
from miajax.studies.attacked.entries import run_families
from miajax.studies.attacked.groups import DIVIDED, FILE, Grouping, GroupStudy, few_groups, study_of, with_groups
from miajax.studies.imported.results import Imported
from miajax.studies.invocation import Invocation
from miajax.studies.results import FoundResult
from miajax.warned import collected_warnings


@dataclasses.dataclass(frozen=True, eq=False)
class ImportedResult(FoundResult[Imported]):
    """What attacks on imported signals found.

    Attributes:
      scores: ``{attack: float32[M, N]}``, higher = member.
    """

    scores: common.Scores


@collected_warnings()
def run_imported(
    source: Path,
    format: ImportFormat,
    out: Path,
    labels: Path | None = None,
    options: AttackOptions | None = None,
    invocation: Invocation | None = None,
    signal_kind: SignalKind | None = None,
    epoch: int | None = None,
    groups: Path | None = None,
) -> ImportedResult:
    """Attacks imported signals and writes scores, table, results and report in the files of a run.

    Args:
      source, format, labels, signal_kind, epoch, groups: see ``read_signals``.
      out: a new or empty folder, or one of an earlier import.
      options: of the attacks.
      invocation: how the study was called; from code if None.

    Raises:
      UserError: whatever is wrong with the source or ``out``; nothing has been written then.
    """
    called = invocation or Invocation()
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "source.json").is_file())):
        raise UserError(f"--out {out} holds something else", expected="a new or empty folder, or an earlier import")
    found = read_signals(source, format, labels, signal_kind, epoch, groups)
    of_row = found.groups
    signals, valid = signals_of(found)
    reasons = {name: why_not(name, signals, found.member, valid) for name in usual_attacks()}
    skipped = {name: reason for name, reason in reasons.items() if reason}
    names = [name for name in reasons if name not in skipped]
    if not names:
        raise UserError(f"{source} allows no attack", expected="signals or logits of models that did not fail")
    with called.timed("attack"):
        ran = run_families(names, signals, found.member, valid, options or AttackOptions())
        scores, skipped = ran.scores, skipped | ran.failed
        figures: dict[str, AttackSummary] = {}
        remarks: dict[str, None] = {}
        for name, array in scores.items():
            figures[name] = summarise(array, found.member, valid, groups=of_row)
            remarks |= dict.fromkeys(figures[name].notes)
        whole = of_row is not None and undivided(found.member, of_row)
        people: GroupStudy | None = None
        if of_row is not None and whole:
            figures = with_groups(figures, scores, found.member, valid, of_row)
            numbers = np.arange(int(of_row.max()) + 1).astype(str)  # keys stay where they came from
            grouping = Grouping(of_row, found.group_name, numbers, "numbers")
            people = study_of(grouping, scores, np.asarray(needed(signals.scaled_logit)), found.member, valid)
    notes: list[str] = [
        *found.notes,
        *note_on_copies(np.asarray(needed(signals.scaled_logit)), valid),
        *common.polarity_notes(figures),
    ]
    if found.logits is not None and found.labels is not None:
        notes += note_on_order(found.logits[:, :, 0].argmax(-1), found.labels, found.member, valid)
    if of_row is None:
        notes += note_on_rows_drawn_together(found.member)
    elif not whole:
        notes.append(DIVIDED)
    train, test, gap = _accuracies(signals, found.member, valid, of_row)
    imported = Imported(
        dataset=source.name,
        model=f"elsewhere ({format})",
        num_shadows=len(valid),
        num_valid=int(valid.sum()),
        num_examples=found.member.shape[1],
        member_fraction=float(found.member.mean()),
        unit="group" if whole else "row",
        num_groups=None if of_row is None else int(of_row.max()) + 1,
        groups=people and people.people,
        queries=needed(signals.scaled_logit).shape[2],
        train_accuracy=train,
        test_accuracy=test,
        generalization_gap=gap,
        attacks=figures,
        attacks_not_run=skipped,
        strongest=strongest(scores, found.member, valid, groups=of_row),
        num_non_members=int((~found.member)[valid].sum()),
        versions=versions(),
        failed_models=tuple(int(i) for i in np.flatnonzero(~valid)),
        notes=(
            *notes,
            *((*few_groups(people.people), *people.notes) if people else ()),
            *common.design_notes(found.member),
            *common.attack_notes({}, ran.reports),
            *remarks,
        ),
    )

    baseline = None
    if (lead := imported.strongest) is not None and BASELINE in figures:
        baseline = figures[BASELINE].auc, figures[lead.attack].auc
    speaking = Speaking(lead=lead, not_run=skipped, baseline=baseline)
    imported = dataclasses.replace(imported, objections=objections(speaking))

    def report(so_far: Imported) -> None:
        _write(out, source, format, found, signals, valid, scores, so_far, called.command)
        if people is None:
            (out / FILE).unlink(missing_ok=True)  # of an earlier import
        else:
            people.store(out)

    return ImportedResult(out, called.finished("import_signals", out, imported, report), scores)


def signals_of(found: ImportedSignals) -> tuple[Signals, np.ndarray]:
    """What attacks read, and which models gave finite numbers: ``(signals, bool[M])``.

    Raises:
      UserError: no model is finite throughout.
    """
    phi, logits, labels = found.scaled_logit, found.logits, found.labels
    correct = None
    if logits is not None and labels is not None:
        correct = logits[:, :, 0].argmax(-1) == labels
        if phi is None:
            phi = np.asarray(scaled_logit(jnp.asarray(logits), jnp.asarray(labels)[None, :, None]))
    assert phi is not None
    valid = np.asarray(np.isfinite(phi).all((1, 2)))
    if logits is not None:
        valid &= np.isfinite(logits).all((1, 2, 3))
    if not valid.any():
        raise UserError(f"all {len(valid)} models hold NaN or infinity", expected="finite signals of at least one")
    phi = np.where(valid[:, None, None], phi, np.float32(np.nan))
    return Signals(phi, correct, labels, logits), valid


def _accuracies(
    signals: Signals, member: np.ndarray, valid: np.ndarray, groups: np.ndarray | None
) -> tuple[Estimate, Estimate, Estimate]:
    """On members, on non-members, and the gap between them."""
    if signals.correct is None:
        nothing = Estimate(None, reason="The signals came without predictions.")
        return nothing, nothing, nothing
    right, known = np.asarray(signals.correct), valid[:, None]
    inside, outside = (share_correct(right, side & known, groups) for side in (member, ~member))
    return mean_rate([inside]), mean_rate([outside]), mean_difference([(inside, outside)])


def _write(
    out: Path,
    source: Path,
    format: str,
    found: ImportedSignals,
    signals: Signals,
    valid: np.ndarray,
    scores: Mapping[str, np.ndarray],
    imported: Imported,
    command: str,
) -> None:
    from miajax.studies.imported.page import render_imported_report

    write_json(out / "source.json", {"source": source.name, "format": format, "notes": list(found.notes)})
    write_npy(out / "membership.npy", found.member)
    answers = np.asarray(needed(signals.scaled_logit))
    write_npy(out / "signals.npy", answers)
    for name, array in (("labels.npy", found.labels), (GROUPS_FILE, found.groups)):
        if array is None:
            (out / name).unlink(missing_ok=True)  # of an earlier import
        else:
            write_npy(out / name, array)
    common.store_scores(out, scores)
    is_in = found.member & valid[:, None]
    phi = answers.mean(-1)
    auc = empirical_auc(phi, found.member, valid)
    fresh = on_new_data(auc, phi, found.member, valid)
    columns: dict[str, Any] = {
        "id": np.arange(found.member.shape[1], dtype=np.int32),
        "n_in": is_in.sum(0).astype(np.int32),
        "n_out": (valid.sum() - is_in.sum(0)).astype(np.int32),
        "auc": auc,
        "auc_new_data": fresh.auc,
        "auc_new_data_low": fresh.auc_low,
    }
    if found.labels is not None:
        columns["label"] = found.labels
    if found.groups is not None:
        columns["group"] = found.groups
    for name, array in scores.items():
        exposure = exposure_at_pooled_fpr(array, found.member, valid, common.EXPOSURE_FPR)
        columns[f"vulnerability_{name}"], columns[f"fpr_{name}"] = exposure.tpr, exposure.fpr
    write_table(out / "per_example.parquet", columns)
    rocs: common.Rocs = {}
    for name, array in scores.items():
        known = np.isfinite(array)
        rocs[name] = thin(roc_curve(array[known], found.member[known]))
    write_text(out / "report.html", render_imported_report(imported, rocs, command))
