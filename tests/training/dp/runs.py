"""Small private ensembles on digits."""

import jax
import numpy as np

from miajax.data.splits import Split, is_ragged, member_capacity, membership
from miajax.models.model import Model
from miajax.models.registry import ModelOptions, build_model
from miajax.training.dp.mechanism import Privacy, resolve
from miajax.training.dp.noise import public_key
from miajax.training.dp.step import PrivateInputs
from miajax.training.ensemble import Ensemble, Group
from miajax.training.parallel import Placement
from miajax.training.private import private_inputs, trainer_under
from miajax.training.recipe import Recipe
from miajax.training.scaling import InputScaling
from miajax.training.trainer import Trainer
from tests.training.helpers import digits

RECIPE = Recipe(epochs=3, batch_size=16, learning_rate=0.2)


def trainer(recipe: Recipe = RECIPE, split: Split = "fixed_size", model: Model | None = None, dataset=None) -> Trainer:
    """A trainer that is not private yet."""
    dataset = dataset or digits(101)
    return Trainer(
        model or build_model("mlp", 10, ModelOptions(widths=(8,))),
        recipe,
        InputScaling.of(dataset),
        member_capacity(dataset.num_examples, split, 0.5),
        is_ragged(dataset.num_examples, split),
        dataset.features.shape[1:],
        0,
    )


def private_trainer(trainer: Trainer, privacy: Privacy) -> Trainer:
    """The trainer with every step private."""
    return trainer_under(trainer, [resolve(privacy, trainer.recipe, trainer.capacity, trainer.ragged)])


def private_ensemble(devices, privacy, dataset=None, **options) -> Ensemble:
    """An ensemble in chunks of 2 with a known key."""
    dataset = dataset or digits(101)
    private = private_trainer(trainer(dataset=dataset, **options), privacy)
    assert private.private is not None
    inputs = private_inputs([private.private.mechanism], public_key(0))
    return Ensemble(private, dataset, Placement(tuple(devices), 2), inputs)


def started(ensemble: Ensemble, ids=(0, 1), split: Split = "fixed_size", members: np.ndarray | None = None) -> Group:
    """Untrained models of the given ids."""
    ids = np.asarray(ids)
    if members is None:
        members = membership(0, ensemble.dataset.num_examples, int(ids.max()) + 1, split)[ids]
    return ensemble.start(ids, members)


def trained(ensemble: Ensemble, ids=(0, 1), private: PrivateInputs | None = None, **options) -> Group:
    """Models of the given ids, trained to the end, under their own mechanism or other inputs to it."""
    group = started(ensemble, ids, **options)
    if private is not None:
        group.members = group.members._replace(private=private)
    ensemble.advance(group, ensemble.trainer.recipe.epochs)
    return group


def parameters(group: Group, model: int) -> np.ndarray:
    """One model's parameters as a flat vector."""
    return np.concatenate([np.ravel(np.asarray(leaf)[model]) for leaf in jax.tree.leaves(group.state.params)])
