"""What a study returns, besides the files it leaves."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from miajax.campaign.gathered import Campaign
from miajax.metrics.forms import LEFT_OUT
from miajax.metrics.json_form import to_json
from miajax.metrics.objections import Objection
from miajax.studies.common import Scores

Record = Mapping[str, Any]
"""Settings, versions and checks by name, as the run folder keeps them: pages print them, whatever they are."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
    """What a study found: what its page, its sentences and its table read, and what ``results.json`` is made of.

    Attributes:
      timing: seconds by what they were spent on.
      notes: what a reader of the figures should know, a sentence each.
      objections: what the figures say to known objections; None of studies that lead with no attack figure.
    """

    timing: Mapping[str, float] = dataclasses.field(default_factory=dict[str, float])
    notes: tuple[str, ...] = ()
    objections: Annotated[tuple[Objection, ...] | None, LEFT_OUT] = None


What = TypeVar("What", covariant=True)


@dataclasses.dataclass(frozen=True, eq=False)
class FoundResult(Generic[What]):
    """What every study returns.

    Attributes:
      folder: where ``results.json`` and ``report.html`` lie.
      results: what ``results.json`` holds.
      found: the same as a value.
    """

    folder: Path
    results: Mapping[str, Any] = dataclasses.field(init=False)
    found: What

    def __post_init__(self):
        object.__setattr__(self, "results", to_json(self.found))


@dataclasses.dataclass(frozen=True, eq=False)
class FoundInCampaign(FoundResult[What]):
    """What a study of one campaign found, as a value.

    Attributes:
      campaign: the shadow models and their signals.
    """

    campaign: Campaign


@dataclasses.dataclass(frozen=True, eq=False)
class AttackedResult(FoundInCampaign[What]):
    """What attacks on every model of a campaign found.

    Attributes:
      scores: ``{attack: float32[M, N]}``, higher = member.
    """

    scores: Scores
