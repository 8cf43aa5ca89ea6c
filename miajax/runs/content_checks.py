"""What stored arrays hold, by their content: a name is a claim, and signals of the wrong sign would pass unseen.

Every reader of signals from elsewhere settles its arrays here. What is unmistakable is converted and said, what is in
doubt is refused until ``--signal_kind`` settles it.
"""

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logit, logsumexp

from miajax.errors import UserError

RowKind = Literal["logits", "probabilities", "log_probabilities", "losses"]
SignalKind = Literal["scaled_logits", "logits", "probabilities", "log_probabilities", "losses"]
GREATEST = 103.6  # the scaled logit of a probability of exactly 0 or 1, as published code has it: log(1e-45)
_SUM = 0.01  # how far float16 and rounding to two or three decimals take a sum of probabilities from 1


def kind_of_rows(rows: Float[np.ndarray, "... classes"]) -> str:
    """What rows over classes are by their values: a ``RowKind``, or ``bounded`` for values in 0..1 of other sums.

    Rows with NaN or infinity are not looked at. A loss of infinity, a log-probability of minus infinity are.
    """
    flat = np.asarray(rows, np.float64).reshape(-1, rows.shape[-1])
    flat = flat[~np.isnan(flat).any(-1)]
    if not len(flat) or rows.shape[-1] < 2:
        return "logits"
    low, high = flat.min(), flat.max()
    if low >= 0:
        if high <= 1 + _SUM and (np.abs(flat.sum(-1) - 1) <= _SUM).all():
            return "probabilities"
        if (np.abs(logsumexp(-flat, axis=-1)) <= _SUM).all():
            return "losses"
        return "bounded" if high <= 1 else "logits"
    if high <= 0 and (np.abs(logsumexp(flat, axis=-1)) <= _SUM).all():
        return "log_probabilities"
    return "logits"


def logits_of_rows(
    rows: Float[np.ndarray, "models ... classes"], where: str, told: SignalKind | None
) -> tuple[Float[np.ndarray, "models ... classes"], tuple[str, ...]]:
    """Logits of rows that are named logits, model by model.

    Rows on the simplex are probabilities whatever their name: their logarithms are logits with the same softmax.
    Rows of non-negative x whose exp(-x) sum to 1 are losses of every class; -x are logits.

    Args:
      rows: first axis models, last classes.
      where: for messages.
      told: what they are, in the user's words; judged by their values if None.

    Returns:
      ``float32``, and notes on what was assumed.

    Raises:
      UserError: models differ in kind, values are in doubt, or not what they are said to be.
    """
    if told == "scaled_logits":
        raise UserError(f"{where} has a class axis", expected="--signal_kind " + ", ".join(get_args(RowKind)))
    kinds = [kind_of_rows(model) for model in rows]
    plain = ["logits" if kind in ("log_probabilities", "bounded") else kind for kind in kinds]
    if told is not None:
        kind = told
    else:
        other = next((i for i, kind in enumerate(plain) if kind != plain[0]), None)
        if other is not None:
            raise UserError(
                f"{where} holds {plain[other]} of model {other} and {plain[0]} of model 0", expected="one kind of all"
            )
        if all(kind == "bounded" for kind in kinds):
            raise UserError(
                f"{where} holds values in 0..1 throughout that do not sum to 1, as sigmoids or rounded probabilities",
                expected="logits",
                remedy="Say what they are: --signal_kind probabilities, or --signal_kind logits to take them as stored",
            )
        kind = plain[0]
    rows = np.asarray(rows, np.float32)
    if kind == "probabilities":
        if rows.size and (np.nanmin(rows) < 0 or np.nanmax(rows) > 1 + _SUM):
            raise UserError(f"{where} holds values outside 0..1", expected="probabilities of every class")
        exact = int((rows == 0).any(-1).sum())
        with np.errstate(divide="ignore"):
            rows = np.maximum(np.log(rows), np.float32(-GREATEST))
        zeros = f" {exact} rows hold a probability of exactly 0, which counts as exp(-{GREATEST})." if exact else ""
        rule = f"their logarithms are taken as logits.{zeros}"
    elif kind == "losses":
        if rows.size and np.nanmin(rows) < 0:
            raise UserError(f"{where} holds a loss of {np.nanmin(rows):g}", expected="0 or more")
        rows, rule = np.maximum(-rows, np.float32(-GREATEST)), "their negatives are taken as logits."
    else:
        if kind == "log_probabilities" and np.nanmax(rows) > 0:
            raise UserError(f"{where} holds a log-probability of {np.nanmax(rows):g}", expected="0 or less")
        return rows, ()
    if told is not None:
        return rows, (f"{where} holds {kind} as --signal_kind says: {rule}",)
    looks = "rows in 0..1 that sum to 1" if kind == "probabilities" else "rows x >= 0 whose exp(-x) sum to 1"
    return rows, (f"{where} holds {looks}, so {kind} and no logits: {rule} --signal_kind logits takes them as stored.",)


