"""What figures allow to say: of one figure against a level, and of the strongest of several attacks.

Sentences of reports that compare go through these functions, so that one rule holds everywhere: docs/methods.md, "What
reports may say".
"""

import dataclasses
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtri

from miajax.metrics.clusters import Groups
from miajax.metrics.figures import Figure, Interval, fpr_key
from miajax.metrics.forms import LEFT_OUT
from miajax.metrics.intervals import CONFIDENCE
from miajax.metrics.json_form import Together, from_json
from miajax.metrics.paired import Influence, influences, mean_difference, mean_rate
from miajax.metrics.roc import allowed_false_positives

Standing = Literal["above", "not shown", "below"]
"""Where an interval lies: wholly above a level, not wholly on one side of it, wholly below."""

LEAD_FPRS = (1e-3, 1e-2)
"""False-positive rates at which attacks are ranked, best first."""
_ROOM = 5 << 29  # bytes of influences that are kept between the two passes over attacks


def against(interval: Sequence[float] | None, level: float) -> Standing:
    """Where an interval lies; without one nothing is shown.

    Args:
      interval: ``[low, high]`` of a figure.
      level: what it is held against: of a TPR the rate that chance attains, of an AUC .5, of a difference 0.
    """
    if interval is None:
        return "not shown"
    low, high = interval
    return "above" if low > level else "below" if high < level else "not shown"


def chance_of_tpr(fpr: float, attainable: float | None = None) -> float:
    """The TPR that chance attains at a false-positive rate, a fraction.

    Args:
      fpr: at which the TPR is taken.
      attainable: what a score without information attains there with the non-members at hand, where that is more than
        the rate itself (ranks that coincide over targets).
    """
    return fpr if attainable is None else max(fpr, attainable)


def difference_of_separate(
    one: float, one_ci: Sequence[float], other: float, other_ci: Sequence[float], comparisons: int = 1
) -> list[float]:
    """An interval for ``one - other`` where the two rest on different examples, from their own 95 % intervals.

    The distances to the ends are added in squares (Zou and Donner 2008, MOVER); of positively related figures, such as
    those of groups under the same models, the interval is too wide rather than too narrow. Figures on the same examples
    are to be compared by ``paired``.

    Args:
      one, other: the figures.
      one_ci, other_ci: their 95 % intervals.
      comparisons: among how many differences this one was chosen; the reach grows by the normal factor (Bonferroni).
    """
    wider = float(ndtri(1 - 0.025 / comparisons) / ndtri(0.975))
    down = float(np.hypot(one - one_ci[0], other_ci[1] - other))
    up = float(np.hypot(one_ci[1] - one, other - other_ci[0]))
    return [one - other - wider * down, one - other + wider * up]


@dataclasses.dataclass(frozen=True)
class Behind:
    """What the leading attack has more than another, paired: the figure that they are ranked by, and the AUC."""

    value: float
    ci: Interval
    auc: Figure


@dataclasses.dataclass(frozen=True)
class Ranking:
    """The attack with the highest lower end of the AUC, beside a rate that none shows above chance.

    Attributes:
      ci: wide enough to hold for the AUCs of all contestants at once.
      standing: of ``ci`` to .5.
    """

    attack: str
    value: float
    ci: Interval
    standing: Standing


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lead:
    """The attack that leads, and how it was chosen.

    Attributes:
      by: the figure that attacks are ranked by.
      fpr: at which, as results name it; None by AUC.
      chance: what an attack without power reaches.
      value: of the leading attack.
      ci: wide enough to hold for all contestants at once, like those of ``intervals``.
      standing: of ``ci`` to chance.
      intervals: of every contestant.
      differences: the leading attack minus each other.
      not_told_apart: those whose difference may be 0.
      unresolved: non-members of attacks that too few have a score of to compete.
      by_auc: where attacks are ranked by a rate and none is above chance there: what AUCs show.
    """

    attack: str
    by: Literal["auc", "tpr_at_fpr"]
    fpr: str | None
    chance: float
    value: float
    ci: Interval
    standing: Standing
    confidence: float
    intervals: Mapping[str, Together]
    differences: Mapping[str, Behind]
    not_told_apart: tuple[str, ...]
    unresolved: Mapping[str, int] = dataclasses.field(default_factory=dict[str, int])
    by_auc: Annotated[Ranking | None, LEFT_OUT] = None

    @property
    def shows(self) -> bool:
        """Whether members are told better than by chance, by the rate or else by the AUC."""
        return self.standing == "above" or (self.by_auc is not None and self.by_auc.standing == "above")


def lead_from(entry: Mapping[str, Any] | None) -> Lead | None:
    """The lead that an entry of ``results.json`` holds."""
    return None if entry is None else from_json(Lead, entry)


def lead_of(results: Mapping[str, Any]) -> Lead | None:
    """``strongest`` of ``results.json``."""
    return lead_from(results.get("strongest"))


