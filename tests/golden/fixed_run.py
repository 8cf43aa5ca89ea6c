"""A finished run folder on digits whose models' answers are simulated: the same on every machine, without training."""

import dataclasses
from pathlib import Path

import numpy as np

from miajax.campaign.config import Setup, plain
from miajax.campaign.planning import planned
from miajax.runs.atomic import write_npy, write_sealed
from miajax.runs.integrity import array_hash
from tests.studies.helpers import small

KEPT = ("logits", "losses", "margins", "early")


def fixed_run(path: Path, num_models: int = 16, **changes) -> Setup:
    """Writes the run of ``small(num_models, **changes)``: examples of unlike difficulty, and members more confident.

    Args:
      path: its folder, new.
      num_models: M.
      **changes: fields of the configuration.
    """
    setup = small(num_models, keep=KEPT, **changes)
    dataset, member = setup.dataset, setup.membership()
    _, folder, _ = planned(setup, path, {"device": "simulated", "provenance": {}}, lambda line: None)
    write_npy(path / "membership.npy", member)
    write_npy(path / "labels.npy", dataset.labels)
    write_sealed(path / "config.json", plain(dataclasses.asdict(setup.config)))
    epochs, classes = setup.config.recipe.epochs, dataset.num_classes
    rng = np.random.default_rng(0)
    n = dataset.num_examples
    easy = rng.normal(3.0, 1.5, n)
    leak = rng.gamma(1.0, 1.0, n)
    own = np.eye(classes, dtype=bool)[dataset.labels]
    noise = rng.normal(size=(num_models, epochs, n, classes))
    growth = (np.arange(epochs) + 1) / epochs
    height = growth[None, :, None] * (easy[None, None] + leak[None, None] * member[:, None])
    logits = noise + own * height[..., None]
    others = np.log(np.where(own, 0.0, np.exp(logits)).sum(-1))
    phi = np.where(own, logits, 0.0).sum(-1) - others
    margin = np.where(own, logits, 0.0).sum(-1) - np.where(own, -np.inf, logits).max(-1)
    losses = np.logaddexp(0.0, -phi)
    history = losses.mean(2).astype(np.float32)
    for models in (range(num_models // 2), range(num_models // 2, num_models)):
        rows = slice(models.start, models.stop)
        arrays = {
            "signals": phi[rows, -1, :, None].astype(np.float32),
            "correct": margin[rows, -1] > 0,
            "valid": np.ones(len(models), bool),
            "training_loss": history[rows],
            "training_accuracy": (margin[rows] > 0).mean(2).astype(np.float32),
            "early_gradient_norm": losses[rows, 0].astype(np.float32),
        }
        facts = {
            "plan": folder.manifest["plan"], "training_s": 1.0, "membership_sha256": array_hash(member[rows])
        }  # fmt: skip
        beside = {
            "logits": logits[rows, -1, :, None].astype(np.float32),
            "losses": losses[rows].astype(np.float32),
            "margins": margin[rows].astype(np.float32),
            "early_logits": logits[rows, 0].astype(np.float32),
        }
        folder.save_group(models, arrays, beside, None, facts)
    return setup


def fixed_target(path: Path, run: Path) -> None:
    """A target from elsewhere: the answers of a model that is none of the run's, about the run's examples."""
    rng = np.random.default_rng(1)
    labels = np.load(run / "labels.npy")
    member = np.argsort(rng.random(len(labels))) < len(labels) // 2
    own = np.eye(10, dtype=bool)[labels]
    logits = rng.normal(size=own.shape) + own * (3.0 + 2.0 * member[:, None])
    np.savez(path, membership=member, logits=logits.astype(np.float32))


def fixed_arrays(path: Path) -> None:
    """Signals from elsewhere as plain arrays, for ``import_signals``."""
    rng = np.random.default_rng(2)
    m, n, c = 12, 200, 5
    member = np.argsort(rng.random((m, n)), 1) < n // 2
    labels = rng.integers(0, c, n)
    own = np.eye(c, dtype=bool)[labels]
    logits = rng.normal(size=(m, n, c)) + own * (2.0 + rng.gamma(1.0, 1.0, n)[:, None] * member[..., None])
    np.savez(path, membership=member, labels=labels, logits=logits.astype(np.float32))
