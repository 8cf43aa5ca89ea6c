"""What a study returns, besides the files it leaves."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from miajax.campaign.run import Campaign
from miajax.studies.common import Scores


@dataclasses.dataclass(frozen=True, eq=False)
class StudyResult:
    """What every study found.

    Attributes:
      folder: where ``results.json`` and ``report.html`` lie.
      results: what ``results.json`` holds.
    """

    folder: Path
    results: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class CampaignResult(StudyResult):
    """What a study of one campaign found.

    Attributes:
      campaign: the shadow models and their signals.
    """

    campaign: Campaign


@dataclasses.dataclass(frozen=True, eq=False)
class AttackedResult(CampaignResult):
    """What attacks on every model of a campaign found.

    Attributes:
      scores: ``{attack: float32[M, N]}``, higher = member.
    """

    scores: Scores
