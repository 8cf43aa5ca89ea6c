"""What can be told of members without asking any model: a blind baseline, and copies of members among the others."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated

from miajax.metrics.figures import Figure
from miajax.metrics.forms import LEFT_OUT


@dataclasses.dataclass(frozen=True)
class Guesser:
    """A classifier that guesses membership from features and label."""

    auc: Figure


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blind:
    """Whether features and label alone tell members from non-members.

    Attributes:
      classifiers: by name; none where members or non-members are too few.
      leaves_half: whether an interval leaves an AUC of one half; None without classifiers.
      reason: why there are no classifiers.
      num_members, num_non_members: that were looked at.
      num_examples: that these were drawn from; None in results of earlier versions.
    """

    classifiers: Mapping[str, Guesser]
    leaves_half: bool | None
    reason: Annotated[str | None, LEFT_OUT] = None
    num_members: int
    num_non_members: int
    num_examples: int | None = None
    folds: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Copied:
    """Examples that copy members.

    Attributes:
      count: examples.
      searched: of them for near copies, all for exact ones; None in results of earlier versions: all.
      exact, near: copies; the near ones include the exact.
      closest: ``(example, member, distance)``, the nearest first.
    """

    count: int
    searched: int | None = None
    exact: int
    near: int
    closest: tuple[tuple[int, int, float], ...]

    @property
    def num_searched(self) -> int:
        """Examples that were searched for near copies."""
        return self.count if self.searched is None else self.searched


@dataclasses.dataclass(frozen=True, kw_only=True)
class Copies:
    """How many non-members, and examples of the test split, copy a member.

    Attributes:
      test: None where the data set has no test split.
      median_distance: from a non-member to its nearest member, over standardised features.
      median_of: non-members behind it; None in results of earlier versions: all.
      near_below: the distance below which a copy is near.
    """

    non_members: Copied
    test: Copied | None
    median_distance: float
    median_of: int | None = None
    near_below: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Checks:
    """Both checks, which need no model."""

    blind: Blind
    near_duplicates: Copies
