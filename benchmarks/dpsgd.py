"""Private training: ours against Opacus, in private steps of one model a second.

    python -m benchmarks.dpsgd [--json FILE] [--quick] [--only mlp|purchase|cnn|memory]

A private step of ours samples (Poisson, 112 places for a mean of 64), clips, adds noise and updates, for an ensemble of
models in one program. Opacus trains one model a process, by hooks (explicit per-example gradients) and by ghost
clipping, on Poisson samples drawn in memory instead of its DataLoader, with one process of all threads and with one
process a core; the best of them counts. All is float32 on the CPU. Before anything is timed, clipped gradients of both
sides are compared, and in the end sizes, batch and members. fastDP, which is on no package index, was not measured.
"""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import _flags
from benchmarks import _torch_field as field
from benchmarks._contest import Contender, ContenderFailed, Running, alternate, running
from benchmarks._private_ours import CLIP_NORM, PrivateTraining, StepPart, bytes_of, private_setup
from benchmarks._rows import Row, print_rows, replace_part, write_json
from benchmarks._same_work import DifferentWork
from benchmarks._workloads import SUITES, Workload, patterns
from miajax.training.devices import usable_cores, use_cpu_cores_as_devices
from miajax.training.dp.clipping import clipped_sum
from miajax.training.losses import cross_entropy

Part = Literal["mlp", "purchase", "cnn", "memory"]
STEPS = "private model-steps/s"
_SUITE = {"mlp": "mlp", "purchase": "purchase_mlp", "cnn": "cnn"}
_MODELS = {"mlp": 64, "purchase": 4, "cnn": 4}  # of an ensemble: what fills the cores
_BATCH = 64
_MEMORY_CAP = 4 << 30
_MEMORY_PARTS: tuple[StepPart, ...] = ("plain", "noisy_fixed")


def main(json: Path | None = None, quick: bool = False, only: Part | None = None, repeats: int = 5) -> None:
    """Compares private training with Opacus.

    Args:
      json: where to write the rows; those of parts that are not measured now stay.
      quick: under a minute: the small MLP alone, 2 repeats; written to a file of its own.
      only: one network, or the memory of the large MLP.
      repeats: of every figure.
    """
    use_cpu_cores_as_devices()
    if quick:
        rows = compare("mlp", workload_of("mlp"), repeats=2)
        print_rows("Private training", rows)
        if json:
            write_json(json, rows)
        return
    parts = get_args(Part)
    for part in (only,) if only else parts:
        rows = memory_rows() if part == "memory" else compare(part, workload_of(part), repeats)
        print_rows(f"Private training: {part}", rows)
        if json:
            replace_part(json, part, rows, parts)


def workload_of(name: str) -> Workload:
    """The suite's network with batches of 64."""
    workload = SUITES["cpu"][_SUITE[name]].workload
    recipe = dataclasses.replace(workload.campaign.recipe, batch_size=_BATCH, epochs=20 if name == "mlp" else 1)
    campaign = dataclasses.replace(workload.campaign, recipe=recipe)
    return dataclasses.replace(workload, name=workload.name.split(",")[0], campaign=campaign)


def compare(name: str, workload: Workload, repeats: int) -> list[Row]:
    """All rows of a network.

    Raises:
      DifferentWork: clipped gradients, sizes, batches or members differ.
    """
    cores, models = usable_cores(), _MODELS[name]
    slots = private_setup(workload, "clipped_poisson").mechanisms[0].width
    if field.torch_is_here():
        require_equal_clipping(workload)
    ours = {
        "plain": _ours(workload, models, "plain"),
        "plain, slots": _ours(workload, models, "plain", slots),
        "clipped fixed": _ours(workload, models, "clipped_fixed"),
        "clipped": _ours(workload, models, "clipped_poisson"),
        "noisy": _ours(workload, models, "noisy_poisson"),
        "noisy fixed": _ours(workload, models, "noisy_fixed"),
        "one model": _ours(workload, 1, "noisy_poisson"),
    }
    with contextlib.ExitStack() as stack:
        up = {key: stack.enter_context(running(each, 0.4)) for key, each in ours.items()}
        rivals = _rivals(workload, cores, stack) if field.torch_is_here() else []
        for rival in rivals:
            if dict(rival.facts) != dict(up["noisy"].facts):
                raise DifferentWork(f"{rival.name}: {dict(rival.facts)}, ours: {dict(up['noisy'].facts)}")
        rates = alternate([*up.values(), *rivals], repeats)
    rate = {key: rates[run.name] for key, run in up.items()}
    theirs = {rival.name: rates[rival.name] for rival in rivals}

    def times(slow: str, fast: str) -> list[float]:
        return [f / s for s, f in zip(rate[slow], rate[fast], strict=True)]

    words = f"{workload.name}, mean batch {_BATCH}"
    noise = [1e6 * cores * (1 / n - 1 / c) for n, c in zip(rate["noisy"], rate["clipped"], strict=True)]
    return [
        Row(f"{name}_clip_overhead", f"times a plain step of {slots} examples", times("clipped", "plain, slots")),
        Row(f"{name}_clip_overhead_fixed", f"times a plain step of {_BATCH} examples", times("clipped fixed", "plain")),
        Row(f"{name}_private_step", STEPS, rate["noisy"], theirs, True),
        Row(f"{name}_private_step_fixed_batches", STEPS, rate["noisy fixed"], {}, True),
        Row(f"{name}_private_step_one_model", STEPS, rate["one model"], theirs, True),
        Row(f"{name}_noise", "microseconds a step and core", noise),
        Row(f"{name}_without_privacy ({words})", "model-steps/s", rate["plain"], {}, True),
    ]


