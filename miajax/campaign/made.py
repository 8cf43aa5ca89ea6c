"""How a run's models came about: seconds, devices, versions and calls, summed over every command that made them.

A run grows over several commands and workers, and studies come back to it later. What one process measured of itself
says nothing of the models that were there before, so every group of models keeps its own record, and reports sum those.
"""

import datetime
import importlib.metadata
import platform
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import miajax
from miajax.campaign.gathered import Campaign
from miajax.campaign.stored import rebuilt_plan, stored_plan
from miajax.estimators.elsewhere import ELSEWHERE
from miajax.runs.folder import RunFolder, range_name
from miajax.runs.made import Made, Trainer

_PARTS = ("compile_s", "train_s", "query_s")


def versions() -> dict[str, str]:
    """Versions of what decides results, of this process."""
    packages = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy", "scikit-learn")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"miajax": miajax.__version__, "python": platform.python_version(), **found}


def group_record(device: str, *, compile_s: float, train_s: float, query_s: float) -> dict[str, Any]:
    """``made`` of a group's own record: when, on what and with what it was made.

    Args:
      device: the machine.
      compile_s: compiling since the process stored its last group.
      train_s: training and what was recorded between epochs, processes before an interruption included.
      query_s: asking the models about the pool.
    """
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {
        "at": now, "device": device, "versions": versions(),
        "compile_s": compile_s, "train_s": train_s, "query_s": query_s,
    }  # fmt: skip


def made(campaigns: Sequence[Campaign], device: str) -> Made:
    """What all commands together spent on the models of some campaigns.

    Args:
      campaigns: whose models the results rest on.
      device: this process's machine.
    """
    records: list[dict[str, Any]] = []
    timed, groups, other_bits = 0, 0, False
    by = {trainer_of(campaign) for campaign in campaigns}
    for campaign in campaigns:
        for models in _used(campaign.folder, len(campaign.valid)):
            facts, groups = campaign.folder.group_facts(models), groups + 1
            if "plan" in facts:
                own = rebuilt_plan(campaign.folder.groups / range_name(models) / "group.json", facts["plan"])
                other_bits |= bool(own.differing_bits(stored_plan(campaign.folder)))
            if (record := facts.get("made")) is not None and trainer_of(campaign) != "elsewhere":
                records.append(record)
                timed += len(models)
    spent = {part: sum(record[part] for record in records) if records else None for part in _PARTS}
    return Made(
        by=next(each for each in get_args(Trainer) if each in by),
        models=sum(len(campaign.valid) for campaign in campaigns),
        models_here=sum(campaign.trained for campaign in campaigns),
        models_timed=timed,
        **spent,
        groups=groups,
        groups_without_record=groups - len(records),
        first=min((record["at"] for record in records), default=None),
        last=max((record["at"] for record in records), default=None),
        devices=tuple(_unique(record["device"] for record in records)),
        versions=tuple(_unique(record["versions"] for record in records)),
        other_bits=other_bits,
        device_here=device,
    )


def trainer_of(campaign: Campaign) -> Trainer:
    """Who trained a campaign's models."""
    if campaign.setup.estimator is None:
        return "miajax"
    return "elsewhere" if campaign.setup.estimator.reference == ELSEWHERE else "estimator"


def training_seconds(folder: RunFolder, num_models: int) -> float | None:
    """Seconds of training a model, all cores together on one group at a time; None where a group has no record.

    Neither compilation nor what was recorded between epochs is in it. A group that was begun by another process has no
    record, nor do runs of earlier versions.
    """
    groups = _used(folder, num_models)
    spent = [folder.group_facts(models).get("training_s") for models in groups]
    known = [seconds for seconds in spent if seconds is not None]
    return sum(known) / sum(map(len, groups)) if len(known) == len(groups) else None


def _used(folder: RunFolder, num_models: int) -> list[range]:
    return [models for models in folder.done() if models.start < num_models]


def _unique(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