def scaled_logits_of(
    values: np.ndarray, where: str, named: SignalKind, told: SignalKind | None = None, trusted: bool = False
) -> tuple[Float[np.ndarray, "*cells"], tuple[str, ...]]:
    """Scaled logits of one number per cell, whatever kind of number it is.

    With p the probability of the label: losses are -log p, and log(p / (1 - p)) = -log(exp(loss) - 1).

    Args:
      values: any shape; NaN stays NaN.
      where: for messages.
      named: what the file's name or place says.
      told: what the user says, which counts more.
      trusted: whether ``named`` is known otherwise, so that only impossible values are refused.

    Raises:
      UserError: values are impossible for their kind, or could as well be of another kind of the opposite sign.
    """
    kind: SignalKind = told or named
    if kind == "logits":
        raise UserError(
            f"{where} holds one number of each example, no class axis",
            expected="--signal_kind scaled_logits, probabilities, log_probabilities or losses",
        )
    values = np.asarray(values, np.float32 if kind == "scaled_logits" else np.float64)
    known = values[~np.isnan(values)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)
    notes: tuple[str, ...] = () if told in (None, named) else (f"{where} holds {kind} as --signal_kind says.",)
    doubt = not trusted and told is None and known.size > 0
    if kind == "probabilities":
        if low < 0 or high > 1:
            raise UserError(
                f"{where} holds values outside 0..1",
                expected="probabilities of the label",
                remedy="If they are something else: --signal_kind losses, log_probabilities or scaled_logits",
            )
        phi, capped = _capped(logit(values))
    elif kind == "log_probabilities":
        if high > 0:
            raise UserError(f"{where}: a log-probability of {high:g}", expected="0 or less")
        phi, capped = _of_losses(-values)
    elif kind == "losses":
        if low < 0:
            raise UserError(
                f"{where}: a loss of {low}",
                expected="cross-entropies in nats, 0 or more",
                remedy="" if high > 0 else "If they are log-probabilities: --signal_kind log_probabilities",
            )
        if doubt and high <= 1:
            raise UserError(
                f"{where} holds values in 0..1 throughout, as probabilities do",
                expected="losses in nats",
                remedy="Say what they are, since their signs are opposite: --signal_kind probabilities or losses",
            )
        phi, capped = _of_losses(values)
    else:
        if doubt and low >= 0:
            also = "probabilities or losses" if high <= 1 else "losses"
            raise UserError(
                f"{where} holds no value below 0, as {also}",
                expected="scaled logits",
                remedy=f"Say what they are: --signal_kind scaled_logits, or {also}",
            )
        if doubt and high <= 0:
            notes += (
                f"{where} holds no value above 0, as log-probabilities do: scaled logits were assumed. "
                "--signal_kind log_probabilities says otherwise.",
            )
        return values, notes
    return phi, (*notes, *capped)


def _of_losses(losses: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    with np.errstate(divide="ignore", over="ignore"):  # a loss of 0 is capped; large ones take the other branch
        return _capped(np.where(losses > 30, -losses, -np.log(np.expm1(losses))))


def _capped(phi: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    saturated = int((np.abs(phi) > GREATEST).sum())
    note = f"{saturated} signals were saturated (a probability of exactly 0 or 1) and count as ±{GREATEST}: they tie."
    return np.clip(phi, -GREATEST, GREATEST).astype(np.float32), (note,) if saturated else ()


def scaled_logits_of_logits(
    logits: Float[np.ndarray, "models examples queries classes"], labels: Int[np.ndarray, " examples"]
) -> Float[np.ndarray, "models examples queries"]:
    """Scaled logits by the definition, z_y - logsumexp of the others, as a reference to compare stored ones with."""
    own: np.ndarray = (labels[:, None] == np.arange(int(logits.shape[-1])))[:, None]
    phi = np.empty(logits.shape[:-1], np.float32)
    for model, z in enumerate(logits):
        phi[model] = np.where(own, z, 0).sum(-1) - logsumexp(np.where(own, -np.inf, np.asarray(z, np.float64)), axis=-1)
    return phi


def share_apart(one: np.ndarray, other: np.ndarray) -> float:
    """The share of cells in which two scaled logits of the same thing differ by more than precision explains.

    Beyond ±12 probabilities in float32 have lost their digits, and float16 keeps three. What was clipped (to a least
    value that is minus the greatest, as saturated answers of estimators are) is compared within its bounds.
    """
    known = np.isfinite(one) & np.isfinite(other)
    sides = one[known], other[known]
    reaches = [float(side.max()) for side in sides if len(side) and side.max() == -side.min()]
    reach = min([12.0, *reaches])
    a, b = (np.clip(side, -reach, reach) for side in sides)
    return float((np.abs(a - b) > 0.05 * (1 + np.abs(b))).mean()) if known.any() else 0.0


def check_sign(
    logits: Float[np.ndarray, "models examples classes"], labels: Int[np.ndarray, " examples"], where: str
) -> None:
    """Refuses logits whose smallest, not largest, entry is the label's.

    Raises:
      UserError: the label is the smallest entry in more than half of the rows, thrice as often as the largest.
    """
    top = float(np.mean([(model.argmax(-1) == labels).mean() for model in logits]))
    bottom = float(np.mean([(model.argmin(-1) == labels).mean() for model in logits]))
    if bottom > max(0.5, 3 * top):
        raise UserError(
            f"{where}: the label's entry is the smallest in {bottom:.1%} of rows and the largest in {top:.1%}",
            expected="logits, which are larger for likelier classes",
            remedy="If they are losses: --signal_kind losses; --signal_kind logits takes them as stored",
        )
