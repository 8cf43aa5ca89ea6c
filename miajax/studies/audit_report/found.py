"""What studies left, as values: attacks, slices, single records and people, files, bounds."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from miajax.metrics.claims import Lead
from miajax.metrics.claims import lead_of as strongest_of
from miajax.metrics.most_exposed import Shares
from miajax.report.numbers import Estimate
from miajax.studies.results import Found, Record
from miajax.typed import Json

Kind = Literal["run", "import", "target"]
"""Models trained here; models trained elsewhere, by their signals; one model trained elsewhere, against a run's."""


@dataclasses.dataclass(frozen=True)
class AttackFound:
    """One attack's figures.

    Attributes:
      name: of the attack.
      auc: with its own 95 % interval.
      tprs: the TPR by false-positive rate as results name it; without a value where it is not resolved.
    """

    name: str
    auc: Estimate
    tprs: Mapping[str, Estimate]

    def shows(self, fpr: str) -> bool:
        """Whether there are non-members enough for the rate."""
        return fpr in self.tprs and self.tprs[fpr].value is not None


@dataclasses.dataclass(frozen=True)
class SliceFound:
    """The leading attack within one slice of the records.

    Attributes:
      by: what slices them, such as ``class``.
      name: of the slice.
      auc: with its own 95 % interval; without a value where it has none.
      num_members: scores of members behind it.
    """

    by: str
    name: str
    auc: Estimate
    num_members: int


@dataclasses.dataclass(frozen=True)
class FileFound:
    """A file that the report rests on: its path within the folder, the study that wrote it, and its SHA-256."""

    name: str
    study: str
    sha256: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Named(Shares):
    """A record by its number, or a person by their key."""

    name: str


@dataclasses.dataclass(frozen=True)
class BoundFound:
    """A lower bound on epsilon by an empirical audit of the same run: its name, the bound, its confidence."""

    name: str
    epsilon: float | None
    confidence: float


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """Scores to draw a curve from: ``scores`` and ``member``, of any one shape; NaN where an attack gives none."""

    scores: Float[np.ndarray, "..."]
    member: Bool[np.ndarray, "..."]


def lead_of(results: Json) -> Lead | None:
    """The strongest attack of results: by group where members are drawn by group."""
    return strongest_of(results["groups"] if results.get("groups") else results)


Status = Literal["measured", "partly measured", "stated", "not measured"]


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the report says to the questions of a section.

    Attributes:
      section: topic of the section.
      status: whether it was measured, or stated by the auditor.
      told: the answer in a sentence.
    """

    section: str
    status: Status
    told: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuditReportFound(Found):
    """What ``results.json`` of the audit report holds.

    Attributes:
      run: name of the folder.
      num_models: models that were attacked.
      unit: what members are drawn by, ``record`` or the name of a group.
      strongest: as the study has it, by that unit.
      most_exposed: records, or groups.
      most_exposed_missing: why there are none.
      slices: the strongest attack by slice of the records.
      answers: to the questions of guidance.
      stated: by the auditor.
      files: that all of it rests on.
    """

    kind: Kind
    run: str
    dataset: str
    model: str
    num_models: int
    num_examples: int
    unit: str
    strongest: Lead | None
    most_exposed: tuple[Named, ...]
    most_exposed_missing: str | None
    slices: tuple[SliceFound, ...]
    privacy: Record | None
    answers: tuple[Answer, ...]
    stated: Mapping[str, str | None]
    files: tuple[FileFound, ...]
    versions: Record
