"""Training convolutional networks: ours against PyTorch and against ``lax.conv``, in model-steps a second.

    python -m benchmarks.conv [--json FILE] [--quick] [--only PART]

Batches of 64, SGD with momentum, float32, random images. Both sides start from the same weights and see the same
batches; their losses are compared before anything is printed. Every contender has a process of its own (some several);
they run in turn, in one sitting, after a warm-up, compiled beforehand. PyTorch is tuned on the spot: both memory
formats, threads against processes, eager against ``torch.compile``; the two fastest of a heat are compared with ours.
"""

import contextlib
import functools
import itertools
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks import _flags
from benchmarks._contest import Contender, Running, alternate, running
from benchmarks._conv_sides import Ours, Torch, Work
from benchmarks._heats import STEPS, run_heats
from benchmarks._rows import Row, print_rows, replace_part
from benchmarks._same_work import DifferentWork
from benchmarks._torch_field import torch_is_here
from miajax.training.devices import usable_cores

PRACTICE = "PyTorch, eager, contiguous, all threads"
CNN, RESNET20 = Work("cnn", 24), Work("resnet20", 6)
EPOCH_IMAGES, EPOCH_MODELS = 512, 2


def main(json: Path | None = None, quick: bool = False, only: str | None = None) -> None:
    """Compares training steps of convolutional networks.

    Args:
      json: where to write the rows; those of parts that are not measured now stay.
      quick: under a minute on two idle cores: the small network only, no heats, 3 repeats.
      only: one part.
    """
    if only is not None and only not in PARTS:
        raise SystemExit(f"--only {only} is unknown: one of {', '.join(PARTS)}")
    os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)  # compile times are those of a first run
    chosen = {"cnn": lambda: small_network(quick=True)} if quick else PARTS
    for name, measure in chosen.items():
        if only in (None, name):
            with tempfile.TemporaryDirectory() as cache:
                os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
                rows = measure()
            print_rows(name, rows)
            if json:
                replace_part(json, name, rows, list(PARTS))


def small_network(quick: bool = False) -> list[Row]:
    """Two convolutions with max-pooling on 28x28 images: against PyTorch, and against ``lax.conv`` in the same step."""
    cores, repeats = usable_cores(), 3 if quick else 7
    lax = Contender("the same with lax.conv", Ours, {"work": Work("cnn", 2), "models": cores, "lax_conv": True}, None)
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(running(_ours(CNN, cores), 1.0))
        rivals, heats = _rivals(stack, CNN, ours, quick)
        rates = alternate([ours, *rivals], repeats)
        plain = stack.enter_context(running(lax, 0.0))
        against_lax = alternate([ours, plain], 3)
    mine = rates.pop(ours.name)
    size = f"CNN on 28x28, {ours.facts['parameters']:,} parameters"
    return [
        Row(size, STEPS, mine, rates, True, (PRACTICE,)),
        Row(f"{size}, convolution alone exchanged", STEPS, against_lax.pop(ours.name), against_lax, True),
        Row(f"{size}: compile time", "s", [ours.compile_seconds], _compile_seconds(rivals)),
        *heats,
    ]


def residual_network() -> list[Row]:
    """ResNet-20: against PyTorch, and four models on each core against one."""
    cores = usable_cores()
    with contextlib.ExitStack() as stack:
        alone = stack.enter_context(running(_ours(RESNET20, cores), 1.0))
        rivals, heats = _rivals(stack, RESNET20, alone)
        rates = alternate([alone, *rivals], 7)
        ensembles = [stack.enter_context(running(_ours(RESNET20, 4 * cores, chunk), 0.0)) for chunk in (1, 4)]
        together = alternate([alone, *ensembles], 3)
    mine, size = rates.pop(alone.name), f"ResNet-20 on 32x32, {alone.facts['parameters']:,} parameters"
    in_turn, one_alone = together.pop(ensembles[0].name), together.pop(alone.name)
    return [
        Row(size, STEPS, mine, rates, True, (PRACTICE,)),
        Row(f"{size}, 4 models a core", STEPS, in_turn, {"1 model a core": one_alone, **together}, True),
        Row(f"{size}: compile time", "s", [alone.compile_seconds], _compile_seconds(rivals)),
        *heats,
    ]


