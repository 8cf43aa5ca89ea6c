"""What attacks still get from defended models: by everybody, and by the examples that were most vulnerable before."""

import dataclasses
import math

import numpy as np
from jaxtyping import Bool, Float

from miajax.attacks.lira import lira_scores, online_variant
from miajax.attacks.options import AttackOptions
from miajax.attacks.registry import ATTACKS, run_attacks
from miajax.metrics.accuracy import share_by_model, share_correct
from miajax.metrics.clusters import Groups, by_group, renumbered, rows_a_draw
from miajax.metrics.figures import Figure, Interval
from miajax.metrics.intervals import CONFIDENCE, Spread, critical_value, crossed_spread, rate_interval
from miajax.metrics.paired import Influence, influences, mean_difference, mean_rate
from miajax.metrics.summary import summarise
from miajax.metrics.vulnerability import exposure_at_pooled_fpr, gaussian_vulnerability
from miajax.signals.bundle import Signals
from miajax.studies.defenses.results import (
    AccuracyChange,
    AdaptiveLira,
    AttackFigures,
    AucChange,
    Flagged,
    Lira,
    NamedChange,
    Onion,
    RowAttacks,
    TopFigures,
    Unflagged,
)

TOP_SHARE = 0.01
FPRS = (1e-3, 1e-2)


@dataclasses.dataclass(frozen=True, eq=False)
class Answered:
    """What models under a defence say of the pool.

    Attributes:
      member: ``bool[M, N]``, who trained on what.
      valid: ``bool[M]``.
      signals: ``float32[M, N, Q]``, scaled logits of the true labels.
      correct: ``bool[M, N]``; of groups, the share of their rows.
      known: ``float32[M, N, Q]``, what somebody who knows the defence reads instead, where he can do better: scaled
        logits of the labels that examples were trained as, or of logits whose reweighting he has undone.
      groups: ``int32[N]``, whose row each is, or None.
    """

    member: Bool[np.ndarray, "models examples"]
    valid: Bool[np.ndarray, " models"]
    signals: Float[np.ndarray, "models examples queries"]
    correct: Bool[np.ndarray, "models examples"] | Float[np.ndarray, "models examples"]
    known: Float[np.ndarray, "models examples queries"] | None = None
    groups: Groups = None


def most_vulnerable(answered: Answered, among: Bool[np.ndarray, " examples"]) -> Bool[np.ndarray, " examples"]:
    """The 1 % of the pool, taken from ``among``, that two Gaussians tell apart best, judged by even models alone.

    Figures about them rest on odd targets, so that no luck of the choice enters.
    """
    phi = np.asarray(answered.signals[::2].mean(-1), np.float64)
    auc = gaussian_vulnerability(phi, answered.member[::2], answered.valid[::2]).auc
    auc = np.where(among & ~np.isnan(auc), auc, -np.inf)
    chosen = np.zeros(len(auc), bool)
    chosen[np.argsort(-auc, kind="stable")[: max(1, math.ceil(TOP_SHARE * len(auc) - 1e-9))]] = True
    return chosen & np.isfinite(auc)


