"""Why examples leak: every outlier metric against what LiRA finds of each example.

Beside the run that it reads, the study writes ``<run>/outliers/results.json``, ``report.html`` and ``metrics.png``, and
columns ``metric_<name>`` (from all models) into ``<run>/per_example.parquet``. ``results.json`` holds the head of every
study and

    vulnerability        how it is measured: {primary, other, attack, fpr, top, num_examples}
    metrics.<name>       {family, space, meaning, source, models, spearman, precision_at_1pct, auc_top_1pct, each with
                         <figure>_ci, num_examples}; the same figures under easy and hard (halves of the examples by how
                         well models fit them), under named_share (the other vulnerability), and, without intervals,
                         under same_models (metric and vulnerability from the same models: circular, for comparison)
    ceiling              the vulnerability of one half of the models against that of the other, as a metric's entry
    best.<part>.<figure> {metric, value, not_told_apart}; parts all, easy, hard, named_share
    metrics_not_run      {name: reason}
    memorisation         {mean, share_above_quarter, median_standard_error, mean_consistency}
    influence_pairs      [{example, on, influence, standard_error}], the strongest
    outliers_by_fit      {metric, share, vulnerable_at, easy, hard, all: {vulnerable, vulnerable_ci, num_examples}}
    models_shown         whose training set the pictures show
    per_group            where members are drawn by group {num_groups, num_known, metrics.<name>, ceiling, best,
                         metrics_not_run}: metrics of groups against what LiRA finds of groups
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Int
from scipy.special import expit

from miajax.attacks.lira import online_variant
from miajax.attacks.registry import run_attacks
from miajax.campaign.config import Setup
from miajax.campaign.gathered import Campaign
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.run import run_campaign
from miajax.campaign.storing import kept
from miajax.described import described
from miajax.errors import UserError
from miajax.metrics.accuracy import share_correct
from miajax.metrics.clusters import Groups
from miajax.metrics.figures import Estimate, Figure
from miajax.metrics.intervals import clopper_pearson
from miajax.metrics.paired import mean_rate
from miajax.metrics.vulnerability import exposure_at_pooled_fpr, gaussian_vulnerability
from miajax.notes import not_done
from miajax.outliers.memorisation import memorisation, strongest_influence
from miajax.outliers.registry import METRICS
from miajax.runs.atomic import atomic_file, write_text
from miajax.signals.bundle import Signals
from miajax.studies import common
from miajax.studies.campaign_page import Run
from miajax.studies.head import head_of
from miajax.studies.invocation import Invocation
from miajax.studies.outlier_metrics import Estimator, Spaces, estimators, mean_over_trained, spaces_of
from miajax.studies.outliers.figures import (
    InfluencePair,
    Measure,
    Memorisation,
    MetricFound,
    Outliers,
    OutliersByFit,
    Part,
    Share,
)
from miajax.studies.outliers.groups import group_table, outliers_of_groups, remembered, store_groups
from miajax.studies.outliers.table import TOP, Half, Measured, OutlierTable, best, halves, ranking
from miajax.studies.outliers.views import Panel, panels
from miajax.studies.results import FoundInCampaign
from miajax.warned import collected_warnings

CIRCLED = (0.01, 0.005, 0.001)
_KEEP = ("logits", "losses", "margins", "early", "parameters")
_OUTLIERS = 0.1  # share of the examples that count as outliers where outliers are split by fit
_VULNERABLE_AT = 0.5  # share of the models trained on an example in which it is named
_PAIRS = 8
PARTS: tuple[Part, ...] = ("all", "easy", "hard", "named_share")


@described
@dataclasses.dataclass(frozen=True)
class OutliersOptions:
    """How metrics are measured and shown."""

    geometry_models: int = 8
    """models of each half whose features and logits outliers are looked for in"""
    resamples: int = 200
    """bootstrap resamples of the examples behind every interval"""
    own_metrics: tuple[str, ...] = ()
    """outlier metrics of one's own beside all that are known, each as path/to/file.py:name"""
    show_records: bool = False
    """show examples of a data set of one's own in the report, not only their numbers"""

    def __post_init__(self):
        object.__setattr__(self, "own_metrics", METRICS.names_of(self.own_metrics))
        if self.geometry_models < 1:
            raise UserError(f"--geometry_models {self.geometry_models}", expected="1 or more")
        if self.resamples < 50:
            raise UserError(f"--resamples {self.resamples}", expected="50 or more: a variance rests on them")


