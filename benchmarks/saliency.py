"""Saliency maps of several models, ours against PyTorch, in maps a second.

    python -m benchmarks.saliency [--only METHOD] [--images N] [--json FILE] [--quick]

A network of two convolutions on 28x28 images (421,642 parameters, float32), the same random weights on both sides. Maps
are compared first: in float64 every map must be the same to 1e-4 of its largest value. In float32, in which they are
timed, a sum that rounds to the other side of a ReLU or to another winner of a max-pool changes the derivative itself;
the rows of the part ``maps`` say how far apart that puts them. Every contender has a process of its own; they run in
turn, after a warm-up, compiled beforehand. PyTorch is tuned on the spot: batch sizes, threads against processes,
autograd against ``torch.compile``d gradients run a heat for each method, and the two fastest are measured against ours;
the loop over single images stands beside them as common practice. A rate does not depend on the number of images once
they fill a batch: methods that take dozens of gradients an image are timed on fewer of them, which their rows say.
``--only`` measures one method and puts it in its place in FILE.
"""

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import _flags
from benchmarks._contest import Contender, ContenderFailed, Running, alternate, running
from benchmarks._rows import Row, print_rows, replace_part
from benchmarks._saliency_sides import METHODS, SAMPLES, STEPS, Ours, Torch, Work, network, our_maps
from benchmarks._same_work import DifferentWork
from miajax.saliency.integrated import completeness_gap, integrated_gradients_within
from miajax.training.devices import usable_cores

MODELS = 4
IMAGES = {"gradient": 10_000, "smooth_grad": 512, "integrated_gradients": 512, "grad_cam": 10_000}
HEAT = 256  # images of the heat
COMPARED = 32  # images whose maps are compared
SAME = 1e-4  # of a map's largest value
LOOP = "PyTorch, one image at a time"
MAPS = "maps/s"


def main(json: Path | None = None, quick: bool = False, images: int | None = None, only: str | None = None) -> None:
    """Compares saliency maps with PyTorch.

    Args:
      json: where to write the rows.
      quick: under a minute on two idle cores: 96 images, one PyTorch variant a method, no per-image loop, 3 repeats.
      images: how many images are explained under each of 4 models; 10,000, and 512 where a map takes dozens of
        gradients, when not given.
      only: one method, maps or completeness.
    """
    parts = ("maps", *METHODS, "completeness")
    if only is not None and only not in parts:
        raise SystemExit(f"--only {only} is unknown: one of {', '.join(parts)}")
    with tempfile.TemporaryDirectory() as cache:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        require_equal_maps(Work.of(1, COMPARED), [only] if only in METHODS else METHODS)
        for part in [only] if only else parts:
            if part == "maps":
                rows = map_rows(Work.of(1, COMPARED))
            elif part == "completeness":
                rows = [completeness_row(Work.of(MODELS, 16))]
            else:
                rows = compare(part, Work.of(MODELS, 96 if quick else images or IMAGES[part]), quick)
            print_rows("Saliency maps", rows)
            if json:
                replace_part(json, part, rows, parts)


def compare(method: str, work: Work, quick: bool) -> list[Row]:
    """One method's rates, and its compile time."""
    name = f"{method.replace('_', ' ')}, {MODELS} models x {len(work.images)} images"
    candidates = rivals(method, work, quick)
    if not quick:
        loop = {"method": method, "work": work, "batch": 1, "threads": 1, "images": 2}
        quickest = fastest(rivals(method, Work.of(MODELS, min(HEAT, len(work.images))), quick), 2)
        candidates = [each for each in candidates if each.name in quickest] + [Contender(LOOP, Torch, loop, 1)]
    with contextlib.ExitStack() as stack:

        def start(contender: Contender) -> Running:
            return stack.enter_context(running(contender, 0.2 if quick else 1.0))

        ours = start(Contender("ours", Ours, {"method": method, "work": work}, threads=None))
        started = [start(candidate) for candidate in candidates]
        rates = alternate([ours, *started], 3)
        compiled = {run.name: [run.compile_seconds] for run in started if run.compile_seconds}
    mine = rates.pop("ours")
    return [
        Row(name, MAPS, mine, rates, higher_is_better=True, common_practice=(LOOP,)),
        Row(f"{method.replace('_', ' ')}: compile time", "s", [ours.compile_seconds], compiled),
    ]


