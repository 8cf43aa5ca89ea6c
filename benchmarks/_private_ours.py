"""Our side of the comparison of private training: whole trainings of an ensemble, with or without each of its parts."""

import dataclasses
import time
from collections.abc import Mapping
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks._contest import Outcome
from benchmarks._workloads import Workload
from miajax import compat
from miajax.campaign.config import Setup
from miajax.models.model import count_parameters
from miajax.training.devices import usable_cores
from miajax.training.dp.mechanism import Privacy
from miajax.training.dp.noise import public_key
from miajax.training.ensemble import Ensemble
from miajax.training.plan import choose_plan
from miajax.training.private import private_inputs

StepPart = Literal["plain", "clipped_fixed", "clipped_poisson", "noisy_poisson", "noisy_fixed"]
CLIP_NORM, NOISE = 1.0, 1.0
PRIVACY: Mapping[str, Privacy] = {
    "clipped_fixed": Privacy(noise_multiplier=0.0, clip_norm=CLIP_NORM, sampling="fixed_size", accountant="rdp"),
    "clipped_poisson": Privacy(noise_multiplier=0.0, clip_norm=CLIP_NORM),
    "noisy_poisson": Privacy(noise_multiplier=NOISE, clip_norm=CLIP_NORM),
    "noisy_fixed": Privacy(noise_multiplier=NOISE, clip_norm=CLIP_NORM, sampling="fixed_size", accountant="rdp"),
}


def private_setup(workload: Workload, part: StepPart, batch: int | None = None) -> Setup:
    """The workload, its steps private as ``part`` says; ``batch`` replaces the recipe's."""
    recipe = workload.campaign.recipe
    changed = dataclasses.replace(recipe, batch_size=batch or recipe.batch_size)
    setup = dataclasses.replace(workload, campaign=dataclasses.replace(workload.campaign, recipe=changed)).setup()
    if part == "plain":
        return setup
    return Setup.of(setup.config, setup.dataset, setup.trainer.model, privacies=[PRIVACY[part]])


def prepared(setup: Setup, models: int) -> tuple[Ensemble, int]:
    """An ensemble on all cores, as the campaign would plan it, and how many models share a group."""
    size = (setup.dataset.num_examples, 1, setup.dataset.num_classes)
    plan = choose_plan(setup.trainer, *size)
    narrow = min(plan.chunk, -(-models // plan.num_devices))
    plan = choose_plan(setup.trainer, *size, chunk=narrow, group=models)
    inputs = private_inputs(setup.mechanisms, public_key(0)) if setup.mechanisms else None
    return Ensemble(setup.trainer, setup.dataset, plan.placement(), inputs), plan.group


class PrivateTraining:
    """Models 0 to ``models - 1``, trained for the recipe's epochs.

    Args:
      workload: what is trained.
      models: side by side.
      part: what of a private step is done.
      batch: instead of the recipe's.
    """

    def __init__(self, workload: Workload, models: int, part: StepPart, batch: int | None = None):
        # Before anything starts the backend, as looking at a private network's layers does.
        compat.set_cpu_device_count(min(usable_cores(), models))
        setup = private_setup(workload, part, batch)
        self.ensemble, self.group = prepared(setup, models)
        assert len(self.ensemble.placement.devices) >= min(usable_cores(), models) or jax.default_backend() != "cpu"
        self.member = setup.membership(models)
        self.units = models * setup.config.recipe.epochs * setup.trainer.steps_per_epoch
        self.epochs = setup.config.recipe.epochs
        begin = time.perf_counter()
        self.ensemble.compile(self.group)
        self.compile_seconds = time.perf_counter() - begin
        example = jax.ShapeDtypeStruct((1, *setup.trainer.example_shape), jnp.float32)
        self.facts: Mapping[str, int] = {
            "parameters": count_parameters(setup.trainer.model, example),
            "expected batch": setup.config.recipe.batch_size,
            "members": setup.trainer.capacity,
        }

    def run(self) -> int:
        group = self.ensemble.start(np.arange(len(self.member)), self.member, self.group)
        self.ensemble.advance(group, self.epochs)
        jax.block_until_ready(group.state)
        return self.units

    def outcome(self) -> Outcome | None:
        return None


def bytes_of(workload: Workload, models: int, part: StepPart, batch: int) -> int:
    """What the compiler plans for training so many models side by side, summed over the cores."""
    ensemble, group = prepared(private_setup(workload, part, batch), models)
    ensemble.compile(group)
    return ensemble.programs["advance"].device_bytes() * len(ensemble.placement.devices)
