"""One command for a machine with a GPU: checks, speeds and a real study, within ten minutes.

    python -m benchmarks.gpu [--json FILE] [--data_path FOLDER] [--minutes 10] [--quick]

In order, each part written to FILE when it is done, so that a run that is cut keeps what it has:

1. the gradients of every lowering of convolutions against float64, and an ensemble against its models alone; a check
   that fails becomes a row that says so, the rest goes on, and the exit status is 1;
2. what the card multiplies and moves;
3. the study: Fashion-MNIST, 256 CNN shadows, then 64 ResNet-20, from data to LiRA table and report, and PyTorch
   training the same models on the same card;
4. model-steps a second of the suite's networks against PyTorch, as many as the time allows.

Fashion-MNIST is read from ``--data_path``, or where the data sets lie; without it, images of its shape are made up and
the rows say so. ``--quick`` (or ``--miniature``) runs all parts in small, also on a CPU. It does without
dp-accounting.
"""

import argparse
import dataclasses
import functools
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch runs on the same card

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import _torch_field as field
from benchmarks._contest import Contender, ContenderFailed, running
from benchmarks._matmul_peak import MatmulPeak
from benchmarks._rows import Row, print_rows, replace_part
from benchmarks._same_work import DifferentWork
from benchmarks._stream_peak import StreamPeak
from benchmarks._suite import measure_part
from benchmarks._workloads import SUITES, Workload, patterns
from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.progress import Terminal
from miajax.data.dataset import Dataset
from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError
from miajax.models.conv import LOWERINGS, conv
from miajax.studies.lira.study import run_lira
from miajax.training.devices import use_cpu_cores_as_devices
from miajax.training.ensemble import Ensemble
from miajax.training.parallel import Placement
from miajax.training.recipe import Recipe

FAILED = "FAILED: "
_ROUNDING = 1e-4  # of weights after an epoch, where the order of sums is not fixed
PARTS = ("checks", "ceilings", "first_study", "second_study", "speeds")
_TORCH_SECONDS = 40.0  # of one study's rival
_PART_SECONDS = 60.0  # that a network of the suite needs at least
_TUNE_SECONDS = 20.0
_REPORT_SECONDS = 15.0  # between the end of the last part and the end of the script
SPEEDS = ("purchase_mlp", "cnn", "fast_cifar", "resnet18", "wrn28_2", "resnet20", "mlp", "densenet_bc_100_12")


@dataclasses.dataclass(frozen=True)
class Scale:
    """How large everything is.

    Attributes:
      studies: network and number of shadow models of both.
      examples: N of the pool; None: all.
      epochs: of every model.
      side: of the images whose gradients are checked.
      lowerings: that are checked.
      sizes: of matrices; None: what suits the device.
      speeds: networks of the suite.
      counts: numbers of models they are measured with.
      alone: whether PyTorch stays out of the suite's networks.
    """

    studies: tuple[tuple[str, int], ...] = (("cnn", 256), ("resnet20", 64))
    examples: int | None = None
    epochs: int = 10
    side: int = 14
    lowerings: tuple[str, ...] = LOWERINGS
    sizes: tuple[int, ...] | None = None
    speeds: tuple[str, ...] = SPEEDS
    counts: tuple[int, ...] = (1, 16, 256)
    alone: bool = False


MINIATURE = Scale((("cnn", 8), ("cnn", 2)), 64, 1, 6, ("cpu", "grouped"), (256,), ("cnn",), (2,), True)