def _ours(workload: Workload, models: int, part: str, batch: int | None = None) -> Contender:
    options = {"workload": workload, "models": models, "part": part, "batch": batch}
    return Contender(f"ours, {models} models, {part}, batch {batch or _BATCH}", PrivateTraining, options, threads=None)


def _rivals(workload: Workload, cores: int, stack: contextlib.ExitStack) -> list[Running]:
    from benchmarks._opacus import OpacusSteps

    started = []
    for engine in ("hooks", "ghost"):
        for processes, threads in dict.fromkeys(((1, cores), (cores, 1))):
            options = {"workload": workload, "engine": engine, "threads": threads, "steps": 10}
            name = f"Opacus, {engine}, {processes} x {threads} threads"
            try:
                run = running(Contender(name, OpacusSteps, options, threads, processes), 0.4)
                started.append(stack.enter_context(run))
            except ContenderFailed as error:
                print(f"left out: {error}")
    return started


def require_equal_clipping(workload: Workload) -> None:
    """Compares clipped gradients of 8 examples at Opacus's initial weights, by its two engines.

    Raises:
      DifferentWork: one differs by more than 1e-5 of the clipping norm.
    """
    import torch  # pyright: ignore[reportMissingImports]

    from benchmarks._opacus import clipped_mean
    from benchmarks._torch_networks import NETWORKS

    torch.manual_seed(0)
    setup = private_setup(workload, "clipped_poisson")
    step = setup.trainer.private
    assert step is not None
    x = np.array(setup.trainer.scaling(jnp.asarray(setup.dataset.features[:8])))
    y = setup.dataset.labels[:8]

    @jax.jit
    def clipped(params):
        return clipped_sum(
            step.plan, lambda p, x, key: setup.trainer.forward(p, {}, x, key)[0], cross_entropy, params,
            jnp.asarray(x)[:, None], jnp.asarray(y), jnp.ones(8, bool), CLIP_NORM, jax.random.key(0),
        ).total  # fmt: skip

    theirs_x = x.transpose(0, 3, 1, 2).copy() if x.ndim == 4 else x
    for engine in ("hooks", "ghost"):
        network = NETWORKS[workload.torch_network].build()
        abstract = jax.eval_shape(setup.trainer.model.init, jax.random.key(0), jnp.zeros((1, *x.shape[1:])))[0]
        params = as_ours([p.detach().numpy() for p in network.parameters()], abstract)
        total = clipped(params)
        theirs = as_ours(clipped_mean(network, engine, theirs_x, y), abstract)
        for mine, other in zip(jax.tree.leaves(total), jax.tree.leaves(theirs), strict=True):
            gap = float(np.abs(np.asarray(mine) / 8 - other).max())
            if gap > 1e-5 * CLIP_NORM:
                raise DifferentWork(f"{workload.name}: clipped gradients of Opacus {engine} differ by {gap:.2g}")


def as_ours(leaves: Sequence[np.ndarray], abstract):
    """PyTorch's parameters (weight, bias, layer by layer) in the places of ours."""
    layers = sorted(abstract, key=lambda name: (not name.startswith("Conv"), int(name.rsplit("_", 1)[1])))
    made, pixels, channels = {}, 1, 1
    for layer, weight, bias in zip(layers, leaves[::2], leaves[1::2], strict=True):
        shape = abstract[layer]["kernel"].shape
        if weight.ndim == 4:
            kernel, channels = weight.transpose(2, 3, 1, 0), weight.shape[0]
        elif channels > 1:  # the first layer after the images: PyTorch flattens channels first
            pixels = weight.shape[1] // channels
            kernel = weight.reshape(-1, channels, pixels).transpose(2, 1, 0).reshape(shape)
            channels = 1
        else:
            kernel = weight.T
        made[layer] = {"kernel": kernel, "bias": bias}
    return made


def memory_rows() -> list[Row]:
    """Memory of 64 Purchase MLPs with batches of 256, and the largest batch of one within the cap."""
    workload = workload_of("purchase")
    dataset = patterns(1 << 15, (600,), 100)
    wide = dataclasses.replace(workload, data=lambda: dataset)
    of_64, largest = {}, {}
    for part in _MEMORY_PARTS:
        of_64[part], largest[part] = bytes_of(wide, 64, part, 256) / 2**30, 0
        for power in (8, 11, 12, 13, 14):
            if bytes_of(wide, 1, part, 1 << power) > _MEMORY_CAP:
                break
            largest[part] = 1 << power
    parameters = 1317348
    explicit = _MEMORY_CAP // (4 * parameters)
    return [
        Row(
            "64 Purchase MLPs, batch 256: memory as the compiler plans it", "GiB", [of_64["noisy_fixed"]],
            {"ours, not private": [of_64["plain"]], "explicit per-example gradients (computed)":
             [64 * 256 * 4 * parameters / 2**30]},
        ),
        Row(
            f"one Purchase MLP: largest batch within {_MEMORY_CAP >> 30} GiB (256 and 2,048 to 16,384 were tried)",
            "examples", [float(largest["noisy_fixed"])],
            {"ours, not private": [float(largest["plain"])], "explicit per-example gradients (computed)":
             [float(explicit)]}, True,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    _flags.call(main)
