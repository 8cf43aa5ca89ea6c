"""The main study: a shadow campaign, LiRA and the two baselines over every target, figures of merit, report."""

import concurrent.futures
import dataclasses
import importlib
from pathlib import Path

import numpy as np

from miajax.attacks import registry
from miajax.attacks.options import AttackOptions, LiraMode
from miajax.attacks.registry import why_not
from miajax.campaign.config import Setup
from miajax.campaign.made import training_seconds
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.run import Campaign, run_campaign
from miajax.described import described
from miajax.errors import UserError
from miajax.metrics.summary import AttackSummary
from miajax.runs.atomic import atomic_file, write_text
from miajax.runs.derived import remember
from miajax.runs.tables import write_table
from miajax.signals.bundle import Signals
from miajax.studies import common
from miajax.studies.attacked.groups import group_study
from miajax.studies.attacked.records import records_of
from miajax.studies.attacked.results import Saturation
from miajax.studies.attacked.spread import leak_over
from miajax.studies.head import head_of
from miajax.studies.invocation import Invocation
from miajax.studies.lira.results import Lira
from miajax.studies.published import beside_published, published_notes
from miajax.studies.results import AttackedResult
from miajax.studies.table_slices import table_slices
from miajax.warned import collected_warnings

ATTACKS = tuple(name for name, attack in registry.ATTACKS.items() if attack.family in ("threshold", "lira"))


@described
@dataclasses.dataclass(frozen=True)
class LiraOptions:
    """What the study does with a finished campaign."""

    target: int | None = None
    """attack this model only; every model in turn when not given"""
    lira_mode: LiraMode = "default"
    """default, or official: the published script's numbers, its peculiarities included"""
    slice_column: str | None = None
    """column of the table by which the largest leak is broken down"""
    show_records: bool = False
    """show examples of a data set of one's own in the report, not only their numbers"""


@collected_warnings()
def run_lira(
    setup: Setup,
    path: Path,
    options: LiraOptions | None = None,
    reporter: Reporter | None = None,
    invocation: Invocation | None = None,
) -> AttackedResult[Lira]:
    """Trains what is missing, attacks every model (or one), and writes the whole run folder.

    Args:
      setup: the campaign.
      path: the run folder.
      options: defaults if None.
      reporter: listens; silent by default.
      invocation: how the study was called; from code if None.

    Raises:
      UserError: see ``run_campaign``; or ``target`` is not one of the models, or it diverged.
    """
    options, reporter = options or LiraOptions(), reporter or Silent()
    called = invocation or Invocation()
    if options.target is not None and not 0 <= options.target < setup.config.num_shadows:
        raise UserError(f"--target {options.target}", expected=f"a model id in 0..{setup.config.num_shadows - 1}")
    slices = None if options.slice_column is None else table_slices(setup, options.slice_column)
    with concurrent.futures.ThreadPoolExecutor(1) as early:
        drawing = early.submit(_load_drawing)  # costs half a second, while models train
        campaign = run_campaign(setup, path, reporter)
        drawing.result()
    if options.target is not None and not campaign.valid[options.target]:
        raise UserError(f"--target {options.target} is a model that diverged", expected="a model that trained well")

    with called.timed("attack"):
        scores, figures, skipped, clipped, notes = _attack(campaign, options)
        targets = None if options.target is None else [options.target]
        strongest = common.strongest_attack(campaign, scores, targets)
        people = group_study(campaign, scores, targets)
        spread, spread_remarks = leak_over(campaign, scores, strongest, slices)
        exposed = common.exposures(campaign, scores)
        records = records_of(campaign, scores, exposed, () if strongest is None else (strongest.attack,), targets)
        columns, new_data = common.example_columns(campaign, exposed)
    with called.timed("blind"):
        checks = common.blind_checks(campaign)
    head = head_of(campaign, options.target)
    published = beside_published(setup, head.test_accuracy.value)
    seconds = training_seconds(campaign.folder, len(campaign.valid))
    found = Lira(
        head=head,
        checks=checks,
        lira_mode=options.lira_mode,
        attacks=figures,
        attacks_not_run=skipped,
        strongest=strongest,
        groups=people and people.people,
        spread=spread,
        saturation=clipped,
        published=tuple(published),
        new_data=new_data,
        per_record=records,
        notes=(
            *common.campaign_notes(campaign),
            *(people.notes if people else ()),
            *notes,
            *spread_remarks,
            *published_notes(published, figures, head.train_accuracy, head.test_accuracy, seconds),
        ),
    )

    from miajax.studies.attacked.speaking import answers  # with pages: while models trained

    found = dataclasses.replace(found, objections=answers(found))

    def report(so_far: Lira) -> None:
        common.store_scores(path, scores)
        write_table(path / "per_example.parquet", columns)
        remember(path, path / "per_example.parquet")
        if people is not None:
            people.store(path)
        _write_report(campaign, options, so_far, scores, columns["auc"], called.command)

    return AttackedResult(path, called.finished("lira", path, found, report, [campaign.timing]), campaign, scores)


def _load_drawing() -> None:
    for module in (
        "matplotlib.figure",
        "matplotlib.backends.backend_agg",
        "miajax.studies.lira.page",
        "miajax.studies.blind",
        "sklearn.linear_model",
        "miajax.studies.attacked.entries",
        "miajax.studies.attacked.saturation",
        "miajax.studies.attacked.speaking",
    ):
        importlib.import_module(module)


def _attack(
    campaign: Campaign, options: LiraOptions
) -> tuple[common.Scores, dict[str, AttackSummary], dict[str, str], Saturation | None, list[str]]:
    from miajax.studies.attacked.entries import run_families  # with scipy.stats: while models trained
    from miajax.studies.attacked.saturation import saturation

    signals = Signals(scaled_logit=campaign.signals, correct=campaign.correct, labels=campaign.setup.dataset.labels)
    reasons = {name: why_not(name, signals, campaign.member, campaign.valid) for name in ATTACKS}
    skipped = {name: reason for name, reason in reasons.items() if reason}
    names = [name for name in ATTACKS if name not in skipped]
    settings = AttackOptions(lira_mode=options.lira_mode)
    ran = run_families(names, signals, campaign.member, campaign.valid, settings)
    skipped |= ran.failed
    targets = None if options.target is None else [options.target]
    figures, notes = common.attack_figures(campaign, ran.scores, targets)
    clipped, about = saturation(campaign, signals, ran.scores, settings, targets)
    return ran.scores, figures, skipped, clipped, [*about, *common.attack_notes(skipped, ran.reports), *notes]


def _write_report(
    campaign: Campaign,
    options: LiraOptions,
    found: Lira,
    scores: common.Scores,
    exposed: np.ndarray,
    command: str,
) -> None:
    from miajax.report.plots import save_png
    from miajax.studies.attacked.evidence import LiraReportInputs
    from miajax.studies.lira.page import lira_roc_figure, render_lira_report

    inputs = LiraReportInputs.of(
        campaign,
        found,
        scores,
        common.pooled_rocs(campaign, scores, options.target),
        exposed,
        otherwise="global_threshold",
        show_records=options.show_records,
        command=command,
    )
    write_text(campaign.folder.path / "report.html", render_lira_report(inputs))
    with atomic_file(campaign.folder.path / "roc.png") as file:
        save_png(lira_roc_figure(inputs), file)
