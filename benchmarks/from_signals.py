"""From stored logits to the report: the whole of ``miajax attacks`` on a run of the field's size, its figures by part.

    python -m benchmarks.from_signals [--quick] [--json FILE]

256 models, 50,000 pictures of 32x32x3, 10 classes. Logits are drawn, nothing is trained: a run is written as answers
from elsewhere make one, and the command reads it in a process of its own. Seconds and CPU seconds are that process's
own, from its start to its end; memory is its peak.
"""

import dataclasses
import json as json_
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import _flags
from benchmarks._rows import Row, print_rows, write_json
from miajax.campaign.config import Setup
from miajax.campaign.elsewhere import ElsewhereRunner
from miajax.campaign.handover import campaign_of, named
from miajax.campaign.progress import Silent
from miajax.data.registry import DataOptions
from miajax.estimators.worker import Trained

CLASSES = 10
_PARTS = ("attack_s", "blind_s", "report_s")


def main(
    json: Path | None = None, quick: bool = False, models: int = 256, examples: int = 50_000, repeats: int = 1
) -> None:
    """Times the command that attacks a run of drawn logits.

    Args:
      json: where to write the rows.
      quick: 16 models and 2,000 examples.
      models: M.
      examples: N.
      repeats: how often the command runs.
    """
    if quick:
        models, examples = 16, 2_000
    with tempfile.TemporaryDirectory() as folder:
        run = drawn_run(Path(folder), models, examples)
        found = [_attacked(run) for _ in range(repeats)]
    size = f"{models} models x {examples:,} examples x {CLASSES} classes"
    rows = [
        Row(f"miajax attacks, {size}, process to report", "s", [each["seconds"] for each in found]),
        Row("the same, processor time of all cores", "s", [each["cpu_s"] for each in found]),
        Row("peak memory", "GiB", [each["peak_gib"] for each in found]),
        *(Row(f"of it: {part.removesuffix('_s')}", "s", [each[part] for each in found]) for part in _PARTS),
        Row("attacks that ran", "", [each["attacks"] for each in found]),
    ]
    print_rows("from stored logits to the report", rows)
    if json:
        write_json(json, rows)


def drawn_run(folder: Path, models: int, examples: int, seed: int = 0) -> Path:
    """A run whose answers are drawn: Gaussian logits, the label's higher, and higher yet for members of some examples.

    Pictures are noise around one of 1,000 prototypes, so that some lie near each other.
    """
    rng = np.random.default_rng(seed)
    labels = (np.arange(examples) % CLASSES).astype(np.int32)
    prototypes = rng.integers(0, 256, (1000, 32, 32, 3))
    pictures = np.empty((examples, 32, 32, 3), np.uint8)
    for row in range(examples):
        noise = rng.normal(scale=40, size=(32, 32, 3)).astype(np.float32)
        pictures[row] = (0.5 * prototypes[rng.integers(1000)] + 64 + noise).clip(0, 255)
    np.savez(folder / "pictures.npz", features=pictures, labels=labels)
    data = DataOptions(data_path=str(folder / "pictures.npz"))
    config = campaign_of("npz", data, models, seed, "fixed_size", 0.5)
    config = dataclasses.replace(config, model_options=named("drawn", "benchmark", ""), keep=("logits",))
    setup = Setup.of(config)
    member = setup.membership()
    level, gap = 3 + 2 * rng.normal(size=examples), rng.gamma(0.3, 2.0, size=examples)

    def returned(model: int) -> Trained:
        own = np.random.default_rng([seed, model])
        logits = own.normal(size=(examples, CLASSES))
        logits[np.arange(examples), labels] += level + gap * member[model]
        return Trained(model, "", "scores", logits.astype(np.float32))

    ElsewhereRunner(setup, folder / "run", Silent(), returned, ()).run()
    return folder / "run"


def _attacked(run: Path) -> dict[str, float]:
    """One run of the command."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "miajax", "attacks", "--run", str(run)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - begun
    results = json_.loads((run / "attacks" / "results.json").read_text())
    used = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    return {
        "seconds": seconds,
        "cpu_s": used,
        "peak_gib": after.ru_maxrss / 2**20,
        "attacks": len(results["attacks"]),
        **{part: results["timing"][part] for part in _PARTS},
    }


if __name__ == "__main__":
    _flags.call(main)
