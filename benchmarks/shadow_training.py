"""Training shadow models: ours against PyTorch, in model-steps a second.

    python -m benchmarks.shadow_training [--json FILE] [--quick]

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

import tyro

from benchmarks import _torch_field as field
from benchmarks._contest import Contender, ContenderFailed, Running, alternate, running
from benchmarks._matmul_peak import MatmulPeak
from benchmarks._ours import ShadowTraining
from benchmarks._rows import Row, print_rows, write_json
from benchmarks._same_work import require_same_work
from benchmarks._workloads import DIGITS_MLP, Workload
from miajax.training.devices import usable_cores, use_cpu_cores_as_devices

STEPS = "model-steps/s"
Rates = Mapping[str, Sequence[float]]
Guard = Callable[[], contextlib.AbstractContextManager[None]]
HEAT_EPOCHS, QUICK_EPOCHS = 6, 10


def main(json: Path | None = None, quick: bool = False) -> None:
    """Compares shadow training with PyTorch.

    Args:
      json: where to write the rows.
      quick: under a minute: no heats, the first 10 epochs, 3 repeats, fewer numbers of models.
    """
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


@contextlib.contextmanager
def leaving_out():
    """A rival that does not run here (no C++ compiler for ``torch.compile``, say) is named and left out."""
    try:
        yield
    except ContenderFailed as error:
        print(f"left out: {error}")


def run_heats(
    families: Mapping[str, Sequence[Contender]], headline: Running, compile_s: dict[str, float]
) -> tuple[Row, list[Contender]]:
    """One short race each; the table of them, and the two fastest of each family. Fills in first compile times."""
    rates: dict[str, list[float]] = {}
    ours: list[float] = []
    winners: list[Contender] = []
    for family in families.values():
        for contender in family:
            with leaving_out(), running(contender, 0.5) as run:
                ours.append(headline.measure())
                rates[contender.name] = [run.measure() for _ in range(3)]
                compile_s[contender.name] = run.compile_seconds
        placed = [c for c in family if c.name in rates]
        winners += sorted(placed, key=lambda c: max(rates[c.name]), reverse=True)[:2]
    row = Row("heats of PyTorch variants, which choose the finalists", STEPS, ours, rates, higher_is_better=True)
    return row, winners


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


def peak_rows(
    workload: Workload, rates: Rates, ours: str, rivals: Sequence[str], peaks: Sequence[str]
) -> list[Row]:
    """What the cores can multiply, and what share of it a training reaches."""
    giga = {name: [rate / 1e9 for rate in rates[name]] for name in peaks}
    peak = max(max(speeds) for speeds in giga.values())

    def share(name: str) -> list[float]:
        return [rate * workload.flops_per_step / 1e9 / peak for rate in rates[name]]

    first, *others = peaks
    return [
        Row(
            "float32 matmul peak, all cores, best size: jax and", "GFLOP/s", giga[first],
            {name: giga[name] for name in others}, True,
        ),
        Row(
            f"share of the best of them, {peak:.0f} GFLOP/s, at {workload.flops_per_step:,} FLOPs a step", "fraction",
            share(ours), {name: share(name) for name in rivals}, True, (field.USUAL,),
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
            f"the {steps:,} steps of {workload.models} trainings, compilation included", STEPS,
            inside(ours.name, ours.compile_seconds), {n: inside(n, s) for n, s in rivals.items()}, True, (field.USUAL,),
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
    tyro.cli(main)
