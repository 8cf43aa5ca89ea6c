"""Where models look: on vulnerable examples against safe ones, and where they look because they saw the example.

Beside the run that it reads, the study writes ``<run>/saliency/results.json`` and ``report.html``. ``results.json``
holds the head of every study and

    groups{vulnerable, safe, nearest, farthest}   ids; the last two class by class
    centroid           {space, model}: in whose training set, and where, examples are near and far
    methods.<name>     {background{share, vulnerable, safe, difference, each with _ci}, deletion{...}}
    empty_share        of the data set's pixels, those that are 0 as stored; null for tables
    background_not_measured   {method: reason}
    completeness       of integrated gradients {tolerance, most_steps, share_within, median, largest}: the gap between
                       a map's sum and the logit's change, over the logit, of every model and compared example
    counterfactual.<name>   {spearman, spearman_ci, num_examples, vulnerable, safe, difference, each with _ci}, over
                       examples drawn at random; the first is the headline, chosen before anything is measured
    features           for tables: [{feature, vulnerable, safe}], mean share of integrated gradients

Vulnerability is that of the scaled logit among even models; maps are those of odd models, so that no luck is shared.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from miajax.campaign.config import Setup
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.run import run_campaign
from miajax.described import described
from miajax.errors import UserError
from miajax.metrics.vulnerability import gaussian_vulnerability
from miajax.runs.atomic import write_text
from miajax.saliency.counterfactual import Counterfactual, MapSums, counterfactual, map_sums, unit_length
from miajax.studies import common
from miajax.studies.campaign_page import Run
from miajax.studies.head import head_of
from miajax.studies.invocation import Invocation
from miajax.studies.results import FoundInCampaign
from miajax.studies.saliency.figures import (
    SaliencyEvidence,
    completeness,
    drawn_shifts,
    feature_shares,
    no_background,
    related,
    vulnerable_against_safe,
)
from miajax.studies.saliency.groups import by_vulnerability, distance_in_training_set, ends_by_class
from miajax.studies.saliency.maps import LEAST_STEPS, METHODS, Examples, Mapper, Relevance
from miajax.studies.saliency.results import Centroid, Saliency
from miajax.studies.saliency.said import lira_says
from miajax.typed import jit
from miajax.warned import collected_warnings

_ENDS = 2  # examples at either end of a class


@described
@dataclasses.dataclass(frozen=True)
class SaliencyOptions:
    """Which maps of which examples."""

    methods: tuple[str, ...] | None = None
    """gradient, gradient_times_input, smooth_grad, integrated_gradients, grad_cam; all that the network allows when not
    given"""
    compared: int = 100
    """examples in each of the two groups: most vulnerable, least vulnerable"""
    map_models: int = 16
    """models whose maps of those are taken"""
    spread: int = 1000
    """examples whose counterfactual maps are related to vulnerability"""
    shown: int = 8
    """examples of the galleries of vulnerable and of safe ones; those of near and far ones have two a class"""
    most_steps: int | None = None
    """points of integrated gradients at most, added until a map is complete to 1e-3 of its logit; 2592, and 96 for
    convolutional networks, when not given"""
    show_records: bool = False
    """show examples of a data set of one's own in the report, not only their numbers"""

    def __post_init__(self):
        for name in self.methods or ():
            if name not in METHODS:
                raise UserError(f"--methods {name} is unknown", expected="some of " + ", ".join(METHODS))
        for name in ("compared", "map_models", "spread", "shown"):
            if getattr(self, name) < 2:
                raise UserError(f"--{name} {getattr(self, name)}", expected="2 or more")
        if self.most_steps is not None and self.most_steps < LEAST_STEPS:
            raise UserError(f"--most_steps {self.most_steps}", expected=f"{LEAST_STEPS} or more")


@collected_warnings()
def run_saliency(
    setup: Setup,
    path: Path,
    options: SaliencyOptions | None = None,
    reporter: Reporter | None = None,
    invocation: Invocation | None = None,
) -> FoundInCampaign[Saliency]:
    """Trains what is missing and maps where its models look.

    Args:
      setup: the campaign.
      path: the run folder.
      options: defaults if None.
      reporter: listens; silent by default.
      invocation: how the study was called; from code if None.

    Raises:
      UserError: see ``run_campaign``; no parameters were kept, too few models, or a method that the network rules out.
    """
    options, reporter = options or SaliencyOptions(), reporter or Silent()
    called = invocation or Invocation()
    setup.require_network("a study of saliency maps")
    if setup.config.num_shadows < 8:
        raise UserError(f"--num_shadows {setup.config.num_shadows}", expected="8 or more models, half of them for maps")
    campaign = run_campaign(setup, path, reporter)
    mapper = Mapper(campaign, options.most_steps)
    for name in options.methods or ():
        if name not in mapper.methods:
            raise UserError(f"--methods {name} on {setup.trainer.model.name}", expected="a convolutional network")
    methods = options.methods or mapper.methods
    with called.timed("maps"):
        evidence = _evidence(mapper, methods, options, reporter)
    with called.timed("blind"):
        checks = common.blind_checks(campaign)
    found = Saliency(
        head=head_of(campaign),
        checks=checks,
        groups={name: tuple(int(i) for i in ids) for name, ids in evidence.groups.items()},
        centroid=evidence.centroid,
        map_models=min(options.map_models, int(campaign.valid[1::2].sum())),
        methods={name: vulnerable_against_safe(evidence, name) for name in methods},
        empty_share=mapper.empty_share,
        background_not_measured={name: why for name in methods if (why := no_background(mapper, name))},
        completeness=completeness(evidence),
        counterfactual={
            name: related(evidence, shifts, options.compared) for name, shifts in evidence.counterfactuals.items()
        },
        features=feature_shares(evidence),
        notes=tuple(common.campaign_notes(campaign)),
    )
    folder = path / "saliency"
    found = called.finished(
        "saliency", folder, found, lambda so_far: _write_report(evidence, options, so_far, called.command),
        [campaign.timing],
    )  # fmt: skip
    return FoundInCampaign(folder, found, campaign)


