"""Which PyTorch variants compete, by family; the fastest of each family in a heat meet in the final."""

import dataclasses
import importlib.util
from collections.abc import Mapping, Sequence

from benchmarks._contest import Contender
from benchmarks._workloads import Part, Workload

USUAL = "PyTorch, usual eager loop"
ONE_AT_A_TIME = "one model at a time"


def torch_is_here() -> bool:
    """Whether the extra that brings the rivals is installed."""
    return importlib.util.find_spec("torch") is not None


def usual(workload: Workload, cores: int, epochs: int | None, device: str = "cpu") -> Contender:
    """Common practice: the tutorial's loop with PyTorch's own choice of threads."""
    from benchmarks._torch_rivals import UsualLoop

    options = {"workload": workload, "models": 2, "threads": cores, "epochs": epochs, "device": device}
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


def suite_families(part: Part, cores: int, device: str) -> Mapping[str, Sequence[Contender]]:
    """The variants of a suite's network: one model after another, several processes, and stacks where there are any."""
    workload, images = part.workload, part.workload.campaign.model not in ("mlp", "purchase_mlp")
    if not images and device == "cpu":
        if workload.torch_network == "digits_mlp":  # long heats of it stand in its own comparison
            return {"short list": shortlist(workload, cores, None)}
        return {
            ONE_AT_A_TIME: [
                *(_loop(workload, None, t) for t in (1, cores)),
                _functional(workload, None, "none", "step", 1, cores),
            ],
            "stack": [_functional(workload, None, "vmap", "step", 8, cores),
                      _functional(workload, None, "bmm", "step", 32, cores)],
            "processes": [_loop(workload, None, 1, cores)],
        }  # fmt: skip
    if device == "cpu":
        alone = [_conv_loop(workload, cores)]
        if part.thorough:
            others = _conv_loop(workload, cores, channels_last=False), _conv_loop(workload, cores, compiled="network")
            alone += others
        return {ONE_AT_A_TIME: alone, "processes": [_conv_loop(workload, 1, processes=cores)]}
    how_compiled = ("no", "network", "graphs") if part.thorough else ("network", "graphs")
    alone = [_conv_loop(workload, cores, compiled=how, device=device) for how in how_compiled]
    if not part.thorough:
        stacked = [] if images else [_functional(workload, None, "bmm", "step", 256, cores, device=device)]
        several = [_conv_loop(workload, 2, processes=4, device=device)]
        return {ONE_AT_A_TIME: alone, "processes": several, "stack": stacked}
    several = [_conv_loop(workload, 2, processes=p, device=device) for p in (2, 4, 8)]
    if images and workload.torch_network != "cnn":  # running statistics are written in place: no vmap
        return {ONE_AT_A_TIME: alone, "processes": several}
    stacks = [("vmap", how, w) for how in ("no", "step") for w in (64, 256)]
    stacks += [] if images else [("bmm", "step", w) for w in (64, 256)]
    return {
        ONE_AT_A_TIME: alone,
        "processes": several,
        "stack": [_functional(workload, None, *s, cores, device=device) for s in stacks],
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


def _conv_loop(
    workload: Workload, threads: int, processes: int = 1, channels_last: bool = True, compiled: str = "no",
    device: str = "cpu",
) -> Contender:  # fmt: skip
    from benchmarks._torch_rivals import ConvLoop

    options = {
        "workload": workload,
        "models": 2,
        "threads": threads,
        "channels_last": channels_last,
        "compiled": compiled,
        "device": device,
    }
    how = {"no": "eager", "network": "compiled", "graphs": "compiled, CUDA graphs"}[compiled]
    layout = "channels_last" if channels_last else "contiguous"
    name = _name(f"{ONE_AT_A_TIME}, {how}, {layout}", threads, processes)
    return Contender(name, ConvLoop, options, threads, processes)


def _functional(
    workload: Workload, epochs: int | None, stack: str, compiled: str, width: int, threads: int, processes: int = 1,
    device: str = "cpu",
) -> Contender:  # fmt: skip
    from benchmarks._torch_rivals import Functional

    options = {
        "workload": workload,
        "models": max(width, 4),
        "threads": threads,
        "stack": stack,
        "compiled": compiled,
        "width": width,
        "epochs": epochs,
        "device": device,
    }
    what = ONE_AT_A_TIME if stack == "none" else f"{stack} of {width}"
    how = {"no": "eager", "step": "compiled step", "epoch": "compiled epoch"}[compiled]
    return Contender(_name(f"{what}, {how}", threads, processes), Functional, options, threads, processes)


def _name(what: str, threads: int, processes: int) -> str:
    copies = f"{processes} processes x " if processes > 1 else ""
    return f"PyTorch, {what}, {copies}{threads} thread{'s' if threads > 1 else ''}"
