"""What was spent on models over all commands that made them."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

Trainer = Literal["elsewhere", "estimator", "miajax"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Made:
    """How models came about: sums over the groups that they were made in.

    Seconds of workers side by side are added up; they are None where no group kept a record, as of models trained
    elsewhere.

    Attributes:
      by: who trained: ``miajax``, an ``estimator`` that miajax called, or somebody ``elsewhere``.
      models, models_here: all of them, and those that this command trained.
      models_timed: those behind the seconds; a group that holds more models than the results rest on counts whole.
      first, last: when a group was finished, ISO 8601.
      devices, versions: all that models were made on and with.
      other_bits: whether a group's execution plan differs from its run's in what bits depend on.
      device_here: this command's.
    """

    by: Trainer = "miajax"
    models: int
    models_here: int
    models_timed: int
    compile_s: float | None
    train_s: float | None
    query_s: float | None
    groups: int
    groups_without_record: int
    first: str | None
    last: str | None
    devices: tuple[str, ...]
    versions: tuple[Mapping[str, str], ...]
    other_bits: bool
    device_here: str