def _evidence(mapper: Mapper, methods: Sequence[str], options: SaliencyOptions, reporter: Reporter) -> SaliencyEvidence:
    campaign = mapper.campaign
    dataset, num_examples = campaign.setup.dataset, campaign.setup.dataset.num_examples
    phi = np.asarray(campaign.signals[::2, :, 0], np.float64)
    vulnerability = gaussian_vulnerability(phi, campaign.member[::2], campaign.valid[::2]).auc
    odd = [m for m in range(1, len(campaign.valid), 2) if campaign.valid[m]]
    chosen = odd[: options.map_models]
    space, vectors = mapper.space(chosen[0])
    of_classes = dataset.labels, dataset.num_classes
    distance = distance_in_training_set(vectors, campaign.member[chosen[0]], *of_classes)
    vulnerable, safe = by_vulnerability(vulnerability, options.compared)
    nearest, farthest = ends_by_class(distance, *of_classes, _ENDS)
    groups = {"vulnerable": vulnerable, "safe": safe, "nearest": nearest, "farthest": farthest}
    gallery_ids = np.unique(np.concatenate(list(_galleries(groups, options).values())))
    compared = Examples.of(campaign, np.concatenate([vulnerable, safe]))
    relevance: dict[str, Relevance] = {}
    for method in methods:
        reporter.say(f"{method}: {len(chosen)} models x {len(compared.ids)} examples")
        relevance[method] = mapper.relevance(method, chosen, compared)
    rng = np.random.default_rng([0x5A11, campaign.setup.config.seed])
    drawn = rng.permutation(num_examples)[: options.spread]
    spread = Examples.of(campaign, np.concatenate([drawn, np.setdiff1d(gallery_ids, drawn)]))
    counterfactuals: dict[str, Counterfactual] = {}
    for method in [name for name in ("gradient", "grad_cam") if name in methods] or list(methods[:1]):
        reporter.say(f"counterfactual {method}: {len(odd)} models x {len(spread.ids)} examples")
        counterfactuals[method] = _counterfactual(mapper, method, odd, spread)
    pictured = Examples.of(campaign, gallery_ids)
    gallery = {
        method: np.mean([maps for _, part in mapper.maps(method, chosen, pictured) for maps in part], axis=0)
        for method in methods
    }
    shown = np.concatenate([vulnerable[: options.shown], safe[: options.shown]])
    return SaliencyEvidence(
        mapper, vulnerability, Centroid(space, chosen[0]), distance, groups, compared, relevance, spread, len(drawn),
        counterfactuals, gallery, gallery_ids, lira_says(campaign, odd, shown),
    )  # fmt: skip


def _galleries(groups: Mapping[str, np.ndarray], options: SaliencyOptions) -> dict[str, np.ndarray]:
    """The examples that the report shows: of vulnerable and safe ones the first few."""
    return {name: ids[: options.shown] if name in ("vulnerable", "safe") else ids for name, ids in groups.items()}


def _counterfactual(mapper: Mapper, method: str, models: Sequence[int], examples: Examples) -> Counterfactual:
    member, total = mapper.campaign.member, None

    @jit
    def add(maps: np.ndarray, member: np.ndarray) -> MapSums:
        return map_sums(unit_length(maps), member, jnp.ones(len(maps), bool))

    for ids, maps in mapper.maps(method, models, examples):
        sums = jax.tree.map(np.asarray, add(maps, member[np.ix_(ids, examples.ids)]))
        total = sums if total is None else MapSums(*(a + b for a, b in zip(total, sums, strict=True)))
    assert total is not None
    return jax.tree.map(np.asarray, counterfactual(MapSums(*map(jnp.asarray, total))))


def _write_report(evidence: SaliencyEvidence, options: SaliencyOptions, found: Saliency, command: str):
    from miajax.studies.saliency.examples import SaliencyReportInputs
    from miajax.studies.saliency.page import render_saliency_report

    campaign = evidence.campaign
    dataset = campaign.setup.dataset
    may_show = dataset.shippable or options.show_records
    pictures = None
    if dataset.image_shape is not None and may_show:
        pictures = dataset.features.reshape(-1, *dataset.image_shape)
    places = {int(i): k for k, i in enumerate(evidence.gallery_ids)}
    inputs = SaliencyReportInputs(
        found=found,
        run=Run.of(campaign, command),
        groups=_galleries(evidence.groups, options),
        pictures=pictures,
        labels=dataset.labels,
        class_names=dataset.class_names,
        vulnerability=evidence.vulnerability,
        distance=evidence.distance,
        maps={m: {i: a[k] for i, k in places.items()} for m, a in evidence.gallery.items()},
        counterfactuals={
            m: {
                int(i): (np.asarray(c.seen[k]), np.asarray(c.unseen[k]), np.asarray(c.difference[k]))
                for k, i in enumerate(evidence.spread.ids) if int(i) in places
            }
            for m, c in evidence.counterfactuals.items()
        },
        shifts={m: drawn_shifts(evidence, c) for m, c in evidence.counterfactuals.items()},
        said=evidence.said,
    )  # fmt: skip
    write_text(campaign.folder.path / "saliency" / "report.html", render_saliency_report(inputs))
