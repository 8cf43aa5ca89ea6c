"""What a campaign keeps on disk: which files, how large, and what is in them."""

import dataclasses
from pathlib import Path

import numpy as np

from miajax.campaign.config import Setup, plain
from miajax.campaign.epochs import LARGE, Records
from miajax.campaign.programs import Finished
from miajax.runs.atomic import write_npy, write_sealed
from miajax.runs.derived import remember
from miajax.runs.group_names import GROUPS_FILE
from miajax.training.plan import bytes_per_model

_SMALL_KINDS = ("signals", "correct", "valid", "training_loss", "training_accuracy")
_SMALL = 2 << 30  # what is kept without being asked for


def kept(setup: Setup) -> tuple[str, ...]:
    """Which large files the campaign keeps, and why they fit."""
    config = setup.config
    if config.keep is not None:
        return config.keep
    sizes, kinds = file_sizes(setup), ("logits",) if setup.estimator else ("logits", "parameters")
    return tuple(kind for kind in kinds if sizes[kind] <= _SMALL)


def file_sizes(setup: Setup) -> dict[str, int]:
    """Bytes on disk of each kind of file, for all models."""
    config, dataset = setup.config, setup.dataset
    cells = config.num_shadows * dataset.num_examples
    return {
        "signals": 2 * 4 * cells * config.queries,
        "logits": 4 * cells * config.queries * dataset.num_classes,
        "losses": 4 * cells * config.recipe.epochs,
        "margins": 4 * cells * config.recipe.epochs,
        "early": 4 * cells * (dataset.num_classes + 1),
        "parameters": 0 if setup.estimator else config.num_shadows * bytes_per_model(setup.trainer)[0],
    }


def small_kinds(setup: Setup) -> tuple[str, ...]:
    """The small arrays that every group of the campaign holds."""
    official = ("official_test_accuracy",) if setup.dataset.test_labels is not None else ()
    return (*_SMALL_KINDS, *official, *(("private_steps",) if setup.mechanisms else ()))


def store_inputs(path: Path, setup: Setup, member: np.ndarray) -> None:
    """Writes into the run folder what has to lie there before the first model trains: membership and labels."""
    write_npy(path / "membership.npy", member)
    remember(path, path / "membership.npy")
    write_npy(path / "labels.npy", setup.dataset.labels)
    if setup.dataset.groups is not None:
        write_npy(path / GROUPS_FILE, setup.dataset.groups)
    write_sealed(path / "config.json", plain(dataclasses.asdict(setup.config)))


def arrays_of(finished: Finished, records: Records) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """A finished group's small arrays, and the large ones that lie in files of their own.

    Signals and official accuracy of diverged models are NaN, and none of their answers counts as correct.
    """
    snapshot, pool, official = finished
    phi = np.array(pool.scaled_logit)
    valid = np.isfinite(phi).all((1, 2)) & np.isfinite(snapshot.history.loss[:, 0])
    phi[~valid] = np.nan
    arrays: dict[str, np.ndarray] = {
        "signals": phi,
        "correct": np.asarray(pool.correct) & valid[:, None],
        "valid": valid,
        "training_loss": np.asarray(snapshot.history.loss),
        "training_accuracy": np.asarray(snapshot.history.accuracy),
    }
    if official is not None:
        arrays["official_test_accuracy"] = np.where(valid, official, np.nan)
    if snapshot.state.private_steps is not None:
        arrays["private_steps"] = np.asarray(snapshot.state.private_steps)
    beside = {name: array for name, array in records.items() if name in LARGE}
    arrays |= {name: array for name, array in records.items() if name not in LARGE}
    if pool.logits is not None:
        beside["logits"] = np.asarray(pool.logits)
    return arrays, beside
