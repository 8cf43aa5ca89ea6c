"""Training shadow models: ours against PyTorch, in model-steps a second.

    python -m benchmarks.shadow_training [--json FILE] [--quick]
    python -m benchmarks.shadow_training --suite cpu|gpu [--only NETWORK] [--json FILE]
    python -m benchmarks.shadow_training --suite tpu [--json FILE]

Without ``--suite``: 256 MLPs on digits. A suite takes every network in turn, over growing numbers of models, with its
share of what the machine can multiply and move; ``--only`` measures one and puts it in its place in FILE. For TPUs,
where none is at hand, the suite is what their compiler says ahead of time (``benchmarks.tpu``).

Every contender has a process of its own (some several); they run in turn, in one sitting, each whole trainings from
initial weights to the last epoch, after a warm-up, compiled beforehand; compile times stand apart. All arithmetic is
float32. PyTorch is tuned on the spot: all variants of each family run a heat, the two best of each family are measured
against ours. Before anything is printed, sizes, steps and the models' final loss and accuracies are compared.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from benchmarks import _flags, _workloads
from benchmarks import _torch_field as field
from benchmarks._contest import Contender, Running, alternate, running
from benchmarks._heats import STEPS, leaving_out, run_heats
from benchmarks._matmul_peak import MatmulPeak
from benchmarks._ours import ShadowTraining
from benchmarks._rows import Row, print_rows, replace_part, write_json
from benchmarks._same_work import require_same_work
from benchmarks._suite import measure_part
from benchmarks._workloads import DIGITS_MLP, Workload
from miajax.training.devices import usable_cores, use_cpu_cores_as_devices

Rates = Mapping[str, Sequence[float]]
Guard = Callable[[], contextlib.AbstractContextManager[None]]
HEAT_EPOCHS, QUICK_EPOCHS = 6, 10


def main(
    json: Path | None = None,
    quick: bool = False,
    suite: Literal["cpu", "gpu", "tpu"] | None = None,
    only: str | None = None,
) -> None:
    """Compares shadow training with PyTorch.

    Args:
      json: where to write the rows; a suite keeps the rows of networks that are not measured now.
      quick: under a minute: no heats, the first 10 epochs, 3 repeats, fewer numbers of models; of the TPU suite, the
        first network. The other suites refuse it.
      suite: all networks, with what suits a CPU, a GPU or a TPU.
      only: one network of the suite.
    """
    os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)  # compile times are those of a first run
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # contenders share a GPU's memory
    if suite == "tpu":
        from benchmarks import tpu

        tpu.main(json, only, quick)
    elif suite is not None:
        if quick:
            raise SystemExit(f"--quick with --suite {suite}: a suite has no short form; name one network with --only")
        run_suite(suite, only, json)
    else:
        compare_digits(json, quick)


def run_suite(suite: str, only: str | None, json: Path | None) -> None:
    """Measures the networks of a suite, and stores each when it is measured."""
    parts = _workloads.SUITES[suite]
    if only is not None and only not in parts:
        raise SystemExit(f"--only {only} is unknown: one of {', '.join(parts)}")
    use_cpu_cores_as_devices()
    for name in [only] if only else parts:
        with tempfile.TemporaryDirectory() as cache:
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
            rows = measure_part(parts[name], suite)
        print_rows(parts[name].workload.name, rows)
        if json:
            replace_part(json, name, rows, list(parts))


def compare_digits(json: Path | None, quick: bool) -> None:
    """256 MLPs on digits, at length."""
    with tempfile.TemporaryDirectory() as cache:  # compile times are those of a first run
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        rows = compare(DIGITS_MLP, quick)
    use_cpu_cores_as_devices()
    print_rows(f"Shadow training: {DIGITS_MLP.name}", rows)
    if json:
        write_json(json, rows)


def compare(workload: Workload, quick: bool) -> list[Row]:
    """All rows of a workload.

    Raises:
      DifferentWork: a rival's training is not the same work as ours.
    """
    cores = usable_cores()
    epochs, repeats, seconds = (QUICK_EPOCHS, 3, 0.3) if quick else (None, 7, 1.0)
    counts = (1, 16, workload.models) if quick else tuple(2**i for i in range(workload.models.bit_length()))
    with contextlib.ExitStack() as stack:

        def start(contenders: Iterable[Contender], guard: Guard = contextlib.nullcontext) -> list[Running]:
            started = []
            for contender in contenders:
                with guard():
                    started.append(stack.enter_context(running(contender, seconds)))
            return started

        ours = dict(zip(counts, start(_ours(workload, models, epochs) for models in counts), strict=True))
        headline = ours[workload.models]
        heats, chosen, compile_s = None, [], {}
        if not field.torch_is_here():
            print("PyTorch is not installed: its rows are not measured (pip install 'miajax[bench]')")
        elif quick:
            chosen = [field.usual(workload, cores, epochs), *field.shortlist(workload, cores, epochs)]
        else:
            heats, winners = run_heats(field.families(workload, cores, HEAT_EPOCHS), headline, compile_s)
            chosen = [field.usual(workload, cores, None), *map(field.whole_training, winners)]
        rivals = start(chosen, leaving_out)
        for rival in rivals:
            require_same_work(headline, rival)
            compile_s.setdefault(rival.name, rival.compile_seconds)
        peaks = start(_peak(library, cores) for library in ("jax", "numpy", *(("torch",) if rivals else ())))
        rates = alternate([*ours.values(), *rivals, *peaks], repeats)
        names = [rival.name for rival in rivals]
        outcomes = outcome_rows(headline, rivals)
    rows = [*speed_rows(workload, rates, {m: run.name for m, run in ours.items()}, names)]
    rows += peak_rows(workload, rates, headline.name, names, [peak.name for peak in peaks])
    rows += compile_rows(workload, rates, headline, {name: compile_s[name] for name in names})
    return [*rows, *outcomes, *([heats] if heats else [])]


def speed_rows(workload: Workload, rates: Rates, ours: Mapping[int, str], rivals: Sequence[str]) -> list[Row]:
    """The headline, the same with one model on either side, and ours over numbers of models."""
    practice = tuple(name for name in rivals if name == field.USUAL)
    alone = {name: rates[name] for name in rivals if field.ONE_AT_A_TIME in name or name in practice}
    all_rivals = {name: rates[name] for name in rivals}
    models = workload.models
    return [
        Row(f"{models} models, {workload.name}", STEPS, rates[ours[models]], all_rivals, True, practice),
        Row("one model at a time: framework, not fusion", STEPS, rates[ours[1]], alone, True, practice),
        *(Row(f"{m} models" if m > 1 else "1 model", STEPS, rates[name], {}, True) for m, name in ours.items()),
    ]


def peak_rows(workload: Workload, rates: Rates, ours: str, rivals: Sequence[str], peaks: Sequence[str]) -> list[Row]:
    """What the cores can multiply, and what share of it a training reaches."""
    giga = {name: [rate / 1e9 for rate in rates[name]] for name in peaks}
    peak, flops = max(max(speeds) for speeds in giga.values()), workload.cost().flops

    def share(name: str) -> list[float]:
        return [rate * flops / 1e9 / peak for rate in rates[name]]

    first, *others = peaks
    return [
        Row(
            "float32 matmul peak, all cores, best size: jax and",
            "GFLOP/s",
            giga[first],
            {name: giga[name] for name in others},
            True,
        ),
        Row(
            f"share of the best of them, {peak:.0f} GFLOP/s, at {flops:,} FLOPs a step",
            "fraction",
            share(ours),
            {name: share(name) for name in rivals},
            True,
            (field.USUAL,),
        ),
    ]


def compile_rows(workload: Workload, rates: Rates, ours: Running, rivals: Mapping[str, float]) -> list[Row]:
    """Compile times, and the rate of the whole campaign when its compilation counts."""
    steps = workload.models * ours.facts["steps of one model"]

    def inside(name: str, compile_seconds: float) -> list[float]:
        return [steps / (compile_seconds + steps / rate) for rate in rates[name]]

    compiled = {name: [seconds] for name, seconds in rivals.items() if seconds}
    return [
        Row("compile time", "s", [ours.compile_seconds], compiled),
        Row(
            f"the {steps:,} steps of {workload.models} trainings, compilation included",
            STEPS,
            inside(ours.name, ours.compile_seconds),
            {n: inside(n, s) for n, s in rivals.items()},
            True,
            (field.USUAL,),
        ),
    ]


def outcome_rows(ours: Running, rivals: Sequence[Running]) -> list[Row]:
    """How good the trained models are, by model: the same on all sides, or the comparison has been refused."""
    mine, theirs = ours.outcome(), {rival.name: rival.outcome() for rival in rivals}

    def row(part: str, words: str, unit: str, higher_is_better: bool) -> Row:
        rivals_values = {name: list(getattr(outcome, part)) for name, outcome in theirs.items()}
        return Row(f"{words}, by model", unit, list(getattr(mine, part)), rivals_values, higher_is_better)

    return [
        row("loss", "final loss on members", "nats", False),
        row("member_accuracy", "final accuracy on members", "fraction", True),
        row("other_accuracy", "final accuracy on others", "fraction", True),
    ]


def _ours(workload: Workload, models: int, epochs: int | None) -> Contender:
    options = {"workload": workload, "models": models, "epochs": epochs}
    return Contender(f"ours, {models} models", ShadowTraining, options, threads=None)


def _peak(library: str, cores: int) -> Contender:
    return Contender(f"matmul, {library}", MatmulPeak, {"library": library, "threads": cores}, cores)


if __name__ == "__main__":
    _flags.call(main)
