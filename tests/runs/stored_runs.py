"""Finished run folders made of simulated signals: no training."""

from pathlib import Path

import numpy as np

from miajax.runs.atomic import write_npy, write_sealed
from miajax.runs.derived import remember
from miajax.runs.folder import RunFolder
from miajax.runs.integrity import array_hash


def simulated_run(
    path: Path,
    num_models: int = 6,
    num_examples: int = 31,
    queries: int = 1,
    classes: int = 4,
    failed: tuple[int, ...] = (),
    keep_logits: bool = True,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Writes a run; returns its membership, labels, signals ``[M, N, Q]``, logits ``[M, N, Q, C]`` and scores."""
    rng = np.random.default_rng(seed)
    member = np.argsort(rng.random((num_models, num_examples)), 1) < num_examples // 2
    labels = rng.integers(0, classes, num_examples).astype(np.int32)
    own = labels[None, :, None, None] == np.arange(classes)
    logits = rng.normal(size=(num_models, num_examples, queries, classes)).astype(np.float32)
    logits = (logits + 3 * own + own * member[:, :, None, None]).astype(np.float32)
    others = np.log(np.where(own, 0, np.exp(logits.astype(np.float64))).sum(-1))
    signals = (np.where(own, logits, 0).sum(-1) - others).astype(np.float32)
    signals[list(failed)], logits[list(failed)] = np.nan, np.nan
    scores = {"global_threshold": signals.mean(-1), "lira_online": np.where(member, signals.mean(-1), np.nan)}

    facts = {"plan": {}, "device": "none", "labels_sha256": array_hash(labels)}
    folder = RunFolder.create(path, {"dataset": "simulated"}, facts)
    write_npy(path / "membership.npy", member)
    write_npy(path / "labels.npy", labels)
    write_sealed(path / "config.json", {"model": "mlp", "seed": seed, "recipe": {"epochs": 30, "optimizer": "sgd"}})
    half = num_models // 2
    for models in (range(half), range(half, num_models)):
        rows = slice(models.start, models.stop)
        valid = np.isfinite(signals[rows]).all((1, 2))
        beside = {"logits": logits[rows]} if keep_logits else {}
        facts = {"membership_sha256": array_hash(member[rows])}
        folder.save_group(models, {"signals": signals[rows], "valid": valid}, beside, None, facts)
    folder.assemble("signals", num_models)
    for name, array in scores.items():
        write_npy(path / "scores" / f"{name}.npy", array.astype(np.float32))
    remember(path, path / "membership.npy", *(path / "scores").glob("*.npy"))
    return {"membership": member, "labels": labels, "signals": signals, "logits": logits, **scores}
