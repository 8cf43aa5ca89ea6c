"""What was reproduced so far, as ``results.json`` records it and the next call reads it again."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Literal

from miajax.metrics.forms import LEFT_OUT


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a campaign.

    Attributes:
      finding, report, not_run: of a part that is done: a sentence, its page below the folder, what it left out and why.
      reason: why it failed.
      asked: fingerprint of what it was asked for.
      seconds: of the call that finished it.
    """

    status: Literal["done", "failed"]
    finding: Annotated[str | None, LEFT_OUT] = None
    report: Annotated[str | None, LEFT_OUT] = None
    not_run: Annotated[Mapping[str, str] | None, LEFT_OUT] = None
    reason: Annotated[str | None, LEFT_OUT] = None
    num_shadows: int
    asked: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class CampaignParts:
    """One campaign, with the parts that have run, whatever their order."""

    dataset: str
    model: str
    parts: Mapping[str, Part]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reproduced:
    """Everything so far."""

    preset: str
    miniature: bool
    campaigns: Mapping[str, CampaignParts]
    versions: Mapping[str, str]
    timing: Mapping[str, float] = dataclasses.field(default_factory=dict[str, float])
