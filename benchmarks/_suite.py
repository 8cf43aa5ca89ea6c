"""One network of a suite: ours over numbers of models, PyTorch's best, and both ceilings, in one sitting."""

import contextlib
import statistics
from collections.abc import Sequence

from benchmarks import _torch_field as field
from benchmarks._contest import Contender, ContenderFailed, Running, alternate, running
from benchmarks._heats import run_heats
from benchmarks._matmul_peak import MatmulPeak
from benchmarks._ours import ShadowTraining
from benchmarks._rows import Row
from benchmarks._same_work import require_same_work
from benchmarks._stream_peak import StreamPeak
from benchmarks._workloads import Part
from miajax.training.devices import usable_cores

STEPS = "model-steps/s"


def measure_part(
    part: Part, suite: str, repeats: int = 3, tune_seconds: float = 50.0, alone: bool = False
) -> list[Row]:
    """All rows of a network.

    Args:
      part: the network.
      suite: ``cpu`` or ``gpu``; on a CPU plans are chosen by rule.
      repeats: of every figure.
      alone: leaves PyTorch out.
      tune_seconds: for the search of the plan of the most models; fewer models take the plan by rule.

    Raises:
      DifferentWork: a rival's training is not the same work as ours.
      ContenderFailed: ours ran with no number of models.
    """
    workload, cores = part.workload, usable_cores()
    device = "cpu" if suite == "cpu" else "cuda"
    compiled: dict[str, float] = {}
    with contextlib.ExitStack() as stack:

        def start(contender: Contender, seconds: float = 0.5) -> Running:
            return stack.enter_context(running(contender, seconds))

        ours = {}
        for models in part.counts:
            try:
                seconds = tune_seconds if suite != "cpu" and models == part.counts[-1] else 0.0
                ours[models] = start(_ours(part, models, seconds))
            except ContenderFailed as error:  # the plan of more models may fit where this one's did not
                print(f"left out: {error}")
        if not ours:
            raise ContenderFailed(f"{workload.name}: no number of models ran")
        headline = ours[max(ours)]
        chosen: list[Contender] = []
        heats = None
        if field.torch_is_here() and not alone:
            families = field.suite_families(part, cores, device)
            winners = [contender for family in families.values() for contender in family]
            if len(winners) > len(families):  # there is something to choose from
                heats, winners = run_heats(families, headline, compiled, keep=1)
            chosen = [field.usual(workload, cores, None, device), *winners]
        rivals = []
        for contender in chosen:
            try:
                rivals.append(start(contender))
            except ContenderFailed as error:
                print(f"left out: {error}")
        for rival in rivals:
            require_same_work(headline, rival)
            compiled.setdefault(rival.name, rival.compile_seconds)
        libraries = ("jax", "torch") if rivals and suite == "cpu" else ("jax",)
        half = workload.campaign.recipe.precision == "bfloat16"
        peaks = [
            start(Contender(f"matmul, {name}", MatmulPeak, {"library": name, "threads": cores, "half": half}, cores))
            for name in libraries
        ]
        stream = start(Contender("memory", StreamPeak, threads=None))
        rates = alternate([*ours.values(), *rivals, *peaks, stream], repeats)
    return _rows(part, ours, headline, rivals, peaks, stream, rates, compiled, heats)


def _rows(
    part: Part, ours: dict[int, Running], headline: Running, rivals: Sequence[Running], peaks: Sequence[Running],
    stream: Running, rates: dict[str, list[float]], compiled: dict[str, float], heats: Row | None,
) -> list[Row]:  # fmt: skip
    name, cost, models = part.workload.name, part.workload.cost(), max(ours)
    practice = tuple(r.name for r in rivals if r.name == field.USUAL)
    theirs = {r.name: rates[r.name] for r in rivals}
    flops, moved = (statistics.median(max((rates[p.name] for p in group), key=statistics.median))
                    for group in (peaks, [stream]))  # fmt: skip

    def share(of: float, ceiling: float, speeds: Sequence[float]) -> list[float]:
        return [speed * of / ceiling for speed in speeds]

    return [
        Row(f"{name}: {models} models", STEPS, rates[headline.name], theirs, True, practice),
        *(Row(f"{name}: {m} models of ours", STEPS, rates[run.name], {}, True) for m, run in ours.items()),
        Row(f"{name}: share of the {flops / 1e9:,.0f} GFLOP/s measured here, at {cost.flops:,} FLOPs a step",
            "fraction", share(cost.flops, flops, rates[headline.name]),
            {n: share(cost.flops, flops, v) for n, v in theirs.items()}, True, practice),
        Row(f"{name}: share of the {moved / 1e9:,.0f} GB/s measured here, at {cost.bytes:,} bytes a step at least",
            "fraction", share(cost.bytes, moved, rates[headline.name]), {}, True),
        Row(f"{name}: compile time, {models} models", "s", [headline.compile_seconds],
            {n: [s] for n, s in compiled.items() if s and n in theirs}),
        *(Row(f"{name}: memory on one device, {m} models", "MiB", [run.device_bytes / 2**20])
          for m, run in ours.items() if run.device_bytes),
        *([heats] if heats else []),
    ]  # fmt: skip


def _ours(part: Part, models: int, tune_seconds: float) -> Contender:
    options = {"workload": part.workload, "models": models, "tune_seconds": tune_seconds}
    return Contender(f"ours, {models} models", ShadowTraining, options, threads=None)
