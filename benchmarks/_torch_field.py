"""Which PyTorch variants compete, by family; the fastest of each family in a heat meet in the final."""

import dataclasses
import importlib.util
from collections.abc import Mapping, Sequence

from benchmarks._contest import Contender
from benchmarks._workloads import Workload

USUAL = "PyTorch, usual eager loop"
ONE_AT_A_TIME = "one model at a time"


def torch_is_here() -> bool:
    """Whether the extra that brings the rivals is installed."""
    return importlib.util.find_spec("torch") is not None


def usual(workload: Workload, cores: int, epochs: int | None) -> Contender:
    """Common practice: the tutorial's loop with PyTorch's own choice of threads."""
    from benchmarks._torch_rivals import UsualLoop

    options = {"workload": workload, "models": 2, "threads": cores, "epochs": epochs}
    return Contender(USUAL, UsualLoop, options, threads=cores)


def families(workload: Workload, cores: int, epochs: int | None) -> Mapping[str, Sequence[Contender]]:
    """All tuned variants: one model after another, stacks of models, several processes of either."""
    threads = dict.fromkeys((1, cores))
    return {
        ONE_AT_A_TIME: [
            *(_loop(workload, epochs, t) for t in threads),
            *(_functional(workload, epochs, "none", compiled, 1, t) for compiled in ("step", "epoch") for t in threads),
        ],
        "stack": [
            *(_functional(workload, epochs, "vmap", "no", width, cores) for width in (64, 256)),
            *(_functional(workload, epochs, "vmap", "step", width, cores) for width in (32, 64, 128, 256)),
            _functional(workload, epochs, "bmm", "no", 64, cores),
            *(_functional(workload, epochs, "bmm", "step", width, cores) for width in (64, 256)),
        ],
        "processes": [
            _loop(workload, epochs, 1, cores),
            _functional(workload, epochs, "none", "epoch", 1, 1, cores),
            *(_functional(workload, epochs, "vmap", "step", width, 1, cores) for width in (16, 32, 64)),
            _functional(workload, epochs, "bmm", "step", 32, 1, cores),
        ],
    }


def whole_training(contender: Contender) -> Contender:
    """The contender of a heat, for the final."""
    return dataclasses.replace(contender, options={**contender.options, "epochs": None})


def shortlist(workload: Workload, cores: int, epochs: int | None) -> Sequence[Contender]:
    """One of each family without heats, for a quick look: what won on two cores of a Xeon."""
    alone, stack = _loop(workload, epochs, 1), _functional(workload, epochs, "vmap", "step", 64, cores)
    return [alone, stack, _functional(workload, epochs, "vmap", "step", 32, 1, cores)]


def _loop(workload: Workload, epochs: int | None, threads: int, processes: int = 1) -> Contender:
    from benchmarks._torch_rivals import TunedLoop

    options = {"workload": workload, "models": 4, "threads": threads, "epochs": epochs}
    name = _name(f"{ONE_AT_A_TIME}, tuned eager loop", threads, processes)
    return Contender(name, TunedLoop, options, threads, processes)


def _functional(
    workload: Workload, epochs: int | None, stack: str, compiled: str, width: int, threads: int, processes: int = 1
) -> Contender:
    from benchmarks._torch_rivals import Functional

    options = {
        "workload": workload, "models": max(width, 4), "threads": threads, "stack": stack, "compiled": compiled,
        "width": width, "epochs": epochs,
    }
    what = ONE_AT_A_TIME if stack == "none" else f"{stack} of {width}"
    how = {"no": "eager", "step": "compiled step", "epoch": "compiled epoch"}[compiled]
    return Contender(_name(f"{what}, {how}", threads, processes), Functional, options, threads, processes)


def _name(what: str, threads: int, processes: int) -> str:
    copies = f"{processes} processes x " if processes > 1 else ""
    return f"PyTorch, {what}, {copies}{threads} thread{'s' if threads > 1 else ''}"