def checks(scale: Scale) -> Iterator[Row]:
    """Largest errors relative to the largest value, in the widest precision and as networks are trained.

    A row whose error is not allowed, or whose program does not run, begins with ``FAILED``.
    """
    rng = np.random.default_rng(0)
    image = (3, 8, scale.side, scale.side)
    x, kernel, dy = (rng.normal(size=s) for s in ((*image, 16), (3, 3, 3, 16, 32), (*image, 32)))

    def gradients(lowering: str, dtype, precision: str | None):
        def one(x, kernel, dy):
            y, pull_back = jax.vjp(functools.partial(conv, lowering=lowering), x, kernel)
            return y, *pull_back(dy)

        with jax.default_matmul_precision(precision or "default"):
            return jax.jit(jax.vmap(one))(*(jnp.asarray(a, dtype) for a in (x, kernel, dy)))

    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        exact = [np.asarray(a) for a in gradients("cpu", jnp.float64, None)]
    for lowering in scale.lowerings:
        for words, dtype, precision, allowed in (
            ("float32", jnp.float32, "highest", 1e-5),
            ("float32 as trained", jnp.float32, None, 5e-3),
            ("bfloat16", jnp.bfloat16, None, 2e-2),
        ):
            name = f"{lowering}, {words}: error of result and gradients against float64"
            found = functools.partial(gradients, lowering, dtype, precision)
            yield _check(name, "relative", lambda found=found: _errors(found(), exact), allowed)
    yield from company(scale)


def _errors(found: Sequence[jax.Array], exact: Sequence[np.ndarray]) -> list[float]:
    return [
        float(np.abs(np.asarray(a, np.float64) - b).max() / np.abs(b).max()) for a, b in zip(found, exact, strict=True)
    ]


def _check(name: str, unit: str, errors: Callable[[], list[float]], allowed: float) -> Row:
    """A row of errors; one that is above what is allowed, or cannot be had, is marked as failed."""
    try:
        found = errors()
    except Exception as error:  # whatever a library raises is this check's result
        return _failed(f"{name}: {type(error).__name__}: {' '.join(str(error).split())[:160]}")
    if not np.isfinite(found).all():
        return _failed(f"{name}: not finite")
    if max(found) <= allowed:
        return Row(name, unit, found)
    return Row(f"{FAILED}{name}, above {allowed:g}", unit, found)


def _failed(words: str) -> Row:
    return Row(f"{FAILED}{words}", "count", [1.0])


def company(scale: Scale) -> Iterator[Row]:
    """A model trained alone (its chunk padded) against the same among others.

    The same bits where operations are deterministic; a GPU's reductions may run in any order unless XLA is told.
    """
    dataset = patterns(scale.examples or 512, (2 * scale.side, 2 * scale.side, 1), 10)
    recipe = Recipe(1, 16, learning_rate=0.02)
    setup = Setup.of(CampaignConfig(model="cnn", recipe=recipe), dataset)
    trainer, member = setup.trainer, setup.membership(4)
    exact = jax.default_backend() == "cpu" or "xla_gpu_deterministic_ops=true" in os.environ.get("XLA_FLAGS", "")

    def apart(lowering: str) -> list[float]:
        kernels = []
        for ids in (np.arange(4), np.array([2])):
            ensemble = Ensemble(trainer, dataset, Placement(tuple(jax.devices()[:1]), 4, lowering=lowering))
            group = ensemble.start(ids, member[ids])
            ensemble.advance(group, 1)
            kernels.append(np.asarray(group.state.params["Dense_0"]["kernel"][2 if len(ids) == 4 else 0]))
        return [float(np.abs(kernels[0] - kernels[1]).max())]

    for lowering in [n for n in scale.lowerings if n != "cpu" or jax.default_backend() == "cpu"]:
        name = f"{lowering}: a model alone against the same among others"
        yield _check(name, "largest difference", functools.partial(apart, lowering), 0.0 if exact else _ROUNDING)


def ceilings(scale: Scale) -> Iterator[Row]:
    """What the card multiplies and moves."""
    widest = {"library": "jax", "threads": 1, "sizes": scale.sizes}
    jobs = {
        "matmul, float32 as trained (TF32 on a GPU)": (MatmulPeak, widest, "TFLOP/s", 1e12),
        "matmul, bfloat16": (MatmulPeak, widest | {"half": True}, "TFLOP/s", 1e12),
        "memory": (StreamPeak, {}, "GB/s", 1e9),
    }
    for name, (job, options, unit, scale_) in jobs.items():
        with running(Contender(name, job, options, threads=None), 0.5) as run:
            yield Row(name, unit, [run.measure() / scale_ for _ in range(5)], higher_is_better=True)