def strongest(
    scores: Mapping[str, Float[np.ndarray, "models examples"]],
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
    *,
    each: Callable[..., Any] = map,
    groups: Groups = None,
    among: Collection[str] | None = None,
) -> Lead | None:
    """Which of several attacks on the same models leads, by a rule that accounts for choosing among them.

    Every contestant's figure gets an interval at the confidence 1 - .05 / k for k contestants (Bonferroni): with
    probability .95 all of them hold at once, so that one may be chosen by them afterwards. The attack with the highest
    lower end leads; of equals, the one with the higher figure, then the first by name, so that no order of attacks
    decides. Whether another contestant may be as strong is judged by the paired difference at the confidence
    1 - .05 / (k - 1): with probability .95 the truly strongest one leads or is among those that are not told apart from
    the leading one (multiple comparisons with the best, Hsu 1984).

    The figure is the TPR at the first of ``LEAD_FPRS`` that every attack resolves, having 1 / FPR non-members or more.
    Where there is no such rate, but one that more than half of the attacks resolve, those compete at it and the others
    are ``unresolved``: one attack with few scores hides no leak that the others show. Else it is the AUC of all. Counts
    of non-members alone decide this, never scores, so that it costs nothing either.

    Where the attack that leads by a rate is not above chance there, the AUCs of the same contestants are looked at as
    well, by intervals at the same confidence: all AUCs hold at once with probability .95, rates and AUCs together with
    .9 or more.

    Args:
      scores: of each attack, higher = member; NaN cells are left out.
      member: True where the model trained on the example.
      valid: models that are targets.
      each: ``map``, or that of an executor.
      groups: examples that were drawn together, or None.
      among: names that may lead; all if None. Intervals account for all attacks, whoever may lead: what leads among
        some and what leads among all may be told together.

    Returns:
      None where no attack that may lead has scores of members and of non-members.
    """
    able: dict[str, int] = {}
    for name, array in scores.items():
        known = ~np.isnan(array) & valid[:, None]  # infinite scores are ordinary extremes
        if (known & member).any() and (known & ~member).any():
            able[name] = int((known & ~member).sum())
    if not able:
        return None
    fpr, names = _contest(able)
    leaders = [name for name in names if among is None or name in among]
    if not leaders:
        return None
    confidence = 1 - (1 - CONFIDENCE) / len(names)
    room = _ROOM // (2 * 4 * member.size)  # attacks
    kept = frozenset(names[:room])

    def found(name: str) -> tuple[Influence, Influence]:
        both = influences(scores[name], member, valid, fpr or LEAD_FPRS[-1], groups=groups)
        return (both.auc if fpr is None or both.tpr is None else both.tpr), both.auc

    def measured(name: str):
        both = found(name)
        return mean_rate([both[0]], confidence), (both[0].small(), both[1].small()) if name in kept else None

    figures = dict(zip(names, each(measured, names), strict=True))
    lead = min(leaders, key=lambda name: (-figures[name][0].ci[0], -figures[name][0].value, name))
    level = 1 - (1 - CONFIDENCE) / max(1, len(names) - 1)
    best = figures[lead][1] or found(lead)

    def behind(name: str) -> Behind:
        other = figures[name][1] or found(name)
        figure, auc = (mean_difference([pair], level) for pair in zip(best, other, strict=True))
        return Behind(figure.value, figure.interval, auc)

    others = [name for name in names if name != lead]
    differences = dict(zip(others, each(behind, others), strict=True))
    leader = figures[lead][0]

    def auc_of(name: str) -> Figure:
        return mean_rate([(figures[name][1] or found(name))[1]], confidence)

    chance = 0.5 if fpr is None else chance_of_tpr(fpr, leader.chance)
    return Lead(
        attack=lead,
        by="auc" if fpr is None else "tpr_at_fpr",
        fpr=None if fpr is None else fpr_key(fpr),
        chance=chance,
        value=leader.value,
        ci=leader.interval,
        standing=against(leader.ci, chance),
        confidence=confidence,
        intervals={name: figure for name, (figure, _) in figures.items()},
        differences=differences,
        not_told_apart=tuple(name for name, of in differences.items() if against(of.ci, 0.0) == "not shown"),
        unresolved={name: count for name, count in able.items() if name not in names},
        by_auc=None
        if fpr is None or against(leader.ci, chance) == "above"
        else _ranking(leaders, each(auc_of, leaders)),
    )


def _ranking(names: Sequence[str], aucs: Iterable[Figure]) -> Ranking:
    found = dict(zip(names, aucs, strict=True))
    first = min(found, key=lambda name: (-found[name].ci[0], -found[name].value, name))
    return Ranking(first, found[first].value, found[first].interval, against(found[first].ci, 0.5))


def at_once(value: float, interval: Sequence[float], count: int) -> tuple[float, float]:
    """A 95 % interval of a figure in 0..1, widened to hold for ``count`` such figures at once.

    Its two distances grow by the normal factor (Bonferroni), as those of ``difference_of_separate``.
    """
    wider = float(ndtri(1 - 0.025 / count) / ndtri(0.975))
    low, high = interval
    return max(0.0, value - wider * (value - low)), min(1.0, value + wider * (high - value))


def _contest(non_members: Mapping[str, int]) -> tuple[float | None, list[str]]:
    """The false-positive rate at which attacks compete, None for the AUC, and those that do.

    Args:
      non_members: of each attack, those with a score.
    """
    resolving = [
        (rate, [name for name, count in non_members.items() if allowed_false_positives(rate, count)])
        for rate in LEAD_FPRS
    ]
    for fewest in (len(non_members), len(non_members) // 2 + 1):
        for rate, names in resolving:
            if len(names) >= fewest:
                return rate, names
    return None, list(non_members)
