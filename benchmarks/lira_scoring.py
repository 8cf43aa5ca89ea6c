"""Online LiRA with every model as the target: 256 models, 50,000 examples, 18 queries.

    python -m benchmarks.lira_scoring [--json FILE] [--quick]

The rivals score one target after another. They are timed on a few targets and examples and scaled to all: each target
and each example costs them the same. Their preparation that all targets share is scaled by the examples only.
"""

import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks import _flags
from benchmarks._rows import Row, print_rows, write_json
from miajax.attacks.lira import lira_scores

MODELS, QUERIES = 256, 18
Scorer = Callable[[range], np.ndarray]


def main(json: Path | None = None, quick: bool = False) -> None:
    """Compares our scoring with per-target NumPy.

    Args:
      json: where to write the rows.
      quick: 2,000 examples instead of 50,000.
    """
    examples, repeats = (2_000, 3) if quick else (50_000, 5)
    rng = np.random.default_rng(0)
    phi = rng.standard_normal((MODELS, examples, QUERIES), dtype=np.float32)
    member = np.stack([rng.permutation(examples) < examples // 2 for _ in range(MODELS)])
    phi += member[..., None]
    valid = np.ones(MODELS, bool)

    first = _seconds(lambda: lira_scores(phi, member, valid))
    ours, loop, tuned = [], [], []
    for _ in range(repeats):  # alternating, so that whatever else the machine does hits all sides
        ours.append(_seconds(lambda: lira_scores(phi, member, valid)))
        if len(ours) == 1:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        loop.append(_rival(_loop, phi, member, targets=1, part=1_000))
        tuned.append(_rival(_products, phi, member, targets=8, part=2_000))
    _check(phi, member, valid)

    usual = "NumPy loop over targets and examples, scaled from 1 target and 1,000 examples"
    best = "NumPy matrix products, targets on all cores, scaled from 8 targets and 2,000 examples"
    size = f"{MODELS} models x {examples:,} examples x {QUERIES} queries"
    rows = [
        Row(
            f"online LiRA (the other three variants come with it), {size}, every target",
            "s",
            ours,
            {best: tuned, usual: loop},
            common_practice=(usual,),
        ),
        Row("the same, compilation included", "s", [first]),
        Row("peak memory of the process, signals included", "GiB", [peak]),
    ]
    print_rows("LiRA scoring", rows)
    if json:
        write_json(json, rows)


def _seconds(work) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _rival(prepare: Callable[..., Scorer], phi: np.ndarray, member: np.ndarray, targets: int, part: int) -> float:
    some, mask = np.ascontiguousarray(phi[:, :part]), np.ascontiguousarray(member[:, :part])
    start = time.perf_counter()
    score = prepare(some, mask)
    prepared = time.perf_counter()
    score(range(targets))
    finished = time.perf_counter()
    return (prepared - start + (finished - prepared) * len(phi) / targets) * phi.shape[1] / some.shape[1]


def _loop(phi: np.ndarray, member: np.ndarray) -> Scorer:
    """The usual script: per target, gather every example's IN and OUT models, fit two Gaussians, score."""

    def score(targets: range) -> np.ndarray:
        scores = np.empty((len(targets), phi.shape[1]), np.float32)
        for row, target in enumerate(targets):
            shadows, mask = np.delete(phi, target, 0), np.delete(member, target, 0)
            for x in range(phi.shape[1]):
                is_in, is_out = shadows[mask[:, x], x], shadows[~mask[:, x], x]
                scores[row, x] = _log_ratio(phi[target, x], is_in.mean(0), is_in.var(0), is_out.mean(0), is_out.var(0))
        return scores

    return score


def _products(phi: np.ndarray, member: np.ndarray) -> Scorer:
    """All examples of a target at once as batched matrix products, one target a core."""
    by_example = np.ascontiguousarray((phi - phi.mean(0)).transpose(1, 2, 0))
    squares = by_example**2
    sides = np.stack([member, ~member], -1).astype(np.float32).transpose(1, 0, 2)

    def score_one(target: int) -> np.ndarray:
        mask = sides.copy()
        mask[:, target] = 0
        count = mask.sum(1)[:, None, :]
        mean = by_example @ mask / count
        var = squares @ mask / count - mean**2
        return _log_ratio(by_example[:, :, target], mean[..., 0], var[..., 0], mean[..., 1], var[..., 1])

    def score(targets: range) -> np.ndarray:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return np.stack(list(pool.map(score_one, targets)))

    return score


def _log_ratio(value, mean_in, var_in, mean_out, var_out):
    log_ratio = np.log(var_out / var_in) + (value - mean_out) ** 2 / var_out - (value - mean_in) ** 2 / var_in
    return 0.5 * log_ratio.mean(-1)


def _check(phi: np.ndarray, member: np.ndarray, valid: np.ndarray) -> None:
    part, mask = phi[:, :50], member[:, :50]
    ours = lira_scores(part, mask, valid)["lira_online"][:2]
    for prepare in (_loop, _products):
        np.testing.assert_allclose(prepare(part, mask)(range(2)), ours, rtol=1e-3, atol=1e-3)


if __name__ == "__main__":
    _flags.call(main)
