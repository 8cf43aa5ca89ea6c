"""RMIA with every model as the target: 256 models, 10,000 examples, 2,500 population examples, 10 classes.

    python -m benchmarks.rmia_scoring [--json FILE] [--quick]

The rival scores one target after another in NumPy, as one does who knows that a sorted population answers all examples;
it is timed on a few targets and scaled to all.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _flags
from benchmarks._rows import Row, print_rows, write_json
from miajax.attacks.options import AttackOptions, RmiaOptions
from miajax.attacks.registry import run_attack
from miajax.signals.bundle import Signals

MODELS, EXAMPLES, POPULATION, CLASSES = 256, 10_000, 2_500, 10
_TARGETS = 8  # of the rival's
_TEMPERATURE, _GAMMA = 2.0, 2.0
_OPTIONS = AttackOptions(rmia=RmiaOptions(temperature=_TEMPERATURE, gamma=_GAMMA))


def main(json: Path | None = None, quick: bool = False) -> None:
    """Compares online RMIA with per-target NumPy.

    Args:
      json: where to write the rows.
      quick: 1,000 examples and 250 of the population.
    """
    examples, population, repeats = (1_000, 250, 2) if quick else (EXAMPLES, POPULATION, 5)
    rng = np.random.default_rng(0)
    labels, population_labels = (rng.integers(0, CLASSES, size, np.int32) for size in (examples, population))
    member = np.stack([rng.permutation(examples) < examples // 2 for _ in range(MODELS)])
    logits = rng.standard_normal((MODELS, examples, 1, CLASSES), np.float32)
    of_population = rng.standard_normal((MODELS, population, CLASSES), np.float32)
    for values, classes in ((logits[:, :, 0], labels), (of_population, population_labels)):
        values[:, np.arange(len(classes)), classes] += 2.0
    logits[:, np.arange(examples), 0, labels] += member
    valid = np.ones(MODELS, bool)
    unread = np.zeros((MODELS, examples), bool)
    signals = Signals(
        scaled_logit=unread[..., None], correct=unread, labels=labels, logits=logits,
        population_logits=of_population, population_labels=population_labels,
    )  # fmt: skip

    def ours() -> np.ndarray:
        return np.asarray(run_attack("rmia_online", signals, member, valid, _OPTIONS)[0])

    def rival() -> tuple[float, np.ndarray]:
        """Seconds for all targets, and the scores of the first few."""
        prepared, (log_p, log_z) = _seconds(
            lambda: (_ratios(logits[:, :, 0], labels), _ratios(of_population, population_labels))
        )
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            seconds, scores = _seconds(lambda: list(pool.map(lambda k: _score(log_p, log_z, k), range(_TARGETS))))
        return prepared + seconds * MODELS / _TARGETS, np.stack(scores)

    first, scores = _seconds(ours)
    mine, theirs = [], []
    for _ in range(repeats):  # alternating, so that whatever else the machine does hits both sides
        mine.append(_seconds(ours)[0])
        seconds, checked = rival()
        theirs.append(seconds)
        np.testing.assert_allclose(checked, scores[:_TARGETS], atol=5.0 / population)

    size = f"{MODELS} models x {examples:,} examples x {population:,} of the population"
    rows = [
        Row(f"online RMIA, {size}, every target", "s", mine,
            {"NumPy, population sorted once a target, targets on all cores, scaled from 8 targets": theirs}),
        Row("the same, compilation included", "s", [first]),
    ]  # fmt: skip
    print_rows("RMIA scoring", rows)
    if json:
        write_json(json, rows)


def _seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def _ratios(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Log-likelihood of the label, ``[M, N]``."""
    scaled = logits / _TEMPERATURE
    top = scaled.max(-1, keepdims=True)
    return scaled[:, np.arange(len(labels)), labels] - (top[..., 0] + np.log(np.exp(scaled - top).sum(-1)))


def _score(log_p: np.ndarray, log_z: np.ndarray, target: int) -> np.ndarray:
    """The share of the population whose ratio is beaten by a factor of gamma; p(x) is the mean of the other models."""

    def ratio(values: np.ndarray) -> np.ndarray:
        others = np.delete(values, target, 0)
        top = others.max(0)
        return values[target] - (top + np.log(np.exp(others - top).mean(0)))

    beaten = np.sort(ratio(log_z))
    return np.searchsorted(beaten, ratio(log_p) - np.log(_GAMMA), side="left") / len(beaten)


if __name__ == "__main__":
    _flags.call(main)
