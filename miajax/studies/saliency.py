"""Where models look: on vulnerable examples against safe ones, and where they look because they saw the example.

Beside the run that it reads, the study writes ``<run>/saliency/results.json`` and ``report.html``. ``results.json``
holds the head of every study and

    groups{vulnerable, safe, nearest, farthest}   ids
    methods.<name>     {background{share, vulnerable, safe, difference, each with _ci}, deletion{...}}
    counterfactual.<name>   {spearman, spearman_ci, num_examples, vulnerable, safe, difference, each with _ci}
    features           for tables: [{feature, vulnerable, safe}], mean share of integrated gradients

Vulnerability is that of the scaled logit among even models; maps are those of odd models, so that no luck is shared.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from miajax.errors import UserError
from miajax.metrics.association import Ranked, association, correlation_figure, crossed, resamples
from miajax.metrics.intervals import critical_value
from miajax.metrics.vulnerability import gaussian_vulnerability
from miajax.outliers.geometry import centroid_distance
from miajax.runs.atomic import write_text
from miajax.saliency.counterfactual import Counterfactual, MapSums, counterfactual, map_sums, unit_length
from miajax.studies import common
from miajax.studies.campaign import Campaign, run_campaign
from miajax.studies.config import Setup
from miajax.studies.invocation import Invocation
from miajax.studies.progress import Reporter, Silent
from miajax.studies.results import CampaignResult
from miajax.studies.saliency_maps import FRACTIONS, METHODS, Examples, Mapper, Relevance, deletion_share

_RESAMPLES = 400
_BARS = 15
_NOTHING = 1e-6


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
    """examples of each gallery"""
    show_records: bool = False
    """show examples of a data set of one's own in the report, not only their numbers"""

    def __post_init__(self):
        for name in self.methods or ():
            if name not in METHODS:
                raise UserError(f"--methods {name} is unknown", expected="some of " + ", ".join(METHODS))
        for name in ("compared", "map_models", "spread", "shown"):
            if getattr(self, name) < 2:
                raise UserError(f"--{name} {getattr(self, name)}", expected="2 or more")


@dataclasses.dataclass(frozen=True, eq=False)
class SaliencyEvidence:
    """What the report draws.

    Attributes:
      campaign: the models.
      vulnerability: ``float64[N]``, of the scaled logit among even models.
      distance: ``float64[N]``, from the own class's centroid.
      groups: ids by group.
      compared: vulnerable, then safe examples.
      relevance: by method, of ``compared``.
      spread: examples of the counterfactual maps.
      counterfactuals: by method.
      gallery: maps of the examples of all galleries, mean over models, by method.
      gallery_ids: whose they are.
    """

    campaign: Campaign
    vulnerability: Float[np.ndarray, " examples"]
    distance: Float[np.ndarray, " examples"]
    groups: Mapping[str, np.ndarray]
    compared: Examples
    relevance: Mapping[str, Relevance]
    spread: Examples
    counterfactuals: Mapping[str, Counterfactual]
    gallery: Mapping[str, np.ndarray]
    gallery_ids: np.ndarray


def run_saliency(
    setup: Setup,
    path: Path,
    options: SaliencyOptions | None = None,
    reporter: Reporter | None = None,
    invocation: Invocation | None = None,
) -> CampaignResult:
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
    if setup.config.num_shadows < 8:
        raise UserError(f"--num_shadows {setup.config.num_shadows}", expected="8 or more models, half of them for maps")
    campaign = run_campaign(setup, path, reporter)
    mapper = Mapper(campaign)
    for name in options.methods or ():
        if name not in mapper.methods:
            raise UserError(f"--methods {name} on {setup.trainer.model.name}", expected="a convolutional network")
    methods = options.methods or mapper.methods
    with called.timed("maps"):
        evidence = _evidence(mapper, methods, options, reporter)
    results: dict[str, Any] = {
        **common.results_head(campaign),
        "groups": {name: [int(i) for i in ids] for name, ids in evidence.groups.items()},
        "map_models": min(options.map_models, int(campaign.valid[1::2].sum())),
        "methods": {name: _compared(campaign, evidence, found) for name, found in evidence.relevance.items()},
        "counterfactual": {
            name: _related(evidence, found, options.compared) for name, found in evidence.counterfactuals.items()
        },
        "features": _features(campaign, evidence),
        "notes": common.campaign_notes(campaign),
    }
    with called.reporting(path / "saliency", results, [campaign.timing]):
        _write_report(evidence, options, results, called.command)
    return CampaignResult(path / "saliency", results, campaign)


