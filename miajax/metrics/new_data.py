"""How exposed single examples would be if every model drew its training data anew, rather than from one pool.

Shadow models train on parts of one pool, so that any two share much of their data, and their signals of an example
vary less than those of models trained on fresh draws of the same size: by the finite population correction 1 - f for
whatever is linear in the data, f being the share of the pool that a model trains on. Smaller spread, same distance of
IN from OUT: per-example AUCs of pool models are too high for anybody who asks about new data. What does not come of
the draw of the data (initial weights, order of batches) varies as it would.
"""

import dataclasses
from typing import Annotated, NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtr, ndtri

from miajax.metrics.figures import Estimate
from miajax.metrics.forms import BARE

_MOST_EXAMPLES = 2000  # whose signals tell the share of the data: more hardly sharpen it
_GROUPS = 8  # of models, left out in turn
_FEWEST_MODELS = 16
_SURE_ENOUGH = 0.2  # standard error of the share


class NewData(NamedTuple):
    """Per-example AUCs for training sets drawn anew.

    Attributes:
      auc: ``float64[N]``, under the share found; NaN where that is too uncertain.
      auc_low: ``float64[N]``, the least it can be: all variation between models comes of their data.
      share: of the variance between models that have (or have not) an example, what is linear in who else is a member;
        within [0, 1], or None.
      share_error: its standard error, by leaving out groups of models; None with too few models.
    """

    auc: Float[np.ndarray, " examples"]
    auc_low: Float[np.ndarray, " examples"]
    share: float | None
    share_error: float | None


@dataclasses.dataclass(frozen=True)
class NewDataMeans:
    """How much lower per-example AUCs are on data drawn anew: means over the examples that have an AUC.

    Attributes:
      data_share, data_share_error: ``share`` and ``share_error`` of ``NewData``.
      mean_auc: on parts of one pool.
      mean_auc_new_data: on data drawn anew.
      mean_auc_new_data_low: the least that it can be.
    """

    data_share: float | None
    data_share_error: float | None
    mean_auc: float
    mean_auc_new_data: Annotated[Estimate, BARE]
    mean_auc_new_data_low: float


def means_on_new_data(auc: Float[np.ndarray, " examples"], fresh: NewData) -> NewDataMeans | None:
    """The means; None where no example has an AUC.

    Args:
      auc: of models trained on parts of one pool.
      fresh: what ``on_new_data`` makes of it.
    """
    known = np.isfinite(auc) & np.isfinite(fresh.auc_low)
    if not known.any():
        return None
    corrected = fresh.auc[known]
    mean = (
        Estimate(float(corrected.mean()))
        if np.isfinite(corrected).all()
        else Estimate(None, reason="The share of the variance that is due to the data is too uncertain.")
    )
    low = float(fresh.auc_low[known].mean())
    return NewDataMeans(fresh.share, fresh.share_error, float(auc[known].mean()), mean, low)


def auc_on_new_data(
    auc: Float[np.ndarray, " examples"], fraction: float, share: float
) -> Float[np.ndarray, " examples"]:
    """Phi(Phi^-1(AUC) / sqrt(1 + share f / (1 - f))): the spread of both sides grows, their distance stays.

    Exact for normal signals whose dependence on the data is linear; 0 and 1 stay where they are.

    Args:
      auc: of models trained on parts of one pool.
      fraction: of the pool that a model trains on.
      share: of the variance between models that comes of the draw of that part.
    """
    shrunk: np.ndarray = ndtri(auc) / np.sqrt(1.0 + share * fraction / (1.0 - fraction))
    return ndtr(shrunk)


def on_new_data(
    auc: Float[np.ndarray, " examples"],
    values: Float[np.ndarray, "models examples"],
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
) -> NewData:
    """Corrects per-example AUCs for the pool that all models share.

    Args:
      auc: what ``empirical_auc`` says of ``values``.
      values: signals, higher = more likely a member.
      member: True where the model trained on the example; all of the pool, since its overlaps tell the share.
      valid: False for models to leave out.
    """
    member, values = member[valid], values[valid]
    fraction = float(member.mean()) if member.size else 0.5
    if not 0.0 < fraction < 1.0:
        nothing = np.full(len(auc), np.nan)
        return NewData(nothing, nothing, None, None)
    low = auc_on_new_data(auc, fraction, 1.0)
    share, error = data_share(values, member)
    if share is None or error is None or error > _SURE_ENOUGH:
        return NewData(np.full(len(auc), np.nan), low, share, error)
    return NewData(auc_on_new_data(auc, fraction, share), low, share, error)


