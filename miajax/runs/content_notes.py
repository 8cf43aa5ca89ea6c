"""What content gives reason to doubt without proving it wrong: notes for whoever reads the figures."""

import numpy as np
from jaxtyping import Bool, Float, Int

from miajax.runs.content_checks import kind_of_rows


def note_on_answers(rows: Float[np.ndarray, "... classes"]) -> tuple[str, ...]:
    """A note where what a network answers is no logits, since training and attacks take it for logits.

    Rows of zeros, as untrained networks give whose last layer starts at 0, say nothing.
    """
    kind = kind_of_rows(rows)
    if kind not in ("probabilities", "bounded") or not np.any(rows):
        return ()
    sums, last = ("sum to 1", "softmax") if kind == "probabilities" else ("do not sum to 1", "sigmoid")
    return (
        f"The network's answers lie in 0..1 and {sums}: it seems to end in a {last}. Loss and attacks take them "
        f"for unnormalised logits. Leave the {last} out of the network (docs/models.md).",
    )


def note_on_order(
    predicted: Int[np.ndarray, "models examples"],
    labels: Int[np.ndarray, " examples"],
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
) -> tuple[str, ...]:
    """A note where labels agree with predictions as rarely as chance, of members and non-members alike.

    Chance is the agreement of two independent draws, one from the predictions and one from the labels; three standard
    errors of N independent examples are allowed for.
    """
    accuracy, chance, spread = chance_agreement(predicted, labels, member, valid)
    if max(accuracy) >= chance + 3 * spread:
        return ()
    return (
        f"Labels agree with the likeliest class in {accuracy[0]:.1%} of members and {accuracy[1]:.1%} of non-members, "
        f"where chance is {chance:.1%}: rows and labels may be in different orders.",
    )


def chance_agreement(
    predicted: Int[np.ndarray, "models examples"],
    labels: Int[np.ndarray, " examples"],
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
) -> tuple[list[float], float, float]:
    """How often predictions are the label, of members and of non-members; of independent draws; and its deviation."""
    counts = np.unique(labels, return_counts=True)
    share = dict(zip(counts[0].tolist(), counts[1] / len(labels), strict=True))
    guesses = np.unique(predicted[valid], return_counts=True)
    chance = sum(share.get(c, 0.0) * k for c, k in zip(guesses[0].tolist(), guesses[1], strict=True)) / guesses[1].sum()
    hits, inside = (predicted == labels)[valid], member[valid]
    accuracy = [float(hits[side].mean()) for side in (inside, ~inside)]
    return accuracy, float(chance), float((chance * (1 - chance) / len(labels)) ** 0.5)


def note_on_copies(phi: Float[np.ndarray, "models ..."], valid: Bool[np.ndarray, " models"]) -> tuple[str, ...]:
    """A note that names models whose signals are another's to the last bit: one model counted twice."""
    seen: dict[bytes, int] = {}
    pairs: list[str] = []
    for model in np.flatnonzero(valid):
        first = seen.setdefault(np.ascontiguousarray(phi[model]).tobytes(), int(model))
        if first != model:
            pairs.append(f"{model} of {first}")
    if not pairs:
        return ()
    more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
    listed = ", ".join(pairs[:5]) + more
    return (f"Models with the same signals as another, to the last bit: {listed}. Each counts as a model.",)


def note_on_rows_drawn_together(member: Bool[np.ndarray, "models examples"]) -> tuple[str, ...]:
    """A note where far more rows are members of just the same models than rows drawn one by one would be.

    Of rows drawn by themselves into half of M models a pair agrees in all of them once in 2^M; other shares of members
    make that more frequent, each model by f^2 + (1 - f)^2. The number of such pairs is Poisson, nearly.
    A model with just the members or the non-members of another (complementary pairs) says nothing new.
    """
    member = np.unique(member ^ member[:, :1], axis=0)
    counts = np.unique(np.packbits(member, axis=0), axis=1, return_counts=True)[1].astype(np.float64)
    share, rows = np.asarray(member.mean(1), np.float64), member.shape[1]
    expected = rows * (rows - 1) / 2 * float(np.prod(share**2 + (1 - share) ** 2))
    found = float((counts * (counts - 1)).sum() / 2)
    if found <= 3 + 2 * expected + 6 * expected**0.5:
        return ()
    return (
        f"{int(counts[counts > 1].sum())} of {rows} rows are members of just the same models as another row: they seem "
        "to be drawn together, as those of one person are. Figures are by row and understate what is at stake for a "
        "person, and their intervals are too narrow. --groups says which rows belong together.",
    )


def note_on_polarity(auc: float, interval: tuple[float, float]) -> tuple[str, ...]:
    """A note where members look less fitted than non-members.

    Args:
      auc, interval: the AUC of one threshold on the scaled logit for all examples, and its interval.
    """
    if interval[1] >= 0.5:
        return ()
    return (
        f"Members have lower scaled logits than non-members (AUC {auc:.3f}): signals may be stored with the "
        "opposite sign, or membership with 0 for members. --signal_kind says what signals are.",
    )