def one_epoch(name: str) -> list[Row]:
    """A network of CIFAR's size over 512 images: time of an epoch of two models, and memory."""
    work = Work(name, EPOCH_IMAGES // 64, images=EPOCH_IMAGES)
    with running(_ours(work, EPOCH_MODELS), 0.0) as run:
        seconds = EPOCH_MODELS * work.steps / run.measure()
    size = f"{name}, {run.facts['parameters']:,} parameters"
    return [
        Row(f"{size}, one epoch of {EPOCH_MODELS} models on {EPOCH_IMAGES} images", "s", [seconds]),
        Row(f"{name}: memory of one model in training, batch {work.batch}", "MiB", [run.facts["bytes"] / 2**20]),
        Row(f"{name}: compile time", "s", [run.compile_seconds]),
    ]


def require_same_losses(ours: Running, rivals: Sequence[Running]) -> None:
    """Raises ``DifferentWork`` unless every rival's mean loss over its steps is ours, to 1 in 1000."""
    mine = ours.outcome()
    for rival in rivals:
        theirs = rival.outcome()
        if mine is None or theirs is None or rival.facts["parameters"] != ours.facts["parameters"]:
            raise DifferentWork(f"{rival.name}: another network")
        if not np.allclose(theirs.loss, mine.loss.mean(), rtol=1e-3):
            raise DifferentWork(f"{rival.name}: mean loss {theirs.loss}, ours {mine.loss}")


def _compile_seconds(rivals: Sequence[Running]) -> dict[str, list[float]]:
    return {rival.name: [rival.compile_seconds] for rival in rivals if rival.compile_seconds}


def _ours(work: Work, models: int, chunk: int = 1) -> Contender:
    name = f"ours, {models} models" + (f", {chunk} under one vmap" if chunk > 1 else "")
    return Contender(name, Ours, {"work": work, "models": models, "chunk": chunk}, threads=None)


def _rival(work: Work, threads: int, processes: int, channels_last: bool = True, compiled: bool = False) -> Contender:
    how = "compiled" if compiled else "eager"
    shape = f"{processes} processes x {threads} threads" if processes > 1 else f"{threads} threads"
    name = f"PyTorch, {how}, {'channels_last' if channels_last else 'contiguous'}, {shape}"
    if not (channels_last or compiled) and processes == 1:
        name = PRACTICE
    options = {"work": work, "threads": threads, "channels_last": channels_last, "compiled": compiled}
    return Contender(name, Torch, options, threads, processes)


def _rivals(
    stack: contextlib.ExitStack, work: Work, ours: Running, quick: bool = False
) -> tuple[list[Running], list[Row]]:
    """Common practice and the two fastest of all tuned variants, up and warm, and the heat that chose them.

    Raises:
      DifferentWork: one of them does not train what ours trains.
    """
    if not torch_is_here():
        print("PyTorch is not installed: its rows are not measured (pip install 'miajax[bench]')")
        return [], []
    cores, heats = usable_cores(), []
    shapes = [(threads, cores // threads) for threads in dict.fromkeys((1, cores))]
    chosen = [_rival(work, *shape) for shape in shapes]
    if not quick:
        usual = _rival(work, cores, 1, channels_last=False)
        variants = itertools.product(shapes, (True, False), (False, True))
        field = [_rival(work, *shape, *how) for shape, *how in variants]
        heat, chosen = run_heats({"tuned": [c for c in field if c.name != usual.name]}, ours, {})
        chosen, heats = [usual, *chosen], [heat]
    rivals = [stack.enter_context(running(contender, 1.0)) for contender in chosen]
    require_same_losses(ours, rivals)
    return rivals, heats


PARTS: dict[str, Callable[[], list[Row]]] = {
    "cnn": small_network,
    "resnet20": residual_network,
    **{name: functools.partial(one_epoch, name) for name in ("wrn28_2", "resnet18", "densenet_bc_100_12")},
}


if __name__ == "__main__":
    _flags.call(main)
