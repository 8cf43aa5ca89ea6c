"""A trainer made private, and what its models are given."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from jaxtyping import Int

from miajax.training.dp.mechanism import Mechanism
from miajax.training.dp.statistics import Statistics, standardising
from miajax.training.dp.step import PrivateInputs, PrivateStep
from miajax.training.losses import cross_entropy
from miajax.training.trainer import Trainer


def trainer_under(
    trainer: Trainer, mechanisms: Sequence[Mechanism], columns: Int[np.ndarray, "..."] | None = None
) -> Trainer:
    """The trainer with every step private, for models that differ in clipping norm and noise multiplier at most.

    Args:
      trainer: of the recipe that the mechanisms were resolved for.
      mechanisms: one, or several that models take in turn.
      columns: of each entry of a row, as `Statistics` has it; of mechanisms that release statistics.

    Raises:
      UserError: the network's training cannot be private.
      ValueError: the mechanisms differ in more than clipping norm and noise multiplier, or columns are missing.
    """
    _check_one_program(mechanisms)
    # A step without noise is compiled only where no model has any.
    loudest = max(mechanisms, key=lambda mechanism: mechanism.step.noise_multiplier)
    step = PrivateStep.of(
        loudest,
        trainer.model,
        lambda params, x, key: trainer.forward(params, {}, x, key)[0],
        partial(cross_entropy, label_smoothing=trainer.recipe.label_smoothing),
        trainer.example_shape,
    )
    trainer = dataclasses.replace(trainer, private=step)
    if loudest.step.released is None:
        return trainer
    if columns is None:
        raise ValueError("a mechanism that releases statistics, without the columns that they are of")
    statistics = Statistics.of(columns, loudest.step.released, loudest.step.adjacency)
    return dataclasses.replace(trainer, model=standardising(trainer.model, statistics), statistics=statistics)


def private_inputs(mechanisms: Sequence[Mechanism], key: np.ndarray) -> Callable[[np.ndarray], PrivateInputs]:
    """What ``Ensemble`` gives each model: the secret key ``uint32[2]``, and clip norm and noise of its own mechanism.

    Args:
      mechanisms: one for all models, or several that models take in turn by id: a sweep over noise and clipping is one
        ensemble.
      key: from ``noise.secret_key`` (or ``public_key``, for tests).

    Raises:
      ValueError: the mechanisms differ in more than clipping norm and noise multiplier.
    """
    _check_one_program(mechanisms)
    clip_norms = np.array([m.clip_norm for m in mechanisms], np.float32)
    multipliers = np.array([m.step.noise_multiplier for m in mechanisms], np.float32)

    def of(model_ids: np.ndarray) -> PrivateInputs:
        rows = np.asarray(model_ids) % len(mechanisms)
        keys = np.broadcast_to(np.asarray(key, np.uint32), (len(model_ids), 2)).copy()
        return PrivateInputs(keys, clip_norms[rows], multipliers[rows])

    return of


def _check_one_program(mechanisms: Sequence[Mechanism]) -> None:
    if len({(m.step.sampling, m.step.rate, m.width, m.block, m.views, m.step.released) for m in mechanisms}) != 1:
        raise ValueError("the models of one ensemble share sampling, slots, views and the noise of their statistics")
