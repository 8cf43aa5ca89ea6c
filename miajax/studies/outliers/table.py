"""Each outlier metric against what LiRA finds, without the circularity of measuring both on the same models.

The valid models are cut into two halves. A metric from one half is compared with the vulnerability that the other half
measures, both ways round, and the two figures are averaged: noise that a metric shares with the vulnerability of its
own models helps nobody. Intervals let examples vary (bootstrap) and models (delete-a-group jackknife over both halves).
"""

import concurrent.futures
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from miajax.errors import UserError
from miajax.metrics.association import (
    Association,
    Ranked,
    association,
    correlation_figure,
    crossed,
    difference_figure,
    resamples,
    share_figure,
)
from miajax.metrics.clusters import Groups
from miajax.metrics.figures import Estimate, Figure
from miajax.studies.outlier_metrics import Estimator
from miajax.studies.outliers.figures import Best, Name, Part, Ranking, SameModels

TOP = 0.01  # share of the examples that count as the most vulnerable
GROUPS = 8  # of models in each half, for the jackknife
FEWEST = 16  # models: two of each side in each half
FIGURES: dict[str, Name] = {"spearman": "spearman", "precision": "precision_at_1pct", "auc": "auc_top_1pct"}
SUBSETS = ("all", "easy", "hard")

Mask = Bool[np.ndarray, " models"]


class Half(NamedTuple):
    """Half of the models: ``bool[M]``, and the groups that the jackknife leaves out one by one."""

    models: Mask
    groups: list[Mask]


