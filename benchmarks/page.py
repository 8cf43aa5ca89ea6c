"""The benchmark page, made from the result files; nothing on it is typed.

    python -m benchmarks.page

Writes ``docs/benchmarks.md`` and the pictures beside it from all JSON files in ``benchmarks/results``.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import gpu, tpu, tuner
from benchmarks._workloads import SUITES

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[1] / "docs"
PICTURES = "benchmarks"  # folder beside the page

# file: (headline, what stands under it); files that are not named here come after these, by name
KNOWN = {
    "suite_cpu": ("Shadow training on a CPU, network by network", "python -m benchmarks.shadow_training --suite cpu"),
    "suite_gpu": ("Shadow training on a GPU, network by network", "python -m benchmarks.shadow_training --suite gpu"),
    "gpu": ("A GPU: checks, and a study from data to report", "python -m benchmarks.gpu"),
    "tpu_aot": ("TPU: estimates of its compiler", "python -m benchmarks.shadow_training --suite tpu"),
    "shadow_training": ("256 MLPs on digits against PyTorch, at length", "python -m benchmarks.shadow_training"),
    "coverage": ("Do 95 % intervals hold the truth in 95 % of campaigns?", "python -m benchmarks.coverage"),
    "chance": ("Does noise look like a leak?", "python -m benchmarks.chance"),
    "per_record": ("Bias of figures of single examples", "python -m benchmarks.per_record"),
    "calibrated": ("Figures of scores that are set against their own record's", "python -m benchmarks.calibrated"),
    "stability": ("Do intervals of figures of stability hold the truth?", "python -m benchmarks.stability"),
    "tuner": ("The search for an execution plan", "python -m benchmarks.tuner"),
}
INTRO = """# Benchmarks

Made by `python -m benchmarks.page` from `benchmarks/results/*.json`; nothing here is typed. Every figure is a median;
the raw repeats stand in the files. Ratios above 1 say that miajax is better. They are against the best tuned rival;
what is only common practice is marked and left out of them. A figure that was not measured reads "not measured".
"""


def page(results: Path = RESULTS) -> str:
    """The page, in Markdown."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(results.glob("*.json"))}
    parts = [INTRO]
    for name in [*KNOWN, *(n for n in found if n not in KNOWN)]:
        title, command = KNOWN.get(name, (name.replace("_", " ").capitalize(), ""))
        parts.append(f"## {title}\n")
        if name not in found:
            parts.append(f"Not measured. `{command}` measures it.\n")
            continue
        parts += [f"{line}\n" for line in _provenance(found[name])]
        parts += _body(name, found[name])
    return "\n".join(parts)


def _body(name: str, content: Mapping[str, Any]) -> list[str]:
    if "parts" in content:
        return _suite(name, content)
    if "table" in content:  # a study that is no comparison brings its own
        head, *lines = content["table"]
        return ["\n".join([_line(head), _rule(len(head)), *(_line(line) for line in lines)]) + "\n"]
    return [_table(content["rows"])]


def _provenance(content: Mapping[str, Any]) -> Iterator[str]:
    machine = content["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    parts = [f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB", *machine["devices"], versions]
    yield "; ".join(parts) + "."
    if "parts" in content:
        loads = [part["machine"]["load_average"][0] for part in content["parts"].values()]
        yield f"Measured network by network; load average of the machine when each was done: {_range(loads)}."
    else:
        yield f"`{_command(content)}`"


def _command(content: Mapping[str, Any]) -> str:
    """As it was typed, without the folder of its file."""
    return re.sub(r"--json \S*/", "--json ", content["command"])