def _evidence(mapper: Mapper, methods: Sequence[str], options: SaliencyOptions, reporter: Reporter) -> SaliencyEvidence:
    campaign = mapper.campaign
    dataset, num_examples = campaign.setup.dataset, campaign.setup.dataset.num_examples
    phi = np.asarray(campaign.signals[::2, :, 0], np.float64)
    vulnerability = gaussian_vulnerability(phi, campaign.member[::2], campaign.valid[::2]).auc
    vectors = dataset.features.reshape(num_examples, -1).astype(np.float32)
    of_class = centroid_distance(jnp.asarray(vectors), jnp.asarray(dataset.labels), dataset.num_classes)
    distance = np.asarray(of_class, np.float64)
    order = np.argsort(np.where(np.isnan(vulnerability), 0.5, vulnerability), kind="stable")
    count = min(options.compared, num_examples // 2)
    by_distance = np.argsort(distance, kind="stable")
    groups = {
        "vulnerable": order[::-1][:count],
        "safe": order[:count],
        "nearest": by_distance[: options.shown],
        "farthest": by_distance[::-1][: options.shown],
    }
    odd = [m for m in range(1, len(campaign.valid), 2) if campaign.valid[m]]
    chosen = odd[: options.map_models]
    compared = Examples.of(campaign, np.concatenate([groups["vulnerable"], groups["safe"]]))
    relevance = {}
    for method in methods:
        reporter.say(f"{method}: {len(chosen)} models x {len(compared.ids)} examples")
        relevance[method] = mapper.relevance(method, chosen, compared)
    rng = np.random.default_rng([0x5A11, campaign.setup.config.seed])
    drawn = rng.permutation(num_examples)[: options.spread]
    spread = Examples.of(campaign, np.unique(np.concatenate([drawn, *(g[: options.shown] for g in groups.values())])))
    counterfactuals = {}
    for method in [name for name in ("gradient", "grad_cam") if name in methods] or list(methods[:1]):
        reporter.say(f"counterfactual {method}: {len(odd)} models x {len(spread.ids)} examples")
        counterfactuals[method] = _counterfactual(mapper, method, odd, spread)
    gallery_ids = np.concatenate([ids[: options.shown] for ids in groups.values()])
    shown = Examples.of(campaign, gallery_ids)
    gallery = {
        method: np.mean([maps for _, part in mapper.maps(method, chosen, shown) for maps in part], axis=0)
        for method in methods
    }
    return SaliencyEvidence(
        campaign, vulnerability, distance, groups, compared, relevance, spread, counterfactuals, gallery, gallery_ids
    )


def _counterfactual(mapper: Mapper, method: str, models: Sequence[int], examples: Examples) -> Counterfactual:
    member, total = mapper.campaign.member, None
    add = jax.jit(lambda maps, member: map_sums(unit_length(maps), member, jnp.ones(len(maps), bool)))
    for ids, maps in mapper.maps(method, models, examples):
        sums = jax.tree.map(np.asarray, add(maps, member[np.ix_(ids, examples.ids)]))
        total = sums if total is None else MapSums(*(a + b for a, b in zip(total, sums, strict=True)))
    assert total is not None
    return jax.tree.map(np.asarray, counterfactual(MapSums(*map(jnp.asarray, total))))


def _over_members(campaign: Campaign, evidence: SaliencyEvidence, values: np.ndarray) -> np.ndarray:
    """Means ``[n]`` of ``[M, n]`` over those map models that trained on each example; over all where none did."""
    odd = np.array([m for m in range(1, len(campaign.valid), 2) if campaign.valid[m]][: len(values)])
    member = campaign.member[np.ix_(odd, evidence.compared.ids)]
    member = np.where(member.any(0), member, True) & ~np.isnan(values)
    counts = member.sum(0)
    return np.where(counts > 0, np.where(member, values, 0.0).sum(0) / np.maximum(counts, 1), np.nan)


def _compared(campaign: Campaign, evidence: SaliencyEvidence, found: Relevance) -> dict[str, Any]:
    """Vulnerable against safe: mass on the background beyond the background's share, and deletion curves."""
    half, background = len(evidence.compared.ids) // 2, evidence.compared.background
    entry: dict[str, Any] = {"background": None}
    if found.background_mass is not None and background is not None:
        mass = _over_members(campaign, evidence, found.background_mass)
        share = background.mean(1)
        blind = float(np.nanmax(mass, initial=0.0)) < _NOTHING  # maps that multiply by the way from black
        entry["background"] = None if blind else {
            **_two_groups(mass[:half], mass[half:]),
            "excess": _two_groups((mass - share)[:half], (mass - share)[half:]),
            "share": {"vulnerable": float(share[:half].mean()), "safe": float(share[half:].mean())},
        }
    left = _over_members(campaign, evidence, deletion_share(found.deletion))
    curves = np.stack([_over_members(campaign, evidence, found.deletion[..., k]) for k in range(len(FRACTIONS))], -1)
    entry["deletion"] = {
        **_two_groups(left[:half], left[half:]),
        "fractions": FRACTIONS.tolist(),
        "curves": {
            "vulnerable": np.nanmean(curves[:half], 0).tolist(), "safe": np.nanmean(curves[half:], 0).tolist()
        },
    }
    return entry


def _two_groups(vulnerable: np.ndarray, safe: np.ndarray) -> dict[str, Any]:
    """Means over examples and their difference, with 95 % intervals that let examples vary (Welch)."""
    sides, out = [side[np.isfinite(side)] for side in (vulnerable, safe)], {}
    errors = [side.var(ddof=1) / len(side) if len(side) > 1 else np.nan for side in sides]
    for name, side, error in zip(("vulnerable", "safe"), sides, errors, strict=True):
        reach = critical_value(len(side) - 1) * error**0.5 if len(side) > 1 else np.nan
        mean = float(side.mean()) if len(side) else np.nan
        out[name], out[f"{name}_ci"] = _known(mean), [_known(mean - reach), _known(mean + reach)]
    difference = float(sides[0].mean() - sides[1].mean()) if all(map(len, sides)) else np.nan
    total = errors[0] + errors[1]
    parts = sum(e**2 / max(len(s) - 1, 1) for e, s in zip(errors, sides, strict=True))
    reach = critical_value(total**2 / parts) * total**0.5 if parts > 0 else (0.0 if total == 0 else np.nan)
    out["difference"] = _known(difference)
    out["difference_ci"] = [_known(difference - reach), _known(difference + reach)]
    return out


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _related(evidence: SaliencyEvidence, found: Counterfactual, count: int) -> dict[str, Any]:
    """Rank correlation of the maps' shift with vulnerability, and the shift of the most and the least vulnerable."""
    shift, vulnerability = np.asarray(found.shift, np.float64), evidence.vulnerability[evidence.spread.ids]
    known = np.isfinite(shift) & np.isfinite(vulnerability)
    shift, vulnerability = shift[known], vulnerability[known]
    count = min(count, len(shift) // 2)
    if len(shift) < 4:
        return {"spearman": None, "spearman_ci": None, "num_examples": len(shift), **_two_groups(shift[:0], shift[:0])}
    weights = np.vstack([np.ones((1, len(shift)), np.float32), resamples(len(shift), _RESAMPLES, 0)])
    spearman = association(Ranked(shift, weights, 0.01), Ranked(vulnerability, weights, 0.01)).spearman
    figure = correlation_figure(float(spearman[0]), crossed(spearman[1:], spearman[:1]))
    order = np.argsort(vulnerability, kind="stable")
    return {
        "spearman": figure.value,
        "spearman_ci": figure.ci,
        "num_examples": len(shift),
        **_two_groups(shift[order[::-1][:count]], shift[order[:count]]),
    }


def _features(campaign: Campaign, evidence: SaliencyEvidence) -> list[dict[str, Any]] | None:
    """For tables: the features with the largest share of the maps' magnitude, vulnerable against safe."""
    if campaign.setup.dataset.image_shape is not None:
        return None
    name = "integrated_gradients" if "integrated_gradients" in evidence.relevance else next(iter(evidence.relevance))
    magnitude = np.abs(evidence.relevance[name].maps).mean(0).reshape(len(evidence.compared.ids), -1)
    share = magnitude / np.maximum(magnitude.sum(1, keepdims=True), 1e-12)
    half = len(share) // 2
    order = np.argsort(-share.mean(0), kind="stable")[:_BARS]
    return [
        {"feature": int(k), **_two_groups(share[:half, k], share[half:, k])} for k in order
    ]


def _write_report(evidence: SaliencyEvidence, options: SaliencyOptions, results: Mapping[str, Any], command: str):
    from miajax.report.saliency_report import SaliencyReportInputs, render_saliency_report

    campaign = evidence.campaign
    dataset = campaign.setup.dataset
    may_show = dataset.shippable or options.show_records
    pictures = None
    if dataset.image_shape is not None and may_show:
        pictures = dataset.features.reshape(-1, *dataset.image_shape)
    places = {int(i): k for k, i in enumerate(evidence.gallery_ids)}
    inputs = SaliencyReportInputs(
        results=results,
        config=dataclasses.asdict(campaign.setup.config),
        manifest=campaign.folder.manifest,
        command=command,
        groups={name: ids[: options.shown] for name, ids in evidence.groups.items()},
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
        shifts={
            m: (evidence.vulnerability[evidence.spread.ids], np.asarray(c.shift))
            for m, c in evidence.counterfactuals.items()
        },
    )  # fmt: skip
    write_text(campaign.folder.path / "saliency" / "report.html", render_saliency_report(inputs))