@dataclasses.dataclass(frozen=True, eq=False)
class OutliersResult(FoundInCampaign[Outliers]):
    """What the study found, besides the files it left.

    Attributes:
      metrics: by name, ``float64[N]`` from all models.
    """

    metrics: Mapping[str, np.ndarray]


@collected_warnings()
def run_outliers(
    setup: Setup,
    path: Path,
    options: OutliersOptions | None = None,
    reporter: Reporter | None = None,
    invocation: Invocation | None = None,
) -> OutliersResult:
    """Trains what is missing, and relates all outlier metrics to the vulnerability of each example.

    Args:
      setup: the campaign.
      path: the run folder.
      options: defaults if None.
      reporter: listens; silent by default.
      invocation: how the study was called; from code if None.

    Raises:
      UserError: see ``run_campaign``; too few models trained well.
    """
    options, reporter = options or OutliersOptions(), reporter or Silent()
    called = invocation or Invocation()
    keep = tuple(dict.fromkeys((*kept(setup), *_KEEP)))
    setup = dataclasses.replace(setup, config=dataclasses.replace(setup.config, keep=keep))
    campaign = run_campaign(setup, path, reporter)
    pair = halves(campaign.valid, setup.config.split)
    vulnerability = Vulnerability(campaign, pair)
    with called.timed("record"):
        spaces = spaces_of(campaign, _chosen(pair, options.geometry_models))
        metrics, skipped = estimators(campaign, spaces)
        grouped = setup.dataset.groups is not None
        metrics = remembered(metrics) if grouped else metrics
    reporter.say(f"{len(metrics)} metrics of {setup.dataset.num_examples} examples")
    with called.timed("table"):
        outcomes = {"separation": vulnerability.separation, "named_share": vulnerability.named_share}
        table = OutlierTable(
            metrics, outcomes, vulnerability.fit, pair, number=options.resamples, groups=setup.dataset.groups
        )
        measured = table.measured()
        skipped |= table.skipped
        of_groups = _table_of_groups(campaign, metrics, vulnerability, pair, options.resamples) if grouped else None
    described = {each.name: each for each in metrics}
    with called.timed("blind"):
        checks = common.blind_checks(campaign)
    found = Outliers(
        head=head_of(campaign),
        checks=checks,
        vulnerability=Measure(
            primary="separation",
            other="named_share",
            attack=vulnerability.attack,
            fpr=common.EXPOSURE_FPR,
            top=TOP,
            num_examples=int(table.known.sum()),
        ),
        metrics={name: _of_metric(described[name], of, table) for name, of in measured.items()},
        ceiling=ranking(table.ceiling()),
        best={part: best(measured, part) for part in PARTS},
        metrics_not_run=skipped,
        memorisation=_memorisation(campaign),
        influence_pairs=_influence_pairs(campaign),
        outliers_by_fit=_outliers_by_fit(table, setup.dataset.groups),
        models_shown=int(spaces.models[0]),
        per_group=of_groups and outliers_of_groups(of_groups),
        notes=(
            *common.campaign_notes(campaign),
            *(not_done(name, "measured", why) for name, why in skipped.items()),
            *small_class_notes(setup.dataset.labels),
        ),
    )
    with called.timed("embed"):
        shown = _panels(campaign, spaces, vulnerability)

    def report(so_far: Outliers) -> None:
        ids = {"id": np.arange(setup.dataset.num_examples, dtype=np.int32)}
        columns = {f"metric_{name}": table.whole.metrics[name].astype(np.float32) for name in measured}
        common.join_examples(path / "per_example.parquet", ids | columns)
        if of_groups is not None:
            whole = of_groups.whole.metrics
            store_groups(campaign, {f"metric_{name}": whole[name].astype(np.float32) for name in of_groups.names})
        _write_report(campaign, options, so_far, table, shown, called.command)

    found = called.finished("outliers", path / "outliers", found, report, [campaign.timing])
    return OutliersResult(path / "outliers", found, campaign, {name: table.whole.metrics[name] for name in measured})