class Attacks:
    """Threshold, gap and LiRA on defended models, beside the undefended ones.

    LiRA, the online variant for as many models as were valid without defence, comes as ``naive`` (undefended shadow
    models), ``carried`` (shadow models that carry the defence) and ``adaptive`` (which also reads what is ``known``).

    Args:
      original: the undefended models; they shadow the naive attacker's targets.
      defended: the same models by id, under the defence.
      survivors: ``bool[N]``, examples to judge; dropped ones have nothing left to give away.
    """

    def __init__(self, original: Answered, defended: Answered, survivors: Bool[np.ndarray, " examples"]):
        self.original, self.defended, self.survivors = original, defended, survivors
        self.groups = original.groups
        self.valid = original.valid & defended.valid
        self.lira = online_variant(int(original.valid.sum()))
        settings = AttackOptions()
        labels = np.zeros(defended.correct.shape[1], np.int32)  # none of these attacks looks at them
        signals = Signals(defended.signals, defended.correct, labels)
        names, member = ("global_threshold", "gap", self.lira), defended.member
        ran = run_attacks(names, signals, member, self.valid, settings)
        self.threshold, self.gap, self.carried = (np.asarray(ran[name][0]) for name in names)
        self.adaptive = self.carried
        if defended.known is not None:
            known = signals._replace(scaled_logit=defended.known)
            self.adaptive = np.asarray(run_attacks([self.lira], known, member, self.valid, settings)[self.lira][0])
        naive = lira_scores(original.signals, original.member, original.valid, targets=defended.signals)[self.lira]
        scorable = ATTACKS[self.lira].scorable(original.member, self.valid)
        self.naive = np.where(np.asarray(scorable), np.asarray(naive), np.nan)

    def figures(self, scores: np.ndarray, among: np.ndarray) -> AttackFigures | None:
        """An attack's figures on some examples; None where nobody is left to judge."""
        return _summary(scores, self, among & self.survivors, self.valid)

    def top_figures(self, scores: np.ndarray, among: np.ndarray) -> TopFigures | None:
        """Figures on a few examples that even models chose, on odd targets."""
        odd = self.valid & (np.arange(len(self.valid)) % 2 == 1)
        figures = _summary(scores, self, among & self.survivors, odd)
        if figures is None:
            return None
        cells = np.ix_(odd, among & self.survivors)
        member = self.defended.member[cells]
        named: dict[float, Figure] = {}
        wrongly: dict[float, float] = {}
        for fpr in FPRS:
            hits = self.hits(scores, fpr)[cells]
            together = renumbered(self.groups, among & self.survivors)
            rate, spread = _mean_over(hits, member, together)
            low, high = rate_interval(rate, spread, int(member.sum()) / rows_a_draw(together))
            named[fpr], wrongly[fpr] = Figure(rate, (low, high)), float(hits[~member].mean())
        return TopFigures(**vars(figures), named=named, named_wrongly=wrongly)

    def hits(self, scores: np.ndarray, fpr: float) -> np.ndarray:
        """``bool[M, N]``, who passes the threshold with that false-positive rate over all surviving examples."""
        judged = np.where(self.survivors, scores, np.nan)
        threshold = exposure_at_pooled_fpr(judged, self.defended.member, self.valid, fpr).threshold
        return np.where(np.isnan(judged), -np.inf, judged) >= threshold


def _summary(
    scores: np.ndarray, attacks: Attacks, among: Bool[np.ndarray, " examples"], targets: Bool[np.ndarray, " models"]
) -> AttackFigures | None:
    member = attacks.defended.member
    scored = np.broadcast_to(among, scores.shape) & ~np.isnan(scores) & targets[:, None]
    if not ((scored & member).any(1) & (scored & ~member).any(1)).any():
        return None
    where = np.broadcast_to(among, scores.shape)
    found = summarise(
        scores, member, attacks.valid, fprs=FPRS, targets=np.flatnonzero(targets).tolist(), where=where,
        each_target=False, groups=attacks.groups,
    )  # fmt: skip
    return AttackFigures(
        auc=found.auc, advantage=found.advantage, tpr_at_fpr=found.tpr_at_fpr, num_examples=int(among.sum())
    )


def _mean_over(values: np.ndarray, cells: Bool[np.ndarray, "models examples"], groups: Groups) -> tuple[float, Spread]:
    """Mean of the chosen cells' values, and its spread where models and examples both are samples."""
    count = max(int(cells.sum()), 1)
    mean = float(np.where(cells, values, 0.0).sum() / count)
    influence = by_group(np.where(cells, values - mean, 0.0) / count, groups)
    return mean, crossed_spread(influence.sum(1), influence.sum(0), float(np.vdot(influence, influence)))


def paired_aucs(
    one: np.ndarray,
    other: np.ndarray,
    attacks: Attacks,
    models: Bool[np.ndarray, " models"],
    among: Bool[np.ndarray, " examples"],
    confidence: float,
) -> AucChange | None:
    """The AUC of some scores minus that of others, paired by model and example.

    Args:
      one, other: scores ``[M, N]`` of the same cells, higher = member.
      attacks: whose members they are about.
      models, among: the models and examples to judge.
      confidence: of ``auc_ci_of_all``, wide enough for all rows of the comparison at once.

    Returns:
      None where nobody is left to judge.
    """
    rows, columns = np.flatnonzero(models), np.flatnonzero(among & attacks.survivors)
    pair = _aucs(one, other, attacks, rows, columns)
    if pair is None:
        return None
    return AucChange(mean_difference([pair]), mean_difference([pair], confidence).interval)


