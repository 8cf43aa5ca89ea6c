"""Differential privacy of a campaign: its flags, its mechanisms, and what its models have really spent."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jaxtyping import Int

from miajax.data.splits import Split
from miajax.described import described
from miajax.errors import UserError
from miajax.runs.mounts import settled
from miajax.training.dp.accounting import Accountant, Sampling
from miajax.training.dp.mechanism import Mechanism, Overflow, Privacy, Unit, finite_or_none
from miajax.training.dp.noise import KEY_FILE, public_key, secret_key
from miajax.training.dp.step import PrivateStep
from miajax.typed import Json

_FORMER_DEFAULTS = {"dp_accountant": "pld"}  # which the folders of earlier runs without privacy hold


@described
@dataclasses.dataclass(frozen=True)
class PrivacyFlags:
    """Differentially private training; off unless --dp_epsilon or --dp_noise_multiplier is given."""

    dp_epsilon: float | None = None
    """train privately: budget of each model's whole training, to which the noise is calibrated; inf: clip only"""
    dp_noise_multiplier: float | None = None
    """train privately: standard deviation of the noise over the clipping norm, instead of a budget"""
    dp_delta: float = 1e-5
    """delta of the guarantee; below 1 / members"""
    dp_clip_norm: float = 1.0
    """norm that each example's gradient is cut to"""
    dp_sampling: Sampling = "poisson"
    """poisson: each member by itself; fixed_size: batches of equal size, accounted as such (replace-one adjacency)"""
    dp_overflow: Overflow = "truncate"
    """a Poisson sample larger than its slots is cut, and accounted so (truncate), or worked off in further microbatches
    (microbatch)"""
    dp_slots: int | None = None
    """places of a Poisson batch; chosen so that cutting costs no measurable epsilon when not given"""
    dp_microbatch: int | None = None
    """the most examples in memory at a time, for batches that don't fit; a whole batch when not given (8 on a CPU, for
    networks with convolutions)"""
    dp_augmentation_multiplicity: int = 1
    """views of each example whose gradients are averaged before clipping; needs --flip, --shift or --cutout"""
    dp_accountant: Accountant = "smaller"
    """whose bound on epsilon counts: the smaller of both, pld (privacy loss distributions) or rdp (Renyi)"""
    dp_reproducible_noise: bool = False
    """derive noise and samples from --seed instead of a secret key: for tests, not for release"""
    dp_unit: Unit | None = None
    """unit of the guarantee: one row, or one group of rows (--group_column) such as a person. The mean gradient of a
    group's rows is clipped as one; --batch_size, --dp_slots and --dp_microbatch then count groups. Not given: groups
    where the data have them"""
    dp_statistics_epsilon: float | None = None
    """with --feature_bounds: standardise each model's inputs by means and deviations of its own members, released with
    noise at this epsilon, which is part of the budget"""

    @classmethod
    def of(cls, privacy: Privacy) -> "PrivacyFlags":
        """The flags that ask for ``privacy``."""
        return cls(**{f"dp_{name}": value for name, value in dataclasses.asdict(privacy).items()})

    def asked(self) -> Privacy | None:
        """What is asked for; None where training is not private.

        Raises:
          UserError: a setting out of range, or settings of a private training that nobody asked for.
        """
        if self.dp_epsilon is None and self.dp_noise_multiplier is None:
            for field in dataclasses.fields(self):
                if getattr(self, field.name) not in (field.default, _FORMER_DEFAULTS.get(field.name, field.default)):
                    raise UserError(
                        f"--{field.name} {getattr(self, field.name)} without private training",
                        expected="--dp_epsilon or --dp_noise_multiplier with it",
                    )
            return None
        return Privacy(**{field.name: getattr(self, f"dp_{field.name}") for field in dataclasses.fields(Privacy)})


def with_units(privacies: Sequence[Privacy], grouped: bool) -> tuple[Privacy, ...]:
    """The mechanisms asked for, each with what it protects: groups where the data have them, unless rows were asked.

    Raises:
      UserError: groups were asked for, and rows have none.
    """
    for privacy in privacies:
        if privacy.unit == "group" and not grouped:
            raise UserError(
                "--dp_unit group without groups", expected="--group_column, or an archive with the array groups"
            )
    whole: Unit = "group" if grouped else "row"
    return tuple(dataclasses.replace(privacy, unit=privacy.unit or whole) for privacy in privacies)


def privacy_identity(privacy: Privacy) -> dict[str, Any]:
    """What models depend on of a mechanism; what earlier versions did not know is there where it is used."""
    settings = dataclasses.asdict(privacy)
    if privacy.unit != "group":
        del settings["unit"]
    if privacy.statistics_epsilon is None:
        del settings["statistics_epsilon"]
    return settings


def refuse_rows_of_groups(setup: Any) -> None:
    """Refuses to hold a guarantee about rows against members drawn by group, which differ in many rows at once.

    Args:
      setup: of the campaign.

    Raises:
      UserError: its guarantee is about rows, and its members are groups.
    """
    if setup.dataset.groups is not None and any(mechanism.unit == "row" for mechanism in setup.mechanisms):
        raise UserError(
            "lower bounds on epsilon for --dp_unit row where members are drawn by group",
            expected="--dp_unit group, or data without --group_column",
            remedy="Models with and without a group differ in all of its rows, which no guarantee about one row covers",
        )


