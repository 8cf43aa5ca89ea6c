"""Figures of merit by class, or by any other grouping of the examples or of the (model, example) cells."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from miajax.errors import UserError
from miajax.metrics.clusters import Groups
from miajax.metrics.summary import FPRS, AttackSummary, summarise
from miajax.notes import noted


def summarise_slices(
    scores: Float[np.ndarray, "models examples"],
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
    slices: Mapping[str, Shaped[np.ndarray, "*cells"]],
    *,
    fprs: Sequence[float] = FPRS,
    each_target: bool = True,
    groups: Groups = None,
) -> tuple[dict[str, dict[str, AttackSummary | None]], list[str]]:
    """Returns what ``summarise`` makes of every category of every slicing, and notes on the missing ones.

    Within a category the attack's threshold is the category's own. A category is None, with the reason in a note,
    where no target has scores for both a member and a non-member in it.

    Args:
      scores: higher = more likely a member; NaN where the attack had no score to give.
      member: True where the model trained on the example.
      valid: False for models that did not train well.
      slices: by name, one category for each example ``[N]`` (labels, groups of a metric, a column of the data) or for
        each cell ``[M, N]`` (whether the model is right about the example): booleans, integers or strings.
      fprs: false-positive rates at which to give the TPR, where the category's non-members resolve them.
      each_target, groups: as in ``summarise``.

    Raises:
      UserError: a slicing of another shape.
    """
    figures: dict[str, dict[str, AttackSummary | None]] = {}
    notes: list[str] = []
    for name, categories in slices.items():
        if categories.shape not in (scores.shape, scores.shape[1:]):
            raise UserError(
                f"slices by {name} have shape {categories.shape}",
                expected=f"{scores.shape[1:]}, one category an example, or {scores.shape}, one a cell",
            )
        figures[name] = {}
        for category in np.unique(categories):
            where = np.broadcast_to(categories == category, scores.shape)
            scored = where & ~np.isnan(scores) & valid[:, None]
            of_members, of_others = (scored & side for side in (member, ~member))
            if (of_members.any(axis=1) & of_others.any(axis=1)).any():
                entry = summarise(scores, member, valid, fprs=fprs, where=where, each_target=each_target, groups=groups)
            else:
                entry = None
                numeric = isinstance(category, (int, float, np.integer, np.floating))
                reason = _reason(of_members, of_others)
                which = noted("{}" if numeric else "{category}", *[category][:numeric], category=str(category))
                notes.append(noted("{name} = {which}: no figures, {reason}.", name=name, which=which, reason=reason))
            figures[name][str(category)] = entry
    return figures, notes


def _reason(of_members: Bool[np.ndarray, "models examples"], of_others: Bool[np.ndarray, "models examples"]) -> str:
    if not of_members.any():
        return "it has no scored member"
    if not of_others.any():
        return "it has no scored non-member"
    return "no target has both a scored member and a scored non-member in it"


def quantile_groups(values: Float[np.ndarray, " examples"], num_groups: int = 4) -> Int[np.ndarray, " examples"]:
    """Groups examples by rank: ``num_groups`` of about equal size, numbered from 1 (lowest); equal values together.

    Args:
      values: one number an example, such as an outlier metric; NaN gets group 0.
      num_groups: how many groups.
    """
    known = ~np.isnan(values)
    ascending = np.sort(values[known])
    ranks = np.searchsorted(ascending, values[known], side="left")
    groups = np.zeros(len(values), np.int64)
    groups[known] = 1 + ranks * num_groups // max(len(ascending), 1)
    return groups
