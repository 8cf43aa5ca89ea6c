"""What an attack shows when every record is judged by its own false alarms instead of one threshold for everybody.

A pooled threshold gives some records many false alarms and others none (arXiv 2605.25819). Here every score is first
set against the scores of the same record by those models that were not trained on it, and only then pooled.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import bdtrc

from miajax.data.pairs import complementary_partners
from miajax.metrics.clusters import Groups
from miajax.metrics.figures import Estimate, Figure, unresolved
from miajax.metrics.forms import Form
from miajax.metrics.paired import influences_at, mean_rate
from miajax.metrics.vulnerability import Exposure, exposure_at_pooled_fpr

FEWEST_OTHERS = 3  # scores that a mean and a spread rest on; of fewer, one far score says nothing
FPRS = (1e-3, 1e-2)
TIMES = (2, 10)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclasses.dataclass(frozen=True)
class Share:
    """Of records, the share whose own false-positive rate is too high.

    Attributes:
      measured: the share.
      by_luck: what it would be if every record had the pooled rate and only luck differed.
    """

    measured: float
    by_luck: float


@dataclasses.dataclass(frozen=True)
class FprOfRecords:
    """How the false-positive rate of single records is spread where the pooled one is as asked for.

    Attributes:
      pooled: false-positive rate that the threshold reaches over all records.
      quantiles: of the records' own rates, by share of the records.
      over: share of records with more than so many times the pooled rate.
    """

    pooled: float
    quantiles: Mapping[float, float]
    over: Mapping[int, Share]


@dataclasses.dataclass(frozen=True)
class Standardised:
    """Scores set against their own record's scores by models that were not trained on it, then pooled.

    Attributes:
      auc, tpr_at_fpr: of them.
      records: how one threshold on them spreads false alarms; None without a false alarm.
      num_records: with enough scores to be standardised.
    """

    auc: Figure
    tpr_at_fpr: Annotated[Mapping[float, Estimate], Form(chance="chance_tpr_at_fpr")]
    records: FprOfRecords | None
    num_records: int


@dataclasses.dataclass(frozen=True)
class PerRecord:
    """One attack, or a signal, record by record.

    Attributes:
      one_threshold: how one threshold on its scores spreads false alarms over records; None without a false alarm.
      standardised: None where no record has scores enough, or where it was not asked for.
    """

    one_threshold: FprOfRecords | None
    standardised: Standardised | None


@dataclasses.dataclass(frozen=True)
class PerRecords:
    """What is said of single records' false alarms.

    Attributes:
      fpr: pooled rate at which records' own rates are looked at.
      signal: the scaled logit, which statistics of no attack bias: its standardised figures are right on average.
      attacks: by name; standardised scores of attacks that leave the target out of their statistics lean to 0.
    """

    fpr: float
    signal: PerRecord
    attacks: Mapping[str, PerRecord]


def standardised(
    scores: Float[np.ndarray, "models examples"],
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
) -> Float[np.ndarray, "models examples"]:
    """Scores as normal quantiles of their own record's scores by models that were not trained on it.

    With mean m and standard deviation s (ddof 1) of the n such scores of a record, the target's own left out,
    t = (score - m) / (s sqrt(1 + 1/n)) follows Student's distribution with n - 1 degrees of freedom where the record's
    scores are normal and nothing leaks. Members rest on one score more than non-members, and few scores have heavy
    tails; the normal quantile of t's distribution function (Hill 1970) has neither trace. A model trained on exactly
    the target's complement is left out with it, as in attacks.

    Args:
      scores: higher = more likely a member; NaN is left out.
      member: True where the model trained on the record.
      valid: False for models to leave out.

    Returns:
      ``float64[M, N]``; NaN without a score, or with fewer than ``FEWEST_OTHERS`` scores of other models. Infinite
      where all others agree and the target does not.
    """
    known = ~np.isnan(scores) & valid[:, None]
    finite = np.abs(scores[known & np.isfinite(scores)]).max(initial=0.0)
    values = np.where(known, np.clip(scores, -finite, finite), 0.0).astype(np.float64)
    others = known & ~member
    count = others.sum(0)
    values -= np.where(others, values, 0.0).sum(0) / np.maximum(count, 1)
    of_others = np.where(others, values, 0.0)
    total, squares = of_others.sum(0), (of_others * of_others).sum(0)
    removed, taken = of_others, others
    if (partners := complementary_partners(member)) is not None:  # of a pair one is on the side
        own = partners == np.arange(len(partners))
        removed = removed + np.where(own[:, None], 0.0, removed[partners])
        taken = taken | taken[partners]
    number = count - taken
    mean = (total - removed) / np.maximum(number, 1)
    spread = np.maximum(squares - removed * removed - number * mean * mean, 0.0)
    spread[spread <= 1e-12 * squares] = 0.0  # what is left of rounding
    freedom = np.maximum(number - 1, 1)
    away = values - mean
    away[np.abs(away) <= 1e-6 * np.sqrt(squares / np.maximum(count, 1))] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        t = away / np.sqrt(spread / freedom * (1.0 + 1.0 / np.maximum(number, 1)))
    t[away == 0.0] = 0.0
    return np.where(known & (number >= FEWEST_OTHERS), normal_of_t(t, freedom), np.nan)


def normal_of_t(
    t: Float[np.ndarray, "models examples"], freedom: Int[np.ndarray, "models examples"]
) -> Float[np.ndarray, "models examples"]:
    """The normal quantile of Student's distribution function at ``t``.

    Hill's expansion (CACM 1970, algorithm 395): within .02 of the quantile for 2 degrees of freedom and ``|t|`` up to
    30, within .001 for 5 and more, and increasing throughout, so that it moves no ranks among equal degrees of freedom.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        a = freedom - 0.5
        y = a * np.log1p(t * t / freedom)
        b = 48.0 * a * a
        inner = (((-0.4 * y - 3.3) * y - 24.0) * y - 85.5) / (0.8 * y * y + 100.0 + b) + y + 3.0
        z = np.sign(t) * (inner / b + 1.0) * np.sqrt(y)
    return np.where(np.isinf(t), t, z)


