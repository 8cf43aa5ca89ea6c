"""What a cluster of one machine costs beside the same campaign without one.

    python -m tests.campaign.ray_overhead FOLDER PAIRS [--flag value ...]

runs ``miajax lira --flag value ...`` with and without ``--cluster local``, in pairs whose order alternates, and prints
JSON: medians of seconds on the clock, and of CPU seconds of all processes together, which a loaded machine tells
better, and of what the run says that it compiled and trained.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import uuid
from pathlib import Path

_SAMPLE_SECONDS = 0.2
_TICKS = os.sysconf("SC_CLK_TCK")


def spent(marker: bytes, known: dict[tuple[str, str], float]) -> None:
    """Updates CPU seconds of every process that has the marker in its environment, by id and start."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if marker in (folder / "environ").read_bytes():
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                known[folder.name, fields[19]] = (int(fields[11]) + int(fields[12])) / _TICKS
        except (OSError, ValueError):  # it has ended
            continue


def measured(folder: Path, flags: list[str]) -> dict[str, float]:
    """Seconds of one run, by the clock and of the CPU, and when its first model was under way."""
    shutil.rmtree(folder, ignore_errors=True)
    marker = f"MIAJAX_MEASURED={uuid.uuid4().hex}"
    name, _, value = marker.partition("=")
    known: dict[tuple[str, str], float] = {}
    begin = time.perf_counter()
    with (folder.parent / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "miajax", "lira", "--out", str(folder), *flags],
            env={**os.environ, name: value}, stdout=log, stderr=log,
        )  # fmt: skip
        while process.poll() is None:
            spent(marker.encode(), known)
            time.sleep(_SAMPLE_SECONDS)
    took = time.perf_counter() - begin
    assert process.returncode == 0, (folder.parent / "log").read_text()[-2000:]
    timing = json.loads((folder / "results.json").read_text())["timing"]
    return {
        "wall_s": took,
        "cpu_s": sum(known.values()),
        "train_s": timing["train_s"],
        "compile_s": timing["compile_s"],
    }


def main(folder: Path, pairs: int, *flags: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sides: dict[str, list[dict[str, float]]] = {"here": [], "ray": []}
    for pair in range(pairs):
        for side in ("here", "ray") if pair % 2 else ("ray", "here"):
            cluster = ["--cluster", "local"] if side == "ray" else []
            sides[side].append(measured(folder / "run", [*flags, *cluster]))
            print(side, sides[side][-1], file=sys.stderr, flush=True)
    medians = {
        side: {part: statistics.median(run[part] for run in runs) for part in runs[0]} for side, runs in sides.items()
    }
    ratios = {
        part: statistics.median(ray[part] / here[part] for ray, here in zip(sides["ray"], sides["here"], strict=True))
        for part in medians["here"]
    }
    print(json.dumps({"pairs": pairs, "flags": flags, "medians": medians, "ratios": ratios}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