def rivals(method: str, work: Work, quick: bool) -> list[Contender]:
    """PyTorch's variants: batch sizes, threads or processes, autograd or compiled."""
    cores = usable_cores()

    def rival(batch: int, processes: int, compiled: bool = False) -> Contender:
        threads = cores // processes
        how = "compiled" if compiled else "autograd"
        shape = f"{processes} processes x {threads} threads" if processes > 1 else f"{threads} threads"
        options = {"method": method, "work": work, "batch": batch, "threads": threads, "compiled": compiled}
        return Contender(f"PyTorch, {how}, batches of {batch}, {shape}", Torch, options, threads, processes)

    if quick:
        return [rival(32, cores)]
    batches = [b for b in (16, 32, 128, 512) if b <= len(work.images)]
    return [
        *(rival(b, p) for b in batches for p in {1, cores}),
        *(rival(b, cores, compiled=True) for b in batches[:2]),
    ]


def fastest(candidates: Sequence[Contender], count: int) -> list[str]:
    """Names of the winners of a heat; what doesn't run here is named and left out."""
    speeds: dict[str, float] = {}
    for candidate in candidates:
        try:
            with running(candidate, 0.3) as run:
                speeds[candidate.name] = max(run.measure() for _ in range(2))
        except ContenderFailed as error:
            print(f"left out: {error}")
    return sorted(speeds, key=lambda name: speeds[name], reverse=True)[:count]


def require_equal_maps(work: Work, methods: Sequence[str] = METHODS) -> None:
    """Raises DifferentWork unless both sides draw the same map of every image in float64, to ``SAME``, noise included.

    Away from float32's rounding, sums fall on the same side of every ReLU, and the same element wins every max-pool.
    """
    for method in methods:
        apart = deviations(method, work, np.float64)
        if not (apart <= SAME).all():
            raise DifferentWork(f"{method}: maps differ by up to {apart.max():.2g} of their largest value")


def map_rows(work: Work) -> list[Row]:
    """How far apart both sides' maps are: the farthest of all images, and in float32 how many are the same."""
    rows = []
    for method in METHODS:
        for dtype in (np.float64, np.float32):
            apart, where = deviations(method, work, dtype), f"{method.replace('_', ' ')}, {np.dtype(dtype)}"
            name = f"{where}: largest |ours - PyTorch's| of {len(apart)} maps, over the map's largest value"
            rows.append(Row(name, "fraction", [float(apart.max())]))
        rows.append(Row(f"{where}: maps that differ by at most {SAME:g}", "fraction", [float((apart <= SAME).mean())]))
    return rows


def deviations(method: str, work: Work, dtype: type[np.floating]) -> np.ndarray:
    """``float64[N]``: the largest difference between both sides' maps of each image, over the map's largest value."""
    import torch  # pyright: ignore[reportMissingImports]

    with jax.enable_x64(dtype is np.float64):
        x, keys = jnp.asarray(work.images, dtype), jax.random.split(jax.random.key(1), len(work.images))
        params = jax.tree.map(lambda a: jnp.asarray(a[0], dtype), work.params)
        ours = np.asarray(our_maps(method, params, x, jnp.asarray(work.classes), keys), np.float64)
        draws = [
            np.stack([jax.random.normal(jax.random.fold_in(key, s), x.shape[1:], dtype) for key in keys])
            for s in range(SAMPLES if method == "smooth_grad" else 0)
        ]
    noise = [torch.from_numpy(draw.transpose(0, 3, 1, 2).copy()) for draw in draws]
    rival = Torch(method, work.astype(dtype), len(x), threads=1)
    theirs = rival.maps(0, slice(None), noise).numpy().transpose(0, 2, 3, 1).astype(np.float64)
    ours, theirs = ours.reshape(len(x), -1), theirs.reshape(len(x), -1)
    apart, largest = np.abs(ours - theirs).max(1), np.abs(theirs).max(1)
    empty = np.where(apart > 0, np.inf, 0.0)  # a class that nothing speaks for has a Grad-CAM map of zeros
    return np.divide(apart, largest, out=empty, where=largest > 0)


def completeness_row(work: Work) -> Row:
    """How far the integrated gradients of 16 images are from adding up, at a fixed number of steps and refined."""
    x, classes = jnp.asarray(work.images[:16]), jnp.asarray(work.classes[:16])
    params = jax.tree.map(lambda a: a[0], work.params)
    logits_of = network(params)
    refined, steps = jax.jit(lambda x: integrated_gradients_within(logits_of, x, classes, steps=STEPS))(x)
    plain = our_maps("integrated_gradients", params, x, classes, jax.random.split(jax.random.key(1), len(x)))
    size = np.abs(np.asarray(logits_of(x))[np.arange(len(x)), classes])

    def share(maps: jax.Array) -> list[float]:
        return (np.asarray(completeness_gap(logits_of, x, classes, maps)) / size).tolist()

    most = int(steps.max())
    name = f"integrated gradients: |sum - change of the logit| / |logit|, by image, refined to at most {most} steps"
    return Row(name, "fraction", share(refined), {f"ours with {STEPS} steps": share(plain)})


if __name__ == "__main__":
    _flags.call(main)