def halves(valid: Mask, split: str) -> tuple[Half, Half]:
    """Two halves of the valid models by turns, complementary pairs kept together.

    Raises:
      UserError: too few models.
    """
    ids = np.flatnonzero(valid)
    if len(ids) < FEWEST:
        raise UserError(
            f"{len(ids)} models trained well",
            expected=f"{FEWEST} or more: metrics and vulnerability rest on a half each",
        )
    unit = 2 if split == "balanced" else 1
    turn = (ids // 2 if split == "balanced" else np.arange(len(ids))) % 2

    def mask(chosen: np.ndarray) -> Mask:
        return np.isin(np.arange(len(valid)), chosen)

    def half(chosen: np.ndarray) -> Half:
        # By turns as well: the first models, whose geometry is looked at, must not all be left out at once.
        parts = min(GROUPS, len(chosen) // 4)
        group = np.arange(len(chosen)) // unit % parts
        return Half(mask(chosen), [mask(chosen[group == place]) for place in range(parts)])

    return half(ids[turn == 0]), half(ids[turn == 1])


class Said(NamedTuple):
    """What some models say of the examples, ``[N]`` each.

    Attributes:
      metrics: by estimator.
      outcomes: vulnerability, by how it is measured.
      fit: how well models fit the examples that they trained on, higher = easier.
    """

    metrics: dict[str, Float[np.ndarray, " examples"]]
    outcomes: dict[str, Float[np.ndarray, " examples"]]
    fit: Float[np.ndarray, " examples"]


@dataclasses.dataclass(frozen=True)
class Measured:
    """One metric's figures: first the estimate, then resamples of examples; and without each group of models.

    Attributes:
      of_resamples: by figure, ``[1 + R]``.
      without: by figure, ``[groups]``.
      num_examples: examples behind it.
    """

    of_resamples: Mapping[str, np.ndarray]
    without: Mapping[str, np.ndarray]
    num_examples: int

    def figure(self, name: str) -> Estimate:
        """A figure with its interval, where both sides vary."""
        value = float(self.of_resamples[name][0])
        if not np.isfinite([value, *self.of_resamples[name], *self.without[name]]).all():
            return Estimate(None, reason="Not measured: one side does not vary in every resample.")
        spread = crossed(self.of_resamples[name][1:], self.without[name])
        if name == "spearman":
            return correlation_figure(value, spread)
        return share_figure(value, spread, max(1, round(TOP * self.num_examples)))

    def minus(self, other: "Measured", name: str) -> Figure:
        """The difference from another metric's figure on the same resamples and models."""
        mine, theirs = self.of_resamples[name], other.of_resamples[name]
        spread = crossed((mine - theirs)[1:], self.without[name] - other.without[name])
        return difference_figure(float(mine[0] - theirs[0]), spread)


class OutlierTable:
    """All metrics of a campaign against its vulnerabilities.

    Args:
      estimators: the metrics.
      outcomes: vulnerabilities by name, ``bool[M] -> float64[N]``; the first is the one that subsets are made for.
      fit: ``bool[M] -> float64[N]``.
      pair: the two halves.
      number: resamples of examples.
      seed: of the resamples.

    Attributes:
      names: metrics that are compared.
      skipped: why others are not.
      known: ``bool[N]``, the examples that all figures rest on.
    """

    def __init__(
        self,
        estimators: Sequence[Estimator],
        outcomes: Mapping[str, Callable[[Mask], np.ndarray]],
        fit: Callable[[Mask], np.ndarray],
        pair: tuple[Half, Half],
        *,
        number: int = 200,
        seed: int = 0,
        groups: Groups = None,
    ):
        def said(models: Mask) -> Said:
            return Said(
                {each.name: each.of(models) for each in estimators},
                {name: of(models) for name, of in outcomes.items()},
                fit(models),
            )

        self.outcomes = list(outcomes)
        self.whole = said(pair[0].models | pair[1].models)
        self.sides = (said(pair[0].models), said(pair[1].models))
        # Without one group of one half, the other half as it is.
        first, second = self.sides
        self.without = [(said(pair[0].models & ~group), second) for group in pair[0].groups]
        self.without += [(first, said(pair[1].models & ~group)) for group in pair[1].groups]
        measures = {each.name: self._finite(each.name) for each in estimators}
        half = len(self.whole.fit) / 2
        self.names = [name for name, finite in measures.items() if finite.sum() > half]
        self.skipped = {name: "gives most examples no value" for name in measures if name not in self.names}
        # All metrics are compared on the same examples: those that each of them measures in both halves.
        outcomes_known = [np.isfinite(each) for side in self.sides for each in (*side.outcomes.values(), side.fit)]
        self.known = np.all([*(measures[name] for name in self.names), *outcomes_known], axis=0)
        if not self.known.any():
            raise UserError(
                "no example is measured by every metric in both halves of the models",
                remedy="Train more models, or raise --geometry_models",
            )
        self.plain = np.ones((1, len(self.known)), np.float32)
        self.weights = np.concatenate([self.plain, resamples(len(self.known), number, seed, groups)])
        self._ranked: dict[Any, Ranked] = {}

    def measured(self) -> dict[str, dict[str, Measured]]:
        """Figures by metric, then by ``all``, ``easy``, ``hard``, and by the other outcomes' names."""
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return dict(zip(self.names, pool.map(self._of_metric, self.names), strict=True))

    def ceiling(self) -> Measured:
        """The vulnerability of one half against that of the other: how far any metric can be expected to come."""
        return self._both_ways(lambda said: said.outcomes[self.outcomes[0]], self.outcomes[0], "all")

    def same_models(self, name: str) -> SameModels:
        """Figures where metric and vulnerability rest on the same models, all of them."""
        metric, outcome = self.whole.metrics[name], self.whole.outcomes[self.outcomes[0]]
        known = self.known & np.isfinite(metric) & np.isfinite(outcome)
        found = association(*(Ranked(values[known], self.plain[:, known], TOP) for values in (metric, outcome)))
        return SameModels(**{FIGURES[figure]: float(values[0]) for figure, values in found._asdict().items()})

    def _of_metric(self, name: str) -> dict[str, Measured]:
        first, *others = self.outcomes
        found = {subset: self._both_ways(lambda said: said.metrics[name], first, subset) for subset in SUBSETS}
        return found | {outcome: self._both_ways(lambda said: said.metrics[name], outcome, "all") for outcome in others}

    def _both_ways(self, of: Callable[[Said], np.ndarray], outcome: str, subset: str) -> Measured:
        def mean(pair: tuple[Said, Said], weights: np.ndarray) -> tuple[Association, int]:
            ways = [self._one_way(of(a), b, outcome, subset, a.fit, weights) for a, b in (pair, pair[::-1])]
            return Association(*(np.mean(both, axis=0) for both in zip(*(way for way, _ in ways), strict=True))), (
                min(count for _, count in ways)
            )

        (base, count), without = mean(self.sides, self.weights), [mean(each, self.plain)[0] for each in self.without]
        return Measured(
            base._asdict(),
            {figure: np.array([getattr(each, figure)[0] for each in without]) for figure in Association._fields},
            count,
        )

    def _one_way(
        self, metric: np.ndarray, other: Said, outcome: str, subset: str, fit: np.ndarray, weights: np.ndarray
    ) -> tuple[Association, int]:
        values = other.outcomes[outcome]
        known = self.known & np.isfinite(metric) & np.isfinite(values) & np.isfinite(fit)
        if subset != "all":
            easy = fit >= np.median(fit[known])
            known &= easy if subset == "easy" else ~easy
        key = (id(values), len(weights), known.tobytes())
        if key not in self._ranked:
            self._ranked[key] = Ranked(values[known], weights[:, known], TOP)
        ranked = self._ranked[key]
        return association(Ranked(metric[known], ranked.weights, TOP), ranked), int(known.sum())

    def _finite(self, name: str) -> np.ndarray:
        return np.all([np.isfinite(side.metrics[name]) for side in self.sides], axis=0)


def ranking(measured: Measured) -> Ranking:
    """All figures of a metric."""
    figures = {key: measured.figure(figure) for figure, key in FIGURES.items()}
    return Ranking(**figures, num_examples=measured.num_examples)


def best(measured: Mapping[str, Mapping[str, Measured]], part: Part = "all") -> dict[Name, Best]:
    """By figure, the metric with the highest value, and those whose paired difference from it may be 0."""
    found: dict[Name, Best] = {}
    for figure, key in FIGURES.items():
        figures = {name: of[part].figure(figure) for name, of in measured.items()}
        known = {name: made.value for name, made in figures.items() if made.value is not None}
        if not known:
            continue
        first = max(known, key=known.__getitem__)
        lead = {name: measured[first][part].minus(measured[name][part], figure) for name in known if name != first}
        equal = tuple(name for name, difference in lead.items() if difference.interval[0] <= 0.0)
        found[key] = Best(first, known[first], equal)
    return found
