"""What a saliency study says in numbers, from the maps that it took."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from miajax.campaign.gathered import Campaign
from miajax.metrics.association import Ranked, association, correlation_figure, crossed, resamples
from miajax.metrics.clusters import Groups, renumbered
from miajax.metrics.figures import Estimate, Figure
from miajax.metrics.intervals import critical_value
from miajax.saliency.counterfactual import Counterfactual
from miajax.studies.saliency.maps import (
    FRACTIONS,
    FROM_NOTHING,
    LEAST_EMPTY,
    TOLERANCE,
    Examples,
    Mapper,
    Relevance,
    deletion_share,
)
from miajax.studies.saliency.results import (
    Background,
    Centroid,
    Compared,
    Completeness,
    Curves,
    Deletion,
    FeatureShare,
    MapFound,
    PixelShares,
    Related,
)
from miajax.studies.saliency.said import Said

_RESAMPLES = 400
_FEWEST = 10  # examples behind a rank correlation: with fewer, resamples are too often all alike
_BARS = 15
_TOO_FEW = "Too few examples."


@dataclasses.dataclass(frozen=True, eq=False)
class SaliencyEvidence:
    """What figures and report rest on.

    Attributes:
      mapper: of the models.
      vulnerability: ``float64[N]``, of the scaled logit among even models.
      centroid: where ``distance`` is measured.
      distance: ``float64[N]``, from the own class's centroid in that model's training set; NaN outside it.
      groups: ids by group.
      compared: vulnerable, then safe examples.
      relevance: by method, of ``compared``.
      spread: examples of the counterfactual maps: ``drawn`` ones at random, then the others of the galleries.
      drawn: how many of ``spread`` figures rest on.
      counterfactuals: by method.
      gallery: maps of the examples of all galleries, mean over models, by method.
      gallery_ids: whose they are.
      said: of the galleries' vulnerable and safe examples, what LiRA says by odd models.
    """

    mapper: Mapper
    vulnerability: Float[np.ndarray, " examples"]
    centroid: Centroid
    distance: Float[np.ndarray, " examples"]
    groups: Mapping[str, Int[np.ndarray, " group"]]
    compared: Examples
    relevance: Mapping[str, Relevance]
    spread: Examples
    drawn: int
    counterfactuals: Mapping[str, Counterfactual]
    gallery: Mapping[str, np.ndarray]
    gallery_ids: np.ndarray
    said: Mapping[int, Said]

    @property
    def campaign(self) -> Campaign:
        return self.mapper.campaign


def _over_members(evidence: SaliencyEvidence, values: np.ndarray) -> np.ndarray:
    """Means ``[n]`` of ``[M, n]`` over those map models that trained on each example; over all where none did."""
    campaign = evidence.campaign
    odd = np.array([m for m in range(1, len(campaign.valid), 2) if campaign.valid[m]][: len(values)])
    member = campaign.member[np.ix_(odd, evidence.compared.ids)]
    member = np.where(member.any(0), member, True) & ~np.isnan(values)
    counts = member.sum(0)
    return np.where(counts > 0, np.where(member, values, 0.0).sum(0) / np.maximum(counts, 1), np.nan)


def no_background(mapper: Mapper, method: str) -> str | None:
    """Why a method's share of the background says nothing here, as a sentence's end; None if it does."""
    if mapper.empty_share is None:
        return "a table has no background"
    if mapper.empty_share < LEAST_EMPTY:
        return (
            f"only {mapper.empty_share:.1%} of the data set's pixels are 0 as stored, and below {LEAST_EMPTY:.0%} they "
            "are dark rather than empty"
        )
    return "the map is 0 on empty pixels by its definition" if method in FROM_NOTHING else None


def vulnerable_against_safe(evidence: SaliencyEvidence, method: str) -> MapFound:
    """Vulnerable against safe: mass on the background beyond the background's share, and deletion curves."""
    found, half = evidence.relevance[method], len(evidence.compared.ids) // 2
    background, groups = None, _groups_of(evidence, evidence.compared.ids)
    if no_background(evidence.mapper, method) is None:
        assert found.background is not None and found.background_mass is not None
        mass, share = _over_members(evidence, found.background_mass), found.background.mean(1)
        background = Background(
            **vars(two_groups(mass[:half], mass[half:], groups)),
            excess=two_groups((mass - share)[:half], (mass - share)[half:], groups),
            share=PixelShares(float(share[:half].mean()), float(share[half:].mean())),
        )
    left = _over_members(evidence, deletion_share(found.deletion))
    curves = np.stack([_over_members(evidence, found.deletion[..., k]) for k in range(len(FRACTIONS))], -1)
    deletion = Deletion(
        **vars(two_groups(left[:half], left[half:], groups)),
        fractions=tuple(FRACTIONS.tolist()),
        curves=_with_bands(curves, half, groups),
    )
    return MapFound(background, deletion)


