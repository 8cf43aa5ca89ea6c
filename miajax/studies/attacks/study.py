"""Every attack from one set of shadow models, side by side.

Beside the run that it scores, the study writes

    <run>/scores/<attack>.npy      float32[M, N], as every study of attacks does
    <run>/per_example.parquet      gains vulnerability_<attack> and fpr_<attack>; columns of other studies stay
    <run>/attacks/results.json     the contract of results.json; every attack's entry also holds seconds, ppv_at_fpr,
                                   shadow_calibrated, per_example and slices
    <run>/attacks/report.html, roc.png

so that what ``miajax lira`` left in ``<run>/results.json`` stays.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from miajax.attacks.options import RMIA_PRESETS, AttackOptions, LiraMode, RmiaOptions
from miajax.attacks.registry import ATTACKS, BASELINE, usual_attacks, why_not
from miajax.campaign.config import Setup
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.recorded import recorded_signals
from miajax.campaign.run import Campaign, run_campaign
from miajax.described import described
from miajax.errors import UserError
from miajax.metrics.objections import Objection
from miajax.outliers.registry import METRICS
from miajax.runs.atomic import atomic_file, write_text
from miajax.signals.bundle import Signals
from miajax.studies import common
from miajax.studies.attacked.entries import attack_entries, rank_stability, run_families
from miajax.studies.attacked.groups import group_study
from miajax.studies.attacked.records import records_of
from miajax.studies.attacked.saturation import saturation
from miajax.studies.attacked.spread import leak_over
from miajax.studies.attacks.results import Attacks
from miajax.studies.head import head_of
from miajax.studies.invocation import Invocation
from miajax.studies.results import AttackedResult
from miajax.studies.slices import slicings, user_column
from miajax.studies.table_slices import table_slices, without_keys
from miajax.warned import collected_warnings

_PLOTTED = 6  # attacks whose ROC is drawn: more can't be told apart


@described
@dataclasses.dataclass(frozen=True)
class AttacksOptions:
    """Which attacks, and by what their figures are broken down."""

    attacks: tuple[str, ...] | None = None
    """attacks to run, by name or as path/to/file.py:name; all whose signals and models are there when not given"""
    lira_mode: LiraMode = "default"
    """default, or official: the published script's numbers, its peculiarities included"""
    outlier_metric: str | None = "centroid_distance"
    """figures by quarters of this outlier metric; None for no such figures"""
    slice_file: Path | None = None
    """.parquet or .npz with a column id (0..N-1) and --slice_column, for figures by groups of one's own"""
    slice_column: str | None = None
    """column of --slice_file, or of the table itself"""
    show_records: bool = False
    """show examples of a data set of one's own in the report, not only their numbers"""

    def __post_init__(self):
        if self.attacks is not None:
            object.__setattr__(self, "attacks", ATTACKS.names_of(self.attacks))
        if self.attacks is not None and not self.attacks:
            raise UserError("--attacks names no attack", expected="some of " + ", ".join(ATTACKS))
        if self.outlier_metric is not None:
            object.__setattr__(self, "outlier_metric", METRICS.name_of(self.outlier_metric))
        if self.slice_file is not None and self.slice_column is None:
            raise UserError("--slice_file without --slice_column", expected="the column of it to go by")

    def of_the_user(self, setup: Setup) -> dict[str, np.ndarray]:
        """The user's own slicing.

        Raises:
          UserError: see ``user_column`` and ``table_slices``.
        """
        if self.slice_column is None:
            return {}
        if self.slice_file is None:
            return table_slices(setup, self.slice_column)
        categories = user_column(self.slice_file, self.slice_column, setup.dataset.num_examples)
        return {self.slice_column: without_keys(setup, f"--slice_column {self.slice_column}", categories)}