def check_sweep(privacies: Sequence[Privacy], split: Split) -> None:
    """Refuses several mechanisms that don't make one ensemble.

    Raises:
      UserError: models come in pairs, which would train under different mechanisms.
      ValueError: only some of the mechanisms have noise that follows from the seed.
    """
    if len(privacies) > 1 and split == "balanced":
        raise UserError("--split balanced for models of several mechanisms", expected="fixed_size or bernoulli")
    if len({privacy.reproducible_noise for privacy in privacies}) > 1:
        raise ValueError("the models of one ensemble share the source of their noise")


def noise_key(mechanisms: Sequence[Mechanism], folder: Path, seed: int) -> np.ndarray:
    """``uint32[2]``: the run folder's secret, or the key that follows from the seed where that was asked for."""
    if not all(m.releasable for m in mechanisms):
        return public_key(seed)
    key = secret_key(folder)
    return secret_key(folder) if settled(folder / KEY_FILE) else key  # of several machines, the first one's key counts


def taken_up(
    privacies: Sequence[Privacy], mechanisms: Sequence[Mechanism], identity: Mapping[str, Any]
) -> tuple[tuple[Privacy, ...], tuple[Mechanism, ...]]:
    """The mechanisms with the noise that a run folder's models were trained with, where it was asked for the same.

    An earlier version may have calibrated other noise to the same budget. Whatever the noise, epsilon is computed of it
    anew; a budget that it no longer meets is told as what is spent.

    Args:
      privacies, mechanisms: of this campaign.
      identity: of the run in the folder.
    """
    stored = identity.get("privacy", [])
    if len(stored) != len(privacies):
        return tuple(privacies), tuple(mechanisms)
    asked: list[Privacy] = []
    running: list[Mechanism] = []
    for privacy, mechanism, before in zip(privacies, mechanisms, stored, strict=True):
        noise, name = before.get("resolved_noise_multiplier"), before.get("accountant")
        if noise is None or privacy.accountant not in ("smaller", name) or name not in get_args(Accountant):
            return tuple(privacies), tuple(mechanisms)
        asked.append(dataclasses.replace(privacy, accountant=name))
        step = dataclasses.replace(mechanism.step, noise_multiplier=float(noise))
        running.append(dataclasses.replace(mechanism, step=step))
    return tuple(asked), tuple(running)


def calibration_note(privacies: Sequence[Privacy], mechanisms: Sequence[Mechanism]) -> str | None:
    """A sentence on budgets that are overspent by noise of an earlier version; None where none is."""
    over = [
        f"{spent:.4g} of {privacy.epsilon:g}"
        for privacy, mechanism in zip(privacies, mechanisms, strict=True)
        if privacy.epsilon is not None and (spent := mechanism.epsilon(mechanism.steps)) > privacy.epsilon
    ]
    if not over:
        return None
    return f"The noise was calibrated by an earlier version and spends more than was asked for: {', '.join(over)}."


def private_line(mechanism: Mechanism) -> str:
    """A mechanism for people, in one line."""
    step, budget = mechanism.step, mechanism.spent(mechanism.steps)
    return (
        f"private: {step.sampling} batches of {step.batch_size} {mechanism.unit}s, "
        f"clipping norm {mechanism.clip_norm:g}, noise multiplier {step.noise_multiplier:g}, "
        f"epsilon {budget.epsilon:.4g} at delta {mechanism.delta:g} ({budget.accountant})"
    ) + (
        ""
        if mechanism.statistics_epsilon is None
        else f", statistics of the inputs (epsilon {mechanism.statistics_epsilon:g} alone) included"
    )


def private_facts(mechanisms: Sequence[Mechanism], step: PrivateStep | None) -> dict[str, Any]:
    """What a manifest says of private training, nothing of it secret."""
    if step is None:
        return {}
    return {"mechanisms": [mechanism.record() for mechanism in mechanisms], "clipping": step.plan.lines()}


def privacy_record(mechanism: Mechanism, steps: Int[np.ndarray, " models"], told: Sequence[str] = ()) -> dict[str, Any]:
    """``privacy`` of ``results.json``: the mechanism, what it guarantees of each model, and what they have spent.

    Args:
      mechanism: of all these models.
      steps: that each of them ran.
      told: what was read off the records before training, and is not covered either.
    """
    spent = [mechanism.epsilon(int(ran)) for ran in steps]
    record = mechanism.record()
    answered = mechanism.steps_to_answer_for(int(steps.max()))
    return {
        "epsilon": finite_or_none(mechanism.epsilon(answered)),
        "epsilon_by_accountant": mechanism.by_accountant(answered),
        **record,
        "not_covered": [*told, *record["not_covered"]],
        "private_steps": [int(ran) for ran in steps],
        "epsilon_per_model": [finite_or_none(epsilon) for epsilon in spent],
    }


def privacy_note(record: Json) -> str:
    """What a reader of any figure of private models should know, in one sentence."""
    spent = record["epsilon"]
    if spent is None and record["noise_multiplier"]:
        return f"The noise is too little for any finite epsilon at delta {record['delta']:g}: there is no guarantee."
    if spent is None:
        return "Gradients were clipped but no noise was added: the models have no privacy guarantee."
    proven = (
        f"Each model is ({math.ceil(spent * 1000) / 1000:g}, {record['delta']:g})-differentially private "
        f"({record['adjacency']}, accountant {record['accountant']})"
    )
    if record["release"] != "secret noise":
        return f"{proven} only for those who don't know the seed, which the noise follows from: not for release."
    return f"{proven}; the guarantee is for a model's parameters, not for this folder."