def data_share(
    values: Float[np.ndarray, "models examples"], member: Bool[np.ndarray, "models examples"]
) -> tuple[float | None, float | None]:
    """Share of the variance between models that is linear in their membership, and its standard error.

    Models with more members in common have more alike signals, as relatives have more alike traits: a Haseman-Elston
    regression of products of residuals on overlaps, solved exactly for residuals about the means of each example's two
    sides, each side in units of its own deviation, and averaged over examples.

    Args:
      values: signals; examples with a missing one are left out.
      member: who trained on what.

    Returns:
      ``(share, error)``, the share within [0, 1]; None where models or examples are too few.
    """
    judged = np.flatnonzero(np.isfinite(values).all(axis=0))
    if len(member) < _FEWEST_MODELS or judged.size == 0:
        return None, None
    judged = judged[np.unique(np.linspace(0, judged.size - 1, min(judged.size, _MOST_EXAMPLES)).astype(np.int64))]
    rates = member.mean(axis=0)
    centred = (member - rates).astype(np.float32)
    overlap = (centred @ centred.T).astype(np.float64)
    size = float(np.trace(overlap))
    if size <= 0.0:
        return None, None
    overlap *= len(member) / size

    def without(group: int) -> float | None:
        kept = np.arange(len(member)) % _GROUPS != group  # all of them for a group that is none
        return _share(values[np.ix_(kept, judged)], member[np.ix_(kept, judged)], overlap[np.ix_(kept, kept)])

    whole, *parts = map(without, (-1, *range(_GROUPS)))
    if whole is None or any(part is None for part in parts):
        return None, None
    error = float(np.sqrt((_GROUPS - 1) * np.var(np.array(parts, np.float64))))
    return min(max(whole, 0.0), 1.0), error


def _share(values: np.ndarray, member: np.ndarray, overlap: np.ndarray) -> float | None:
    """With P the projection onto residuals and K the overlaps, E[y K y] = a tr(PKPK) + b tr(PK) and E[y y] = a tr(PK) +
    b (M - 2); the share is a / (a + b), from the mean of y K y / y y over examples.

    P takes off what the two sides, units u and v, explain; since u + v is constant, K v follows from K u.
    """
    inside = member.astype(np.float64)
    counts = (inside.sum(axis=0), (1.0 - inside).sum(axis=0))
    sums = _along(values, inside)
    inner: Float[np.ndarray, " examples"] = sums / np.maximum(counts[0], 1)
    outer: Float[np.ndarray, " examples"] = (values.sum(axis=0) - sums) / np.maximum(counts[1], 1)
    residuals = np.zeros(values.shape)
    np.subtract(values, np.where(member, inner, outer), out=residuals)
    squares = (_along(residuals * inside, residuals), _along(residuals * (1.0 - inside), residuals))
    variances = [square / np.maximum(count - 1, 1) for square, count in zip(squares, counts, strict=True)]
    usable = np.all([(count >= 2) & (var > 0.0) for count, var in zip(counts, variances, strict=True)], axis=0)
    if not usable.any():
        return None
    residuals, inside = residuals[:, usable], inside[:, usable]
    ins, outs = (count[usable] for count in counts)
    scales: list[np.ndarray] = [1.0 / np.sqrt(variance[usable]) for variance in variances]
    residuals *= np.where(member[:, usable], scales[0], scales[1])
    whole = overlap.sum(axis=1)
    through = overlap @ inside
    beyond = whole[:, None] - through
    both, one = _along(inside, through), whole @ inside  # u K u, and u K (u + v), before their scales
    other = float(whole.sum()) - one
    explained = both / ins, (one - both) ** 2 / (ins * outs), (other - (one - both)) / outs
    crossed = explained[0] ** 2 + 2.0 * explained[1] + explained[2] ** 2
    squared = float(np.vdot(overlap, overlap)) + crossed
    squared -= 2.0 * (_along(through, through) / ins + _along(beyond, beyond) / outs)
    once = float(np.trace(overlap)) - explained[0] - explained[2]
    freedom = len(values) - 2.0
    alike = _along(residuals, overlap @ residuals) / _along(residuals, residuals)
    below = float((squared - once - alike * (once - freedom)).sum())
    return float((freedom * alike - once).sum()) / below if below > 0.0 else None


def _along(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Products summed over models, without an array of them all."""
    return np.einsum("ij,ij->j", left, right)