def fpr_of_records(exposure: Exposure) -> FprOfRecords | None:
    """The distribution of single records' false-positive rates; None without a false alarm or a score.

    Args:
      exposure: at one threshold.
    """
    counted = exposure.num_out > 0
    rates, numbers = exposure.fpr[counted], exposure.num_out[counted]
    pooled = float((rates * numbers).sum() / max(int(numbers.sum()), 1))
    if not counted.any() or pooled in (0.0, 1.0):
        return None
    quantiles = np.quantile(rates, QUANTILES)
    over = {
        times: Share(
            float((rates > times * pooled + 1e-12).mean()),
            float(bdtrc(np.floor(times * pooled * numbers + 1e-9), numbers, pooled).mean()),
        )
        for times in TIMES
        if times * pooled < 1.0
    }
    return FprOfRecords(pooled, dict(zip(QUANTILES, map(float, quantiles), strict=True)), over)


def of_standardised(
    scores: Float[np.ndarray, "models examples"],
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
    *,
    fpr: float,
    fprs: Sequence[float] = FPRS,
    targets: Bool[np.ndarray, " models"] | None = None,
    groups: Groups = None,
) -> Standardised | None:
    """Figures of ``standardised`` scores with 95 % intervals; None where no record has scores enough.

    Args:
      scores: higher = more likely a member; NaN is left out.
      member: True where the model trained on the record.
      valid: False for models to leave out.
      fpr: pooled rate at which the records' own rates are looked at.
      fprs: at which the TPR is given.
      targets: the models that the figures are about; all valid ones by default. Records' own rates rest on all models.
      groups: records that were drawn together, or None.
    """
    own = standardised(scores, member, valid)
    rows = valid if targets is None else valid & targets
    known = ~np.isnan(own) & rows[:, None]
    if not (known & member).any() or not (known & ~member).any():
        return None
    auc, tprs = influences_at(own, member, rows, fprs, groups)
    others = int((known & ~member).sum())
    return Standardised(
        auc=mean_rate([auc]),
        tpr_at_fpr={rate: unresolved(rate, others) if tpr is None else mean_rate([tpr]) for rate, tpr in tprs.items()},
        records=fpr_of_records(exposure_at_pooled_fpr(own, member, valid, fpr)),
        num_records=int((~np.isnan(own)).any(0).sum()),
    )