def fashion(scale: Scale, data_path: Path | None) -> Dataset:
    """Fashion-MNIST, or images of its shape."""
    try:
        lies = str(data_path) if data_path else None
        return load_dataset("fashion_mnist", DataOptions(lies, max_examples=scale.examples))
    except UserError as error:
        print(f"Fashion-MNIST is not here ({error}): images of its shape are made up")
        return patterns(scale.examples or 60_000, (28, 28, 1), 10)


def study(model: str, shadows: int, epochs: int, dataset: Dataset) -> Iterator[Row]:
    """A campaign from data to report, and PyTorch training some of its models."""
    batch = min(128, dataset.num_examples // 4)
    recipe = Recipe(epochs, batch, learning_rate=0.05, momentum=0.9, schedule="cosine", precision="bfloat16")
    config = CampaignConfig(dataset=dataset.name, model=model, num_shadows=shadows, recipe=recipe)
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        results = run_lira(Setup.of(config, dataset), Path(folder) / "run", reporter=Terminal()).results
        trials = _trials(Path(folder) / "run")
    seconds = time.perf_counter() - begin
    words = f"{shadows} {model} on {dataset.name}, {dataset.num_examples} examples, {epochs} epochs, bfloat16"
    attack = results["attacks"].get("lira_online")  # too few models have none
    steps = shadows * epochs * (dataset.num_examples // 2 // batch)
    ours = steps / results["timing"]["train_s"]
    yield Row(f"{words}: from data to report", "s", [seconds])
    for part in ("compile_s", "train_s", "query_s", "attack_s", "report_s"):
        yield Row(f"{words}: {part.removesuffix('_s')}", "s", [results["timing"].get(part, 0.0)])
    yield Row(f"{words}: accuracy on members", "fraction", [results["train_accuracy"]])
    yield Row(f"{words}: accuracy on non-members", "fraction", [results["test_accuracy"]])
    if attack is not None:
        yield Row(f"{words}: AUC of LiRA online", "fraction", [attack["auc"]])
        for rate, tpr in attack["tpr_at_fpr"].items():
            if tpr is not None:
                yield Row(f"{words}: TPR of LiRA online at FPR {rate}", "fraction", [tpr])
    yield from trials
    workload = Workload(words, config, model, shadows, lambda: dataset)
    yield Row(f"{words}: training", "model-steps/s", [ours], dict(_torch_speeds(workload)), True)


def _trials(folder: Path) -> list[Row]:
    from miajax.runs.folder import RunFolder

    trials = RunFolder.open(folder).manifest.get("tuning", [])
    return [
        Row(f"trial: {t['lowering']} x chunks of {t['chunk']}", "model-steps/s", [t["steps_per_second"]], {}, True)
        for t in trials
        if t["steps_per_second"]
    ]


def _torch_speeds(workload: Workload) -> Iterator[tuple[str, list[float]]]:
    """PyTorch's variants of one model after another, each for a part of the time, in this process."""
    if not field.torch_is_here():
        print("PyTorch is not installed: its rows are not measured")
        return
    import torch  # pyright: ignore[reportMissingImports]

    from benchmarks._torch_rivals import ConvLoop

    device = "cuda" if torch.cuda.is_available() else "cpu"
    variants = ("no", "network", "graphs") if device == "cuda" else ("no",)
    for compiled in variants:
        name = {"no": "eager", "network": "compiled", "graphs": "compiled, CUDA graphs"}[compiled]
        try:
            job = ConvLoop(workload, 1, 2, compiled=compiled, epochs=1, device=device)
            job.run()
        except Exception as error:  # whatever a library raises is this variant's result
            print(f"left out: PyTorch, {name}: {error}")
            continue
        speeds, begin = [], time.perf_counter()
        while len(speeds) < 5 and (not speeds or time.perf_counter() - begin < _TORCH_SECONDS / len(variants)):
            started = time.perf_counter()
            speeds.append(job.run() / (time.perf_counter() - started))
        yield f"PyTorch, {field.ONE_AT_A_TIME}, {name}, channels_last", speeds


def speeds(scale: Scale, left: Callable[[], float]) -> Iterator[Row]:
    """The suite's networks in short, while there is time."""
    suite = "cpu" if jax.default_backend() == "cpu" else "gpu"
    for name in scale.speeds:
        if left() < _PART_SECONDS:
            print(f"not measured: {name}, the time is over")
            continue
        part = SUITES[suite][name]
        counts = tuple(c for c in scale.counts if c <= part.counts[-1]) or part.counts[:1]
        workload = dataclasses.replace(part.workload, models=counts[-1])
        try:
            short = dataclasses.replace(part, workload=workload, counts=counts, thorough=False)
            yield from measure_part(short, suite, tune_seconds=_TUNE_SECONDS, alone=scale.alone)
        except (ContenderFailed, DifferentWork) as error:
            print(f"left out: {name}: {error}")


class TimeIsOver(BaseException):
    """The script's own clock ran out; nothing that catches the errors of a library holds it up."""


def _going_on(rows: Iterator[Row]) -> Iterator[Row]:
    """The rows of a part; what ends it before its time is its last row."""
    try:
        yield from rows
    except Exception as error:  # whatever a library raises: the parts after this one are measured all the same
        yield _failed(f"the rest of this part: {type(error).__name__}: {' '.join(str(error).split())[:160]}")


def _stop(*_) -> None:
    raise TimeIsOver


def main(argv: Sequence[str] | None = None) -> None:
    """Runs all parts."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=(__doc__ or "").split("\n\n")[0])
    asked.add_argument("--json", type=Path, help="where to write the rows")
    asked.add_argument("--data_path", type=Path, help="folder of Fashion-MNIST's files")
    asked.add_argument("--minutes", type=float, default=10.0, help="nothing is begun after so many")
    asked.add_argument("--quick", "--miniature", action="store_true", help="everything in small, also on a CPU")
    flags = asked.parse_args(argv)
    begin = time.perf_counter()
    scale = MINIATURE if flags.quick else Scale()
    os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)  # compile times are those of a first run, contenders' too
    jax.config.update("jax_compilation_cache_dir", None)
    use_cpu_cores_as_devices()
    signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, max(0.0, 60 * flags.minutes - _REPORT_SECONDS))
    dataset = functools.cache(lambda: fashion(scale, flags.data_path))

    def left() -> float:
        return 60 * flags.minutes - _REPORT_SECONDS - (time.perf_counter() - begin)

    runs: dict[str, Callable[[], Iterator[Row]]] = {
        "checks": lambda: checks(scale),
        "ceilings": lambda: ceilings(scale),
        "first_study": lambda: study(*scale.studies[0], scale.epochs, dataset()),
        "second_study": lambda: study(*scale.studies[1], scale.epochs, dataset()),
        "speeds": lambda: speeds(scale, left),
    }
    measured: dict[str, list[Row]] = {}
    try:
        for name in PARTS:
            if left() <= 0:
                raise TimeIsOver
            measured[name] = []
            for row in _going_on(runs[name]()):
                measured[name].append(row)
                if flags.json:
                    replace_part(flags.json, name, measured[name], PARTS)
            print(f"{name}: {time.perf_counter() - begin:.0f} s after the start", flush=True)
    except TimeIsOver:
        missing = [f"the rest of {name}" for name in list(measured)[-1:]]
        missing += [name for name in PARTS if name not in measured]
        print(f"not measured, the time is over: {', '.join(missing)}")
    signal.setitimer(signal.ITIMER_REAL, 0)
    for name, rows in measured.items():
        print_rows(name, rows)
    if failed := [row.name for rows in measured.values() for row in rows if row.name.startswith(FAILED)]:
        raise SystemExit("\n".join(failed))


if __name__ == "__main__":
    main()
