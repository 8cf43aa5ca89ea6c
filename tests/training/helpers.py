"""A small digits ensemble for tests of the engine."""

import jax
import numpy as np

from miajax.data.dataset import Dataset
from miajax.data.splits import Split, is_ragged, member_capacity, membership
from miajax.models.registry import build_model
from miajax.training.ensemble import Ensemble
from miajax.training.parallel import Parallel, Placement
from miajax.training.recipe import Recipe
from miajax.training.scaling import InputScaling
from miajax.training.trainer import Trainer


def digits(n: int = 301) -> Dataset:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return Dataset((x[:n] / 16).astype(np.float32), y[:n], 10, "digits")


def ensemble(
    num_models: int,
    devices: tuple[jax.Device, ...],
    *,
    chunk: int = 4,
    parallel: Parallel = "shard_map",
    split: Split = "fixed_size",
    recipe: Recipe | None = None,
    dataset: Dataset | None = None,
    seed: int = 0,
) -> tuple[Ensemble, np.ndarray]:
    """The ensemble and its membership ``bool[M, N]``."""
    dataset = dataset or digits()
    member = membership(seed, dataset.num_examples, num_models, split)
    capacity = member_capacity(dataset.num_examples, split, 0.5)
    trainer = Trainer(
        build_model("mlp", dataset.num_classes),
        recipe or Recipe(epochs=3, batch_size=32),
        InputScaling.of(dataset),
        capacity,
        is_ragged(dataset.num_examples, split),
        dataset.features.shape[1:],
        seed,
    )
    return Ensemble(trainer, dataset, Placement(devices, chunk, parallel)), member


def train(
    num_models: int,
    devices: tuple[jax.Device, ...],
    *,
    models: list[int] | None = None,
    cuts: tuple[int | tuple[int, int], ...] = (),
    **options,
) -> tuple[np.ndarray, ...]:
    """Final parameters of ``models`` (all by default) as flat arrays.

    Trained in calls cut at ``cuts``: epochs, or epochs with a number of steps after them.
    """
    group, member = ensemble(num_models, devices, **options)
    ids = np.arange(num_models) if models is None else np.array(models)
    run = group.start(ids, member[ids])
    for until in (*cuts, group.trainer.recipe.epochs):
        group.advance(run, *(until if isinstance(until, tuple) else (until,)))
    return tuple(np.asarray(leaf)[: len(ids)] for leaf in jax.tree.leaves(run.state.params))