def _table_of_groups(
    campaign: Campaign,
    metrics: Sequence[Estimator],
    vulnerability: "Vulnerability",
    pair: tuple[Half, Half],
    number: int,
) -> OutlierTable | None:
    """The table of groups; None where too few of them are measured by every metric."""
    try:
        return group_table(campaign, metrics, vulnerability.scores, vulnerability.attack, pair, number)
    except UserError:
        return None


def _of_metric(metric: Estimator, measured: Mapping[str, Measured], table: OutlierTable) -> MetricFound:
    of, name = metric.metric, metric.name
    return MetricFound(
        family=of.family,
        space=name.removesuffix(f"_{of.name}") if of.family == "geometry" else None,
        meaning=of.meaning,
        source=of.source,
        models=metric.models,
        all=ranking(measured["all"]),
        easy=ranking(measured["easy"]),
        hard=ranking(measured["hard"]),
        named_share=ranking(measured["named_share"]),
        same_models=table.same_models(name),
    )


def small_class_notes(labels: Int[np.ndarray, " examples"]) -> list[str]:
    """What metrics do not say of examples whose class has one or two of them."""
    sizes = np.bincount(labels)[labels]
    notes: list[str] = []
    within = "LOF and isolation forest"
    for size, metrics, what in (
        (1, f"Distances from the own class, {within}", "the only one of its class"),
        (2, within, "one of two of its class"),
    ):  # fmt: skip
        if count := int((sizes == size).sum()):
            has, counts = ("has", "counts") if count == 1 else ("have", "count")
            notes.append(
                f"{metrics} are not defined for an example that is {what}: {count} {has} no value there and {counts} "
                f"in no figure (the first is {int(np.argmax(sizes == size))})."
            )
    return notes


class Vulnerability:
    """What LiRA makes of each example, by the models that count.

    Attributes:
      attack: the variant that names members; the same for halves and for all models.
    """

    def __init__(self, campaign: Campaign, pair: tuple[Half, Half]):
        self.campaign, self.member = campaign, campaign.member
        self.phi = np.asarray(campaign.signals).mean(-1)
        self.attack = online_variant(min(int(half.models.sum()) for half in pair))
        self._signals = Signals(campaign.signals, campaign.correct, campaign.setup.dataset.labels)

    def separation(self, valid: np.ndarray) -> np.ndarray:
        """How far apart scaled logits of models with and without the example lie: the Gaussian AUC, without ties."""
        return gaussian_vulnerability(self.phi, self.member, valid).auc

    def scores(self, valid: np.ndarray) -> np.ndarray:
        """LiRA's scores ``[M, N]`` of the models that count, which shadow one another."""
        return run_attacks((self.attack,), self._signals, self.member, valid)[self.attack][0]

    def named_share(self, valid: np.ndarray) -> np.ndarray:
        """Share of the models trained on the example in which LiRA names it, at one threshold for all examples."""
        return exposure_at_pooled_fpr(self.scores(valid), self.member, valid, common.EXPOSURE_FPR).tpr

    def fit(self, valid: np.ndarray) -> np.ndarray:
        """Mean scaled logit of the models trained on the example: higher is easier to fit."""
        return mean_over_trained(self.phi, self.member & valid[:, None])


def _chosen(pair: tuple[Half, Half], number: int) -> np.ndarray:
    return np.concatenate([np.flatnonzero(half.models)[:number] for half in pair])


def _memorisation(campaign: Campaign) -> Memorisation:
    found = memorisation(*map(jnp.asarray, (campaign.correct, campaign.member, campaign.valid)))
    memorised = np.asarray(found.memorised)
    return Memorisation(
        mean=float(np.nanmean(memorised)),
        share_above_quarter=float(np.nanmean(memorised > 0.25)),
        median_standard_error=float(np.nanmedian(found.standard_error)),
        mean_consistency=float(np.nanmean(found.unseen)),
    )