def _suite(name: str, content: Mapping[str, Any]) -> list[str]:
    """A table of headlines, a picture over numbers of models, and every row."""
    rows: Sequence[Mapping[str, Any]] = content["rows"]
    out = []
    heads = [next(r for r in rows if r["part"] == part) for part in content["parts"]]
    if any(len(_over_models(rows, head["part"])) > 1 for head in heads):
        out.append(f"![Model-steps a second over numbers of models]({PICTURES}/{name}.svg)\n")
    if name.startswith("suite"):
        table = ["| network | models | ours | best PyTorch | ratio | share of FLOP/s | share of bytes/s |", _rule(7)]
        for head in heads:
            mine = [r for r in rows if r["part"] == head["part"]]
            shares = [next((r["ours"] for r in mine if word in r["name"]), None) for word in ("GFLOP/s", "GB/s")]
            network, models = head["name"].rsplit(": ", 1)
            rivals = {n: v for n, v in head["rivals"].items() if n not in head["common_practice"]}
            best = max(rivals, key=lambda n: rivals[n]) if rivals else None
            rival = "not measured" if best is None else f"{_number(rivals[best])} ({best.removeprefix('PyTorch, ')})"
            ratio = "not measured" if head["ratio_best"] is None else f"{head['ratio_best']:.2f}"
            cells = [network, models.split()[0], f"{_number(head['ours'])} steps/s", rival, ratio]
            table.append(_line([*cells, *("not measured" if s is None else f"{s:.0%}" for s in shares)]))
        out.append("\n".join(table) + "\n")
    if missing := [part for part in _expected(name) if part not in content["parts"]]:
        out.append(f"Not measured: {', '.join(missing)}.\n")
    for part in content["parts"]:
        out.append(f"<details><summary>{part}: every row; <code>{_command(content['parts'][part])}</code></summary>\n")
        out.append(_table([r for r in rows if r["part"] == part]))
        out.append("</details>\n")
    return out


def _expected(name: str) -> Iterable[str]:
    """Which parts a complete file has."""
    if name.startswith("suite_"):
        return SUITES[name.removeprefix("suite_")]
    return {"tpu_aot": tpu.NETWORKS, "tuner": tuner.NETWORKS, "gpu": gpu.PARTS}.get(name, ())


def _over_models(rows: Sequence[Mapping[str, Any]], part: str, kind: str = "speed") -> dict[int, float]:
    """Our speed, or memory, by number of models."""
    pattern = {"speed": r": (\d+) models of ours$", "memory": r"memory on one device, (\d+) models$"}[kind]
    found = [(re.search(pattern, row["name"]), row["ours"]) for row in rows if row["part"] == part]
    return {int(match[1]): value for match, value in found if match}


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| figure | unit | ours | rivals | ratio to the best |", _rule(5)]
    for row in rows:
        practice = row.get("common_practice", [])
        rivals = "<br>".join(
            f"{name}{' (common practice)' if name in practice else ''}: {_number(value)}"
            for name, value in row["rivals"].items()
        )
        ratio = "" if row.get("ratio_best") is None else f"{row['ratio_best']:.3g}"
        ours = _number(row["ours"])
        repeats = row["repeats"]["ours"]
        if 1 < len(repeats) <= 16:
            ours += f" ({_number(min(repeats))} to {_number(max(repeats))})"
        lines.append(_line([row["name"], row["unit"], ours, rivals, ratio]))
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _rule(columns: int) -> str:
    return "|" + "---|" * columns


def _number(value: float | None) -> str:
    if value is None:
        return "not measured"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.1f} to {max(values):.1f}"


def draw(content: Mapping[str, Any], path: Path) -> None:
    """Our speed of every network over numbers of models, relative to one model, and memory, as SVG."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    plt.rcParams["svg.hashsalt"] = "miajax"
    figure, (speed, memory) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    ticks: set[int] = set()
    for part in content["parts"]:
        speeds, held = (_over_models(content["rows"], part, kind) for kind in ("speed", "memory"))
        speed.plot(list(speeds), [v / speeds[min(speeds)] for v in speeds.values()], marker="o", label=part)
        memory.plot(list(held), list(held.values()), marker="o", label=part)
        ticks.update(speeds)
    speed.set(ylabel="model-steps/s, relative to one model", ylim=(0, None))
    memory.set(ylabel="MiB on one device", yscale="log")
    for axes in (speed, memory):
        axes.set(xscale="log", xlabel="models")
        axes.set_xticks(sorted(ticks), [str(t) for t in sorted(ticks)])
        axes.xaxis.minorticks_off()
        axes.grid(alpha=0.3)
    speed.legend(fontsize=8)
    figure.savefig(path, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    """Writes page and pictures."""
    (DOCS / "benchmarks.md").write_text(page())
    (DOCS / PICTURES).mkdir(exist_ok=True)
    for path in RESULTS.glob("suite_*.json"):
        draw(json.loads(path.read_text()), DOCS / PICTURES / f"{path.stem}.svg")


if __name__ == "__main__":
    main()
