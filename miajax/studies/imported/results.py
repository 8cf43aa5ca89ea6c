"""What is found of signals that were computed elsewhere."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

from miajax.metrics.claims import Lead
from miajax.metrics.figures import Estimate
from miajax.metrics.people import People
from miajax.metrics.summary import AttackSummary
from miajax.studies.results import Found, Record


@dataclasses.dataclass(frozen=True, kw_only=True)
class Imported(Found):
    """Attacks on imported signals.

    Attributes:
      dataset, model: the source, and in which format it came.
      num_shadows, num_valid: models, and those whose signals are finite.
      unit, num_groups: whether groups of rows were members as a whole, and how many groups rows have.
      groups: what is said of groups that are members as a whole; None where there are none.
      queries: views of each example.
      target: None, as every model is one.
      train_accuracy, test_accuracy, generalization_gap: of models whose predictions came along.
      attacks_not_run: why, by attack.
      num_non_members: pooled over targets.
      failed_models: those that are left out.
    """

    dataset: str
    model: str
    num_shadows: int
    num_valid: int
    num_examples: int
    member_fraction: float
    unit: Literal["row", "group"]
    num_groups: int | None
    groups: People | None = None
    queries: int
    target: int | None = None
    train_accuracy: Estimate
    test_accuracy: Estimate
    generalization_gap: Estimate
    attacks: Mapping[str, AttackSummary]
    attacks_not_run: Mapping[str, str]
    strongest: Lead | None
    num_non_members: int
    versions: Record
    failed_models: tuple[int, ...]
