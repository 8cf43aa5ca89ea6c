"""A trainer made private, and what its models are given."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from miajax.training.dp.mechanism import Mechanism, Privacy, resolve
from miajax.training.dp.step import PrivateInputs, PrivateStep
from miajax.training.losses import cross_entropy
from miajax.training.trainer import Trainer


def private_trainer(trainer: Trainer, privacy: Privacy) -> Trainer:
    """The trainer with every step private.

    Raises:
      UserError: whatever in model, recipe and privacy would break the guarantee, or has no bound.
    """
    mechanism = resolve(privacy, trainer.recipe, trainer.capacity, trainer.ragged)
    step = PrivateStep.of(
        mechanism,
        trainer.model,
        lambda params, x, key: trainer.forward(params, {}, x, key)[0],
        partial(cross_entropy, label_smoothing=trainer.recipe.label_smoothing),
        trainer.example_shape,
    )
    return dataclasses.replace(trainer, private=step)


def private_inputs(mechanisms: Sequence[Mechanism], key: np.ndarray) -> Callable[[np.ndarray], PrivateInputs]:
    """What ``Ensemble`` gives each model: the secret key ``uint32[2]``, and clip norm and noise of its own mechanism.

    Args:
      mechanisms: one for all models, or one a model id: a sweep over noise and clipping is one ensemble.
      key: from ``noise.secret_key`` (or ``public_key``, for tests).

    Raises:
      ValueError: the mechanisms differ in more than clipping norm and noise multiplier.
    """
    shapes = {(m.step.sampling, m.step.rate, m.width, m.block, m.views) for m in mechanisms}
    if len(shapes) != 1:
        raise ValueError("the models of one ensemble share sampling, slots and views")
    clip_norms = np.array([m.clip_norm for m in mechanisms], np.float32)
    multipliers = np.array([m.step.noise_multiplier for m in mechanisms], np.float32)

    def of(model_ids: np.ndarray) -> PrivateInputs:
        rows = np.zeros_like(model_ids) if len(mechanisms) == 1 else model_ids
        keys = np.broadcast_to(np.asarray(key, np.uint32), (len(model_ids), 2)).copy()
        return PrivateInputs(keys, clip_norms[rows], multipliers[rows])

    return of