@collected_warnings()
def run_attacks_study(
    setup: Setup,
    path: Path,
    options: AttacksOptions | None = None,
    reporter: Reporter | None = None,
    invocation: Invocation | None = None,
) -> AttackedResult[Attacks]:
    """Trains what is missing and scores every model as the target under every attack.

    Args:
      setup: the campaign.
      path: the run folder.
      options: defaults if None.
      reporter: listens; silent by default.
      invocation: how the study was called; from code if None.

    Raises:
      UserError: see ``run_campaign``; an attack that was asked for cannot run; the user's slices cannot be read.
    """
    options, reporter = options or AttacksOptions(), reporter or Silent()
    called = invocation or Invocation()
    columns = options.of_the_user(setup)
    campaign = run_campaign(setup, path, reporter)

    wanted = usual_attacks() if options.attacks is None else options.attacks
    white_box = any(field.endswith("gradient_norm") for name in wanted for field in ATTACKS[name].needs)
    with called.timed("record"):
        signals = recorded_signals(campaign, gradients=white_box)

    with called.timed("attack"):
        names, skipped = _runnable(wanted, signals, campaign, asked_for=options.attacks is not None)
        settings = AttackOptions(lira_mode=options.lira_mode, rmia=RMIA_PRESETS.get(setup.dataset.name, RmiaOptions()))
        ran = run_families(names, signals, campaign.member, campaign.valid, settings)
        if options.attacks is not None and ran.failed:
            name, reason = next(iter(ran.failed.items()))
            raise UserError(f"--attacks {name}: it {reason}")
        skipped |= ran.failed
        figures, notes = common.attack_figures(campaign, ran.scores)
        strongest = common.strongest_attack(campaign, ran.scores)
        people = group_study(campaign, ran.scores)
        spread, spread_remarks = leak_over(campaign, ran.scores, strongest, columns)
        clipped, about_clip = saturation(campaign, signals, ran.scores, settings)
        groups, slice_notes = slicings(campaign, signals, options.outlier_metric, columns)
        exposed = common.exposures(campaign, ran.scores)
        records = records_of(campaign, ran.scores, exposed, ran.scores)
        stability = rank_stability(list(ran.scores), signals, campaign, settings)
        entries, entry_notes = attack_entries(campaign, ran, figures, exposed, stability, groups)
        table, new_data = common.example_columns(campaign, exposed)

    with called.timed("blind"):
        checks = common.blind_checks(campaign)
    found = Attacks(
        head=head_of(campaign),
        checks=checks,
        attacks=entries,
        attacks_not_run=skipped,
        strongest=strongest,
        groups=people and people.people,
        spread=spread,
        saturation=clipped,
        new_data=new_data,
        per_record=records,
        notes=(
            *common.campaign_notes(campaign),
            *(people.notes if people else ()),
            *about_clip,
            *common.attack_notes(skipped, ran.reports),
            *slice_notes,
            *notes,
            *entry_notes,
            *spread_remarks,
        ),
    )

    found = dataclasses.replace(found, objections=_answers(found))

    def report(so_far: Attacks) -> None:
        common.store_scores(path, ran.scores)
        common.join_examples(path / "per_example.parquet", table)
        if people is not None:
            people.store(path)
        _write_report(campaign, options, so_far, ran.scores, table["auc"], called.command)

    done = called.finished("attacks", path / "attacks", found, report, [campaign.timing])
    return AttackedResult(path / "attacks", done, campaign, ran.scores)


def _answers(found: Attacks) -> tuple[Objection, ...]:
    """What the figures say to known objections: of the strongest attack, thresholds set on other models as well."""
    from miajax.studies.attacked.speaking import answers

    if found.strongest is None:
        return answers(found)
    entry = found.attacks[found.strongest.attack]
    aims = [fpr for fpr, reached in entry.calibrated.items() if reached is not None]
    reached = None
    if aims and (of := entry.calibrated[max(aims)]) is not None:
        reached = max(aims), of.tpr, of.fpr
    return answers(found, reached=reached, rank_stability=entry.per_example.rank_stability)


def _runnable(
    wanted: Sequence[str], signals: Signals, campaign: Campaign, *, asked_for: bool
) -> tuple[list[str], dict[str, str]]:
    """Attacks to run, and why the others are not; of attacks asked for by name each must be able to."""
    reasons = {name: why_not(name, signals, campaign.member, campaign.valid) for name in wanted}
    skipped = {name: reason for name, reason in reasons.items() if reason}
    if not asked_for:
        queries = campaign.setup.config.queries
        skipped |= {name: ATTACKS[name].few_queries for name in reasons if queries < ATTACKS[name].least_queries}
    if asked_for and skipped:
        name, reason = next(iter(skipped.items()))
        raise UserError(
            f"--attacks {name}: it {reason}", remedy="Leave it out, or make a run that keeps and has what it needs"
        )
    return [name for name in reasons if name not in skipped], skipped


def _write_report(
    campaign: Campaign,
    options: AttacksOptions,
    found: Attacks,
    scores: common.Scores,
    exposed: np.ndarray,
    command: str,
) -> None:
    from miajax.report.plots import save_png
    from miajax.studies.attacked.evidence import LiraReportInputs
    from miajax.studies.attacks.page import attacks_roc_figure, render_attacks_report

    figures = found.figures
    by_power = sorted(
        scores, key=lambda name: (figures[name].tpr_at_fpr[1e-2].value or 0.0, figures[name].auc.value), reverse=True
    )
    drawn = [*by_power[:_PLOTTED], *([BASELINE] if BASELINE in by_power[_PLOTTED:] else [])]
    inputs = LiraReportInputs.of(
        campaign,
        found,
        scores,
        common.pooled_rocs(campaign, {name: scores[name] for name in drawn}),
        exposed,
        otherwise=next(iter(scores)),
        show_records=options.show_records,
        command=command,
    )
    folder = campaign.folder.path / "attacks"
    write_text(folder / "report.html", render_attacks_report(inputs, found.attacks))
    with atomic_file(folder / "roc.png") as file:
        save_png(attacks_roc_figure(inputs), file)