def _with_bands(curves: Float[np.ndarray, "examples fractions"], half: int, groups: Groups) -> Curves:
    """Means over vulnerable and over safe examples, the first ``half`` and the others, with their intervals.

    A mean of probabilities lies between 0 and 1, and so do the ends of its interval.
    """
    at = [two_groups(column[:half], column[half:], groups) for column in curves.T]
    vulnerable, safe = (tuple(np.nanmean(of, 0).tolist()) for of in (curves[:half], curves[half:]))
    bands = (
        tuple(_within_one(mean.interval) for mean in side)
        for side in zip(*((of.vulnerable, of.safe) for of in at), strict=True)
    )
    return Curves(vulnerable, safe, *bands)


def _within_one(interval: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if interval is None else (max(interval[0], 0.0), min(interval[1], 1.0))


def completeness(evidence: SaliencyEvidence) -> Completeness | None:
    """How far integrated gradients of the compared examples are from adding up; None where none were taken."""
    found = evidence.relevance.get("integrated_gradients")
    if found is None or found.gap is None:
        return None
    known = found.gap[np.isfinite(found.gap)]  # a logit of exactly 0 has no share
    if not known.size:
        return None
    return Completeness(
        tolerance=TOLERANCE,
        most_steps=evidence.mapper.most_steps,
        share_within=float((known <= TOLERANCE).mean()),
        median=float(np.median(known)),
        largest=float(known.max()),
    )


def _groups_of(evidence: SaliencyEvidence, ids: np.ndarray) -> Groups:
    groups = evidence.campaign.setup.dataset.groups
    return None if groups is None else groups[ids]


def two_groups(vulnerable: np.ndarray, safe: np.ndarray, groups: Groups = None) -> Compared:
    """Means over examples and their difference, with 95 % intervals that let examples vary (Welch), or groups of them.

    Args:
      vulnerable, safe: one number an example; NaN is left out.
      groups: of the vulnerable, then of the safe examples, whose rows are one draw, also across the two sides; or None.
    """
    values = np.concatenate([vulnerable, safe])
    inside = np.arange(len(values)) < len(vulnerable)
    draws = np.arange(len(values)) if groups is None else groups
    by_row = _welch(values, inside, draws)
    if groups is None:
        return by_row
    keys = np.stack([draws, ~inside])[:, np.isfinite(values)]
    (whose, other), place = np.unique(keys, axis=1, return_inverse=True)
    place = place.reshape(-1)
    means = np.bincount(place, values[np.isfinite(values)], len(whose)) / np.bincount(place, minlength=len(whose))
    return dataclasses.replace(by_row, per_group=_welch(means, other == 0, whose))


def _welch(values: np.ndarray, inside: np.ndarray, draws: np.ndarray) -> Compared:
    """Means of both sides and their difference, with Welch's intervals over independent draws of one or more values."""
    sides = [np.isfinite(values) & side for side in (inside, ~inside)]
    codes = np.unique(draws, return_inverse=True)[1].reshape(-1)
    means: list[float] = []
    moves: list[np.ndarray] = []
    counts: list[int] = []
    for side in sides:
        count, number = int(side.sum()), len(np.unique(codes[side]))
        mean = float(values[side].mean()) if count else np.nan
        move: np.ndarray = np.bincount(codes[side], values[side] - mean, int(codes.max(initial=-1)) + 1) / max(count, 1)
        means, counts = [*means, mean], [*counts, number]
        moves.append(move * (number / (number - 1)) ** 0.5 if number > 1 else np.full(len(move), np.nan))
    errors = [float(move @ move) for move in moves]
    reaches = [
        critical_value(number - 1) * error**0.5 if number > 1 else np.nan
        for number, error in zip(counts, errors, strict=True)
    ]
    apart = moves[0] - moves[1]  # a draw with values on both sides moves both means
    parts = sum(error**2 / max(number - 1, 1) for error, number in zip(errors, counts, strict=True))
    total = float(apart @ apart)
    reach = critical_value(sum(errors) ** 2 / parts) * total**0.5 if parts > 0 else (0.0 if total == 0 else np.nan)
    return Compared(
        vulnerable=_around(means[0], reaches[0]),
        safe=_around(means[1], reaches[1]),
        difference=_around(means[0] - means[1], reach),
    )


def _around(mean: float, reach: float) -> Estimate:
    """A mean with its interval, as far as they are known."""
    if not np.isfinite(mean):
        return Estimate(None, reason=_TOO_FEW)
    return Figure(mean, (float(mean - reach), float(mean + reach))) if np.isfinite(reach) else Estimate(mean)


def related(evidence: SaliencyEvidence, found: Counterfactual, count: int) -> Related:
    """Of examples drawn at random: rank correlation of shift and vulnerability, and the shift at vulnerability's ends.

    The galleries' examples are not among them unless drawn: chosen for their vulnerability, they would bias it.
    """
    vulnerability, shift = drawn_shifts(evidence, found)
    groups = _groups_of(evidence, evidence.spread.ids[: evidence.drawn])
    by_row = relation(shift, vulnerability, count, groups)
    if groups is None:
        return by_row
    known = np.isfinite(shift) & np.isfinite(vulnerability)
    whose = renumbered(groups, known)
    assert whose is not None, "rows have groups"
    rows = np.maximum(np.bincount(whose), 1)
    one, other = (np.bincount(whose, values[known]) / rows for values in (shift, vulnerability))
    return dataclasses.replace(by_row, per_group=relation(one, other, count))


def relation(shift: np.ndarray, vulnerability: np.ndarray, count: int, groups: Groups = None) -> Related:
    """Rank correlation of two numbers an example, and the one where the other is largest and smallest.

    Args:
      shift, vulnerability: NaN is left out.
      count: examples at either end, at most half of them.
      groups: examples that were drawn together, or None.
    """
    known = np.isfinite(shift) & np.isfinite(vulnerability)
    shift, vulnerability, groups = shift[known], vulnerability[known], renumbered(groups, known)
    count = min(count, len(shift) // 2)
    if len(shift) < _FEWEST:
        few = Estimate(None, reason="Too few models on a side.")
        return _related(two_groups(shift[:0], shift[:0]), few, len(shift))
    order = np.argsort(vulnerability, kind="stable")
    ends = order[::-1][:count], order[:count]
    compared = two_groups(shift[ends[0]], shift[ends[1]], None if groups is None else groups[np.concatenate(ends)])
    return _related(compared, rank_correlation(shift, vulnerability, groups), len(shift))


def _related(of: Compared, spearman: Estimate, num_examples: int) -> Related:
    return Related(
        vulnerable=of.vulnerable, safe=of.safe, difference=of.difference, spearman=spearman, num_examples=num_examples
    )  # fmt: skip


def rank_correlation(
    one: Float[np.ndarray, " examples"], other: Float[np.ndarray, " examples"], groups: Groups = None
) -> Estimate:
    """Spearman's correlation of two numbers of each example, with an interval that resamples examples, or groups."""
    weights = np.vstack([np.ones((1, len(one)), np.float32), resamples(len(one), _RESAMPLES, 0, groups)])
    spearman = association(Ranked(one, weights, 0.01), Ranked(other, weights, 0.01)).spearman
    return correlation_figure(float(spearman[0]), crossed(spearman[1:], spearman[:1]))


def drawn_shifts(evidence: SaliencyEvidence, found: Counterfactual) -> tuple[np.ndarray, np.ndarray]:
    """``(vulnerability, shift)`` of the examples drawn at random."""
    ids = evidence.spread.ids[: evidence.drawn]
    return evidence.vulnerability[ids], np.asarray(found.shift, np.float64)[: evidence.drawn]


def feature_shares(evidence: SaliencyEvidence) -> tuple[FeatureShare, ...] | None:
    """For tables: the features with the largest share of the maps' magnitude, vulnerable against safe."""
    if evidence.mapper.images:
        return None
    name = "integrated_gradients" if "integrated_gradients" in evidence.relevance else next(iter(evidence.relevance))
    magnitude = np.abs(evidence.relevance[name].maps).mean(0).reshape(len(evidence.compared.ids), -1)
    share = magnitude / np.maximum(magnitude.sum(1, keepdims=True), 1e-12)
    half, groups = len(share) // 2, _groups_of(evidence, evidence.compared.ids)
    order = np.argsort(-share.mean(0), kind="stable")[:_BARS]
    compared = {int(k): two_groups(share[:half, k], share[half:, k], groups) for k in order}
    return tuple(FeatureShare(**vars(of), feature=k) for k, of in compared.items())
