"""What a run says of its groups of rows, such as people: sizes, who is most exposed, who comes under two keys."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

from miajax.metrics.claims import Lead
from miajax.metrics.figures import Figure
from miajax.metrics.groups import Join


@dataclasses.dataclass(frozen=True)
class MostExposed:
    """The group that an attack names in the largest share of the models that trained on it.

    Attributes:
      group: its key.
      pooled_fpr: at which groups count as named.
      tpr: share of the models; the interval holds for all groups at once.
      models: that trained on it.
      median_tpr: of all groups.
      named_in_half: groups that are named in at least half of the models that trained on them.
      num_groups: with such a share.
    """

    group: str
    attack: str
    pooled_fpr: float
    tpr: Figure
    models: int
    median_tpr: float
    named_in_half: int
    num_groups: int


@dataclasses.dataclass(frozen=True)
class NearCopies:
    """Groups whose rows nearly copy those of another group.

    Attributes:
      count: pairs.
      searched: rows.
      near_below: the distance below which a row is near.
      pairs: some, ``(group, other group, rows that are near, rows of the group)``, most rows first.
    """

    count: int
    searched: int
    near_below: float
    pairs: tuple[tuple[str, str, int, int], ...]


@dataclasses.dataclass(frozen=True)
class AlikeKeys:
    """Groups whose keys differ in blanks, case, zeros in front or the encoding of letters only.

    Attributes:
      count: pairs.
      pairs: some, by name.
    """

    count: int = 0
    pairs: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class People:
    """The groups of a run.

    Attributes:
      name: of the column that groups rows.
      fewest_rows, most_rows, mean_rows: of a group.
      single_row: groups of one row.
      keys: what tables name groups by: the client's own keys, hashes of them, or numbers.
      joins: how each attack's scores of a group's rows are joined.
      strongest: attack by group.
      most_exposed: by that attack; None of a single model.
      near_copies: None where only signals are known.
    """

    name: str
    num_groups: int
    fewest_rows: int
    most_rows: int
    mean_rows: float
    single_row: int
    keys: Literal["own", "salted hashes", "numbers"]
    joins: Mapping[str, Join]
    strongest: Lead | None
    most_exposed: MostExposed | None
    near_copies: NearCopies | None
    alike_keys: AlikeKeys = AlikeKeys()