def _influence_pairs(campaign: Campaign) -> tuple[InfluencePair, ...]:
    """The strongest influences of one example on another."""
    member, valid = map(jnp.asarray, (campaign.member, campaign.valid))
    probability = expit(np.asarray(campaign.signals[:, :, 0]))
    strongest, on = map(np.asarray, strongest_influence(jnp.asarray(probability), member, valid))
    pairs: list[InfluencePair] = []
    for example in np.argsort(-np.nan_to_num(strongest, nan=-np.inf))[:_PAIRS]:
        sides = [
            probability[campaign.valid & side, on[example]].astype(np.float64)
            for side in (campaign.member[:, example], ~campaign.member[:, example])
        ]
        error = np.sqrt(sum(side.var(ddof=1) / len(side) for side in sides if len(side) > 1))
        pairs.append(InfluencePair(int(example), int(on[example]), float(strongest[example]), float(error)))
    return tuple(pairs)


def _outliers_by_fit(table: OutlierTable, groups: Groups = None) -> OutliersByFit:
    """How many outliers LiRA names, easy and hard ones apart: outliers and fit from one half, names from the other.

    Where rows come in groups, the intervals of shares resample groups.
    """
    first, second = table.sides
    name = next(each for each in ("feature_centroid_distance", "input_centroid_distance") if each in table.names)
    known = table.known
    metric, fit = first.metrics[name], first.fit
    vulnerable = second.outcomes["named_share"] >= _VULNERABLE_AT
    outlier = known & (metric >= np.quantile(metric[known], 1.0 - _OUTLIERS))
    easy = fit >= np.median(fit[known])

    return OutliersByFit(
        metric=name,
        share=_OUTLIERS,
        vulnerable_at=_VULNERABLE_AT,
        easy=share_named(vulnerable, outlier & easy, groups),
        hard=share_named(vulnerable, outlier & ~easy, groups),
        all=share_named(vulnerable, known, groups),
    )


def share_named(
    vulnerable: Bool[np.ndarray, " examples"], where: Bool[np.ndarray, " examples"], groups: Groups = None
) -> Share:
    """Which share of some examples is vulnerable, with its interval.

    Args:
      vulnerable: of every example.
      where: those that count.
      groups: examples that were drawn together, or None.
    """
    hits, number = int((vulnerable & where).sum()), int(where.sum())
    if not number:
        return Share(Estimate(None, reason="There is no such outlier."), 0)
    if groups is not None:
        return Share(mean_rate([share_correct(vulnerable[None], where[None], groups)]), number)
    low, high = clopper_pearson(hits, number)
    return Share(Figure(hits / number, (low, high)), number)


def _panels(campaign: Campaign, spaces: Spaces, vulnerability: Vulnerability) -> list[Panel]:
    """The training set of the first of the chosen models, class by class."""
    if not spaces.vectors:
        return []
    model, data = int(spaces.models[0]), campaign.setup.dataset
    scores = vulnerability.scores(campaign.valid)
    named = {
        fpr: scores[model] >= exposure_at_pooled_fpr(scores, campaign.member, campaign.valid, fpr).threshold
        for fpr in CIRCLED
    }
    order = [space for space in ("feature", "logit") if space in spaces.vectors]
    vectors = {space: spaces.vectors[space][0] for space in order}
    return panels(vectors, campaign.member[model], data.labels, data.num_classes, named)


def _write_report(
    campaign: Campaign,
    options: OutliersOptions,
    found: Outliers,
    table: OutlierTable,
    shown: list[Panel],
    command: str,
) -> None:
    from miajax.report.plots import save_png
    from miajax.studies.outliers.evidence import OutliersReportInputs
    from miajax.studies.outliers.page import metrics_figure, render_outliers_report

    data, folder = campaign.setup.dataset, campaign.folder.path / "outliers"
    may_show = data.shippable or options.show_records
    inputs = OutliersReportInputs(
        found=found,
        run=Run.of(campaign, command),
        panels=shown,
        metrics={name: table.whole.metrics[name] for name in table.names},
        separation=table.whole.outcomes["separation"],
        fit=table.whole.fit,
        pictures=common.pictures_of(data) if may_show else None,
        labels=data.labels,
        class_names=data.class_names,
        redacted=not may_show,
    )
    write_text(folder / "report.html", render_outliers_report(inputs))
    with atomic_file(folder / "metrics.png") as file:
        save_png(metrics_figure(found), file)
