"""What studies that attack all models of a campaign find, as values: what their pages, sentences and tables read."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Annotated

from miajax.metrics.claims import Lead
from miajax.metrics.forms import LEFT_OUT
from miajax.metrics.new_data import NewDataMeans
from miajax.metrics.people import People
from miajax.metrics.per_record import PerRecords
from miajax.metrics.spread import Spread
from miajax.metrics.summary import AttackSummary
from miajax.studies.head import CampaignFound


@dataclasses.dataclass(frozen=True)
class AtClip:
    """The AUC of every attack with answers clipped there; None where one side has no score."""

    clip: float
    attacks: Mapping[str, float | None]


@dataclasses.dataclass(frozen=True)
class Move:
    """The attack whose AUC the clip moves most: at the clip of the run, and at the other one."""

    attack: str
    clip: float
    auc: float
    other_clip: float
    other_auc: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Saturation:
    """How much the figures rest on where answers of 0 and 1 are clipped.

    Attributes:
      kind: of answers.
      clip: where; None where answers are scores without bounds.
      rule: how the clip was chosen.
      votes: that an answer is the mean of, where the rule counts them.
      share_low, share_high: shares of the cells (model, example) whose label has a probability of at most the clip, or
        of at least one less it: they are ties.
      auc: at twice the clip, at the clip and at a fifth of it, without clips of 1/2 and more, which leave nothing, each
        over the cells that have a score at all of them; None where no cell saturates.
    """

    kind: str
    clip: float | None
    rule: str
    votes: int | None
    share_low: float = 0.0
    share_high: float = 0.0
    auc: tuple[AtClip, ...] | None = None
    moves_most: Move | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttackedFound(CampaignFound, abc.ABC):
    """What attacks on every model found, or on one.

    Attributes:
      attacks_not_run: why, by attack, in words that end a sentence.
      groups: of rows, such as people; None where rows have none.
      spread: of the strongest attack over the user's slices; None where none were asked for.
      saturation: None for networks.
      new_data: of the exposure of single examples; None where no example has any.
      per_record: false alarms of single records; None in results of earlier versions.
    """

    attacks_not_run: Mapping[str, str]
    strongest: Lead | None
    groups: People | None
    spread: Spread | None
    saturation: Annotated[Saturation | None, LEFT_OUT] = None
    new_data: NewDataMeans | None
    per_record: PerRecords | None = None

    @property
    def unit(self) -> str:
        """What members are drawn by: the name of the groups, or ``row``."""
        return "row" if self.groups is None else self.groups.name

    @property
    @abc.abstractmethod
    def figures(self) -> Mapping[str, AttackSummary]:
        """Of merit, of every attack that ran."""