def change(
    attacks: Attacks, before: Attacks, among: Bool[np.ndarray, " examples"], confidence: float = CONFIDENCE
) -> AucChange | None:
    """Adaptive LiRA's AUC after minus before, on the same models and examples, so that the interval is a paired one.

    Args:
      attacks: on the defended models.
      before: on the undefended ones.
      among: examples to judge.
      confidence: see ``paired_aucs``.

    Returns:
      As ``paired_aucs``.
    """
    models = attacks.valid & before.valid
    return paired_aucs(attacks.adaptive, before.adaptive, attacks, models, among, confidence)


def _auc_change(
    attacks: Attacks, before: Attacks, among: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> tuple[Influence, Influence] | None:
    """Adaptive LiRA's AUC after and before on some examples, by its influences on the cells of ``rows x columns``."""
    inside = among & attacks.survivors
    return _aucs(attacks.adaptive, before.adaptive, attacks, rows, columns, inside)


def _aucs(
    one: np.ndarray,
    other: np.ndarray,
    attacks: Attacks,
    rows: np.ndarray,
    columns: np.ndarray,
    inside: np.ndarray | None = None,
) -> tuple[Influence, Influence] | None:
    """Both scores' AUC on those cells of ``rows x columns`` that both score, examples outside ``inside`` left out."""
    cells = np.ix_(rows, columns)
    member, both = attacks.defended.member[cells], [scores[cells] for scores in (one, other)]
    groups = renumbered(attacks.groups, columns)
    known = ~np.isnan(both[0]) & ~np.isnan(both[1])
    if inside is not None:
        known &= inside[columns]
    if not ((known & member).any() and (known & ~member).any()):
        return None
    first, second = (
        influences(np.where(known, scores, np.nan), member, np.ones(len(rows), bool), FPRS[-1], groups=groups).auc
        for scores in both
    )
    return first, second


def exposed(dropped: Attacks, control: Attacks, before: Attacks) -> Onion | None:
    """The onion: how much more exposed the then most vulnerable survivors are, against a control.

    The survivors are chosen for their exposure after the drop, so that some of their rise is the choice, and some comes
    of smaller training sets. Both show in the control, whose dropped examples are as many, drawn at random, and which
    chooses among the unflagged, too: flagged ones are so exposed that nothing is left to rise.

    Args:
      dropped: after flagged examples were dropped.
      control: after as many others were.
      before: the undefended models.

    Returns:
      Of adaptive LiRA's AUC on odd targets, paired by model and example; None where nobody is left to judge.
    """
    odd = np.arange(len(before.valid)) % 2 == 1
    rows = np.flatnonzero(odd & before.valid & dropped.valid & control.valid)
    chosen = [most_vulnerable(each.defended, dropped.survivors & each.survivors) for each in (dropped, control)]
    columns = np.flatnonzero(chosen[0] | chosen[1])
    moved = [
        _auc_change(each, before, own, rows, columns) for each, own in zip((dropped, control), chosen, strict=True)
    ]
    if moved[0] is None or moved[1] is None:
        return None
    rises = [after.minus(ago) for after, ago in (moved[0], moved[1])]
    return Onion(
        mean_difference([moved[0]]), mean_difference([moved[1]]), mean_difference([(rises[0], rises[1])])
    )  # fmt: skip


def top_change(
    attacks: Attacks, before: Attacks, top: Bool[np.ndarray, " examples"], confidence: float = CONFIDENCE
) -> NamedChange | None:
    """What adaptive LiRA names after minus before, on odd targets; None where nobody is left to judge."""
    odd = attacks.valid & before.valid & (np.arange(len(attacks.valid)) % 2 == 1)
    cells = np.ix_(odd, top & attacks.survivors)
    member = attacks.defended.member[cells]
    if not member.any():
        return None
    named: dict[float, Figure] = {}
    of_all: dict[float, Interval] = {}
    for fpr in FPRS:
        after, ago = (each.hits(each.adaptive, fpr)[cells].astype(np.float64) for each in (attacks, before))
        mean, spread = _mean_over(after - ago, member, renumbered(attacks.groups, top & attacks.survivors))
        reach, wide = (
            critical_value(spread.degrees_of_freedom, level) * spread.variance**0.5
            for level in (CONFIDENCE, confidence)
        )
        named[fpr], of_all[fpr] = Figure(mean, (mean - reach, mean + reach)), (mean - wide, mean + wide)
    return NamedChange(named, of_all)


def accuracy_change(attacks: Attacks, before: Attacks, others: Bool[np.ndarray, "models examples"]) -> AccuracyChange:
    """Accuracy after minus before, paired by model and example.

    Args:
      attacks, before: on the defended and the undefended models.
      others: cells that count as non-members, the undefended models' own on both sides.
    """
    models = attacks.valid & before.valid
    found: list[Figure] = []
    for side in (attacks.defended.member, others):
        after, ago = (share_by_model(each.defended.correct, side, models, each.groups) for each in (attacks, before))
        found.append(mean_difference([(after, ago)]))
    return AccuracyChange(*found)


def row_figures(
    attacks: Attacks,
    before: Attacks,
    top: Bool[np.ndarray, " examples"],
    flagged: Bool[np.ndarray, " examples"] | None,
    comparisons: int = 1,
) -> RowAttacks:
    """The attacks' part of a row.

    Args:
      attacks: on the defended models.
      before: on the undefended ones.
      top: the examples that were most vulnerable before.
      flagged: those that an example-specific defence protects, or None.
      comparisons: rows that are held against the undefended models; intervals ``of_all`` count them (Bonferroni).
    """
    everybody, wide = np.ones(len(top), bool), 1 - (1 - CONFIDENCE) / max(1, comparisons)

    def minus(one: np.ndarray, other: np.ndarray, models: np.ndarray = attacks.valid) -> AucChange | None:
        return paired_aucs(one, other, attacks, models, everybody, wide)

    threshold, gap = (
        _summary(of, attacks, attacks.survivors, attacks.valid) for of in (attacks.threshold, attacks.gap)
    )
    assert threshold is not None and gap is not None, "some example survives every defence"
    low, high = gap.advantage.interval
    own = most_vulnerable(attacks.defended, attacks.survivors)
    return RowAttacks(
        threshold_auc=threshold.auc,
        threshold_advantage=threshold.advantage,
        gap_accuracy=Figure((1.0 + gap.advantage.value) / 2.0, ((1.0 + low) / 2.0, (1.0 + high) / 2.0)),
        threshold_change=minus(attacks.threshold, before.threshold, attacks.valid & before.valid),
        accuracy_change=accuracy_change(attacks, before, ~before.defended.member),
        lira_naive=Lira(
            everybody=attacks.figures(attacks.naive, everybody), top_1pct=attacks.top_figures(attacks.naive, top)
        ),
        lira_carried=attacks.figures(attacks.carried, everybody),
        lira_adaptive=AdaptiveLira(
            everybody=attacks.figures(attacks.adaptive, everybody),
            top_1pct=attacks.top_figures(attacks.adaptive, top),
            change=change(attacks, before, everybody, wide),
            top_1pct_change=top_change(attacks, before, top, wide),
            over_naive=minus(attacks.adaptive, attacks.naive),
            over_threshold=minus(attacks.adaptive, attacks.threshold),
            now_most_vulnerable=attacks.top_figures(attacks.adaptive, own),
            now_most_vulnerable_before=before.top_figures(before.adaptive, own),
        ),
        unflagged=None if flagged is None else _unflagged(attacks, before, flagged),
        flagged=None if flagged is None else Flagged(change(attacks, before, flagged)),
    )


def _unflagged(attacks: Attacks, before: Attacks, flagged: Bool[np.ndarray, " examples"]) -> Unflagged:
    """Accuracy is on those that were no members before the defence, all models together."""
    counted = ~attacks.original.member & attacks.valid[:, None] & ~flagged
    after, ago = (
        mean_rate([share_correct(of.correct, counted, attacks.groups)]) for of in (attacks.defended, attacks.original)
    )
    return Unflagged(
        num_flagged=int(flagged.sum()),
        lira_adaptive=attacks.figures(attacks.adaptive, ~flagged),
        change=change(attacks, before, ~flagged),
        test_accuracy=after,
        test_accuracy_before=ago,
    )
