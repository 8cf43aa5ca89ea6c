"""Several attackers of one target, each with shadow models and a threshold of its own; and sets that are compared."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from miajax.attacks.options import AttackOptions
from miajax.attacks.registry import why_not
from miajax.metrics.clusters import Groups
from miajax.metrics.groups import joined, of_groups
from miajax.metrics.vulnerability import Exposure, exposure_at_pooled_fpr
from miajax.signals.bundle import Signals
from miajax.studies.attacked.entries import run_families
from miajax.studies.attacked.groups import join_of
from miajax.studies.disjoint import disjoint_sets, signals_of


@dataclasses.dataclass(frozen=True, eq=False)
class Attacked:
    """What attackers call members.

    Attributes:
      named: by attack, ``bool[K, T, N]``: what each of K attackers says of T targets' records, or groups of them.
      member: ``bool[T, N]``, who was.
      targets: ids of the models.
      models: shadow models of each attacker.
      failed: why attacks gave no score, by name.
    """

    named: Mapping[str, Bool[np.ndarray, "attackers targets examples"]]
    member: Bool[np.ndarray, "targets examples"]
    targets: Int[np.ndarray, " targets"]
    models: int
    failed: Mapping[str, str]


@dataclasses.dataclass(frozen=True, eq=False)
class Ensemble:
    """A run's models as the study reads them.

    Attributes:
      signals: of all models.
      member: ``bool[M, N]``.
      valid: models that trained well.
      groups: of records, or None.
      paired: whether models come in complementary pairs, which stay together.
    """

    signals: Signals
    member: Bool[np.ndarray, "models examples"]
    valid: Bool[np.ndarray, " models"]
    groups: Groups
    paired: bool

    def unit(self, name: str, scores: Float[np.ndarray, "models examples"]) -> np.ndarray:
        """Scores of what members are drawn by: of groups where they are groups."""
        return scores if self.groups is None else joined(scores, self.groups, join_of(name))

    def unit_member(self, rows: np.ndarray) -> np.ndarray:
        """Which of some models trained on what."""
        return self.unit_of(self.member[rows])

    def unit_of(self, member: Bool[np.ndarray, "models examples"]) -> np.ndarray:
        """Membership of what members are drawn by."""
        return member if self.groups is None else of_groups(member, self.groups)

    def sets(self, size: int, most: int) -> list[np.ndarray]:
        """Disjoint sets of models, pairs together."""
        return disjoint_sets(self.valid, size - size % 2 if self.paired else size, most)

    def scored(
        self, names: Sequence[str], rows: np.ndarray, settings: AttackOptions
    ) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """Scores of some models, each in turn the target of the others; and why attacks gave none."""
        signals, member, valid = signals_of(self.signals, rows), self.member[rows], np.ones(len(rows), bool)
        failed = {name: reason for name in names if (reason := why_not(name, signals, member, valid))}
        ran = run_families([name for name in names if name not in failed], signals, member, valid, settings)
        return {name: self.unit(name, of) for name, of in ran.scores.items()}, failed | ran.failed


def attacked(
    ensemble: Ensemble, names: Sequence[str], num_attackers: int, num_targets: int, fpr: float, settings: AttackOptions
) -> Attacked:
    """Cuts the models into one set more than there are attackers; each set's targets are attacked by all others.

    An attacker's threshold is the lowest with at most ``fpr`` false alarms among its own models, each of them the
    target of the rest. The model that is attacked has no part in it, not even as a shadow model.

    Args:
      ensemble: the models.
      names: attacks.
      num_attackers: K, 2 or more.
      num_targets: at most so many, the same number of every set.
      fpr: false-positive rate of every attacker.
      settings: of the attacks.
    """
    size = int(ensemble.valid.sum()) // (num_attackers + 1)
    sets = ensemble.sets(size, num_attackers + 1)
    each = max(1, min(num_targets // len(sets), len(sets[0])))
    failed: dict[str, str] = {}
    thresholds: list[dict[str, float]] = []
    for rows in sets:
        scores, reasons = ensemble.scored([name for name in names if name not in failed], rows, settings)
        failed |= reasons
        member, valid = ensemble.unit_member(rows), np.ones(len(rows), bool)
        thresholds.append(
            {name: exposure_at_pooled_fpr(array, member, valid, fpr).threshold for name, array in scores.items()}
        )
    named: dict[str, list[list[np.ndarray]]] = {name: [] for name in names}
    targets: list[int] = []
    for own, of in enumerate(sets):
        for target in of[np.linspace(0, len(of) - 1, each).round().astype(int)]:
            targets.append(int(target))
            calls: dict[str, list[np.ndarray]] = {name: [] for name in names}
            for place, shadows in enumerate(sets):
                if place == own:
                    continue
                able = [name for name in names if name not in failed]
                scores, reasons = ensemble.scored(able, np.append(shadows, target), settings)
                failed |= reasons
                for name, array in scores.items():
                    calls[name].append(array[-1] >= thresholds[place][name])  # NaN is not named
            for name, of_attackers in calls.items():
                named[name].append(of_attackers)
    return Attacked(
        named={name: np.array(of).swapaxes(0, 1) for name, of in named.items() if name not in failed},
        member=ensemble.unit_member(np.array(targets)),
        targets=np.array(targets),
        models=len(sets[0]),
        failed=failed,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Exposed:
    """Whom one set of models exposes.

    Attributes:
      exposure: at the pooled false-positive rate.
      mean_score: of each record as a member; NaN without such a score.
    """

    exposure: Exposure
    mean_score: Float[np.ndarray, " examples"]


def sizes(num_models: int, smallest: int = 4) -> tuple[int, ...]:
    """Powers of two of which two sets fit."""
    return tuple(2**power for power in range(2, num_models.bit_length()) if smallest <= 2**power <= num_models // 2)


def exposed_by(
    ensemble: Ensemble, names: Sequence[str], size: int, most: int, fpr: float, settings: AttackOptions
) -> tuple[dict[str, list[Exposed]], dict[str, str]]:
    """Whom disjoint sets of ``size`` models expose, attack by attack; and why attacks could not run at that size."""
    found: dict[str, list[Exposed]] = {name: [] for name in names}
    failed: dict[str, str] = {}
    for rows in ensemble.sets(size, most):
        able = [name for name in names if name not in failed]
        scores, reasons = ensemble.scored(able, rows, settings)
        failed |= reasons
        member = ensemble.unit_member(rows)
        for name, array in scores.items():
            exposure = exposure_at_pooled_fpr(array, member, np.ones(len(rows), bool), fpr)
            found[name].append(Exposed(exposure, mean_as_member(array, member)))
    return {name: of for name, of in found.items() if name not in failed}, failed


def mean_as_member(
    scores: Float[np.ndarray, "models examples"], member: Bool[np.ndarray, "models examples"]
) -> Float[np.ndarray, " examples"]:
    """The mean score of each record over the models that trained on it; NaN without a finite one."""
    known = np.isfinite(scores) & member
    counts = known.sum(0)
    return np.where(counts > 0, np.where(known, scores, 0.0).sum(0) / np.maximum(counts, 1), np.nan)
