"""Figures per group: has a model trained on this person, whose rows are members together or not at all?

An attack scores rows. A group's score joins those of its rows. Where scores are log-likelihood ratios of membership,
their sum is the ratio of all rows together, as far as these are independent given the model: the strongest test there
is (Neyman and Pearson). Other scores have no such sum: the mean weighs all rows alike, the maximum asks whether any row
gives the person away. All three are given; which one leads follows from the attack alone, never from the figures.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from miajax.metrics.clusters import by_group
from miajax.metrics.figures import Figures
from miajax.metrics.forms import SPREAD
from miajax.metrics.summary import AttackSummary, summarise

Join = Literal["sum", "mean", "max"]
JOINS: tuple[Join, ...] = get_args(Join)
Found = TypeVar("Found")


def leading_join(log_likelihood_ratio: bool) -> Join:
    """How the scores of a group's rows are joined for the figure that leads."""
    return "sum" if log_likelihood_ratio else "mean"


def joined(
    scores: Float[np.ndarray, "models examples"], groups: Int[np.ndarray, " examples"], join: Join
) -> Float[np.ndarray, "models groups"]:
    """A group's score under every model, from its rows' scores, in float64.

    Args:
      scores: higher = more likely a member; NaN rows are left out, a group without any score has none.
      groups: of each row, 0..G-1.
      join: sum, mean or maximum of the rows that have a score.
    """
    scores = scores.astype(np.float64)
    known = ~np.isnan(scores)
    counts = by_group(known, groups)
    if join == "max":
        order = np.argsort(groups, kind="stable")
        starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
        together = np.maximum.reduceat(np.where(known, scores, -np.inf)[:, order], starts, axis=1)
    else:
        together = by_group(np.where(known, scores, 0.0), groups)
    if join == "mean":
        together = together / np.maximum(counts, 1)
    return np.where(counts > 0, together, np.nan)


def of_groups(
    member: Bool[np.ndarray, "models examples"], groups: Int[np.ndarray, " examples"]
) -> Bool[np.ndarray, "models groups"]:
    """Which model trained on which group: on its first row, as on all others where members are drawn by group."""
    return member[:, np.unique(groups, return_index=True)[1]]


def undivided(member: Bool[np.ndarray, "models examples"], groups: Int[np.ndarray, " examples"]) -> bool:
    """Whether every model trained on all rows of a group or on none: else no group is a member."""
    return bool((of_groups(member, groups)[:, groups] == member).all())


@dataclasses.dataclass(frozen=True)
class PerGroup(Generic[Found]):
    """What a study finds by group where it finds the same by row: under every way of joining, and what leads.

    Attributes:
      headline: how scores are joined for the figures that lead.
      num_groups: G.
      lead: the figures that lead.
      sum, mean, max: those of all joins.
    """

    headline: Join
    num_groups: int
    lead: Annotated[Found, SPREAD]
    sum: Found
    mean: Found
    max: Found

    @classmethod
    def of(cls, headline: Join, num_groups: int, found: Callable[[Join], Found]) -> "PerGroup[Found]":
        """All joins' figures by what finds those of one."""
        each = {join: found(join) for join in JOINS}
        return cls(headline, num_groups, each[headline], **each)


@dataclasses.dataclass(frozen=True)
class GroupFigures:
    """An attack's figures per group.

    Attributes:
      leads: how scores are joined for the figures that speak for the attack.
      by_join: the figures under every way of joining.
      num_groups: G.
    """

    leads: Join
    by_join: Mapping[Join, AttackSummary]
    num_groups: int

    @property
    def figures(self) -> AttackSummary:
        """Those that lead."""
        return self.by_join[self.leads]

    def to_json(self) -> dict[str, Any]:
        """``per_group`` of an attack: the figures that lead, and those of all joins by name."""
        each = {join: found.to_json() for join, found in self.by_join.items()}
        return {"headline": self.leads, "num_groups": self.num_groups, **Figures.to_json(self.figures), **each}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "GroupFigures":
        """The figures that ``to_json`` made an object of."""
        each: dict[Join, AttackSummary] = {join: AttackSummary.from_json(entry[join]) for join in JOINS}
        return cls(entry["headline"], each, entry["num_groups"])


def figures_per_group(
    scores: Float[np.ndarray, "models examples"],
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"] | None,
    groups: Int[np.ndarray, " examples"],
    leads: Join,
    **settings: Any,
) -> GroupFigures:
    """``summarise`` of groups instead of rows, their scores joined in all three ways.

    Args:
      scores, member, valid: as in ``summarise``.
      groups: of each row, 0..G-1; a group's rows are members together.
      leads: see ``leading_join``.
      **settings: ``fprs``, ``targets`` and ``each_target`` of ``summarise``.

    Raises:
      UserError: no target has scores of both a member and a non-member.
    """
    whole = of_groups(member, groups)
    found: dict[Join, AttackSummary] = {
        join: summarise(joined(scores, groups, join), whole, valid, **settings) for join in JOINS
    }
    return GroupFigures(leads, found, whole.shape[1])
