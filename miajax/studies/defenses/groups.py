"""Defended models asked about groups of rows, such as people, instead of single rows."""

import copy
import dataclasses

import numpy as np
from jaxtyping import Bool

from miajax.metrics.clusters import by_group
from miajax.metrics.groups import JOINS, Join, joined
from miajax.studies.attacked.groups import join_of
from miajax.studies.defenses.figures import Answered, Attacks, exposed, most_vulnerable, row_figures
from miajax.studies.defenses.results import AttacksJoined, Onion, RowAttacks, RowOfGroups


def asked_by_group(attacks: Attacks, join: Join | None = None) -> Attacks:
    """The same attacks on groups of rows: scores ``[M, G]``, each group a draw of its own.

    A group's score joins those of its rows that a defence left in the pool; it is a member where one of these is, and
    left out where none is there. What models say of a group is the mean over its rows, and so is their accuracy.

    Args:
      attacks: on rows, members of which were drawn by group.
      join: how scores are joined; as each attack's are by default.
    """
    groups = attacks.groups
    assert groups is not None, "rows have groups"
    found = copy.copy(attacks)
    found.groups = None
    found.survivors = by_group(attacks.survivors, groups) > 0
    found.original = _of_groups(attacks.original, np.ones_like(attacks.survivors))
    found.defended = _of_groups(attacks.defended, attacks.survivors)

    def together(scores: np.ndarray, attack: str) -> np.ndarray:
        return joined(np.where(attacks.survivors, scores, np.nan), groups, join or join_of(attack))

    found.threshold, found.gap = (together(attacks.threshold, "global_threshold"), together(attacks.gap, "gap"))
    found.naive, found.carried, found.adaptive = (
        together(scores, attacks.lira) for scores in (attacks.naive, attacks.carried, attacks.adaptive)
    )
    return found


def _of_groups(answered: Answered, left: Bool[np.ndarray, " examples"]) -> Answered:
    groups = answered.groups
    assert groups is not None, "rows have groups"
    phi = joined(np.where(left, answered.signals.mean(-1), np.nan), groups, "mean")
    right = by_group(answered.correct & left, groups) / np.maximum(by_group(left, groups), 1)
    return Answered(by_group(answered.member & left, groups) > 0, answered.valid, phi[..., None], right)


def top_groups(before: Attacks) -> Bool[np.ndarray, " groups"]:
    """The 1 % of the groups that two Gaussians tell apart best by the mean of their rows, on undefended models."""
    asked = asked_by_group(before)
    return most_vulnerable(asked.defended, asked.survivors)


def row_of_groups(
    attacks: Attacks,
    before: Attacks,
    top: Bool[np.ndarray, " groups"],
    flagged: Bool[np.ndarray, " examples"] | None,
    comparisons: int,
) -> RowOfGroups:
    """The attacks' part of a row, asked about groups.

    Args:
      attacks, before: on rows of the defended and of the undefended models.
      top: the groups that were most vulnerable before.
      flagged: rows that an example-specific defence protects, or None; a group is flagged where one of its rows is.
      comparisons: see ``row_figures``.
    """
    groups = before.groups
    assert groups is not None, "rows have groups"
    flags = None if flagged is None else by_group(flagged, groups) > 0
    lead = row_figures(asked_by_group(attacks), asked_by_group(before), top, flags, comparisons)
    fields = {field.name: getattr(lead, field.name) for field in dataclasses.fields(RowAttacks)}
    names = ("global_threshold", "gap", attacks.lira)
    joins: dict[str, Join] = {name: join_of(name) for name in names}
    each = {join: _joined(asked_by_group(attacks, join)) for join in JOINS}
    return RowOfGroups(
        **fields, num_groups=len(top), headline=joins, sum=each["sum"], mean=each["mean"], max=each["max"]
    )  # fmt: skip


def _joined(asked: Attacks) -> AttacksJoined:
    everybody = np.ones(len(asked.survivors), bool)
    return AttacksJoined(
        threshold=asked.figures(asked.threshold, everybody),
        gap=asked.figures(asked.gap, everybody),
        lira_naive=asked.figures(asked.naive, everybody),
        lira_carried=asked.figures(asked.carried, everybody),
        lira_adaptive=asked.figures(asked.adaptive, everybody),
    )


def onion_of_groups(dropped: Attacks, control: Attacks, before: Attacks) -> Onion | None:
    """See ``exposed``, of groups."""
    return exposed(*map(asked_by_group, (dropped, control, before)))
