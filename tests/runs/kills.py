"""Kills a study at random moments and has it go on, until its folder is whole: to the same bits as undisturbed.

    python -m tests.runs.kills FOLDER KILLS [SEED]

Prints JSON: kills by what was on the disk at that moment, folders finished, and how many of them differ. Processes are
forked from one that has imported everything and computed nothing, so that a kill costs a second and not ten.
"""

import hashlib
import importlib
import json
import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path


def tiny():
    import dataclasses

    from miajax.campaign.config import CampaignConfig, Setup
    from miajax.data.registry import DataOptions
    from miajax.training.recipe import Recipe

    config = CampaignConfig(
        data=DataOptions(max_examples=60), num_shadows=12, recipe=Recipe(epochs=3, batch_size=16), chunk=1, group=4,
        keep=("logits", "losses", "parameters"), checkpoint_minutes=0.0,
    )  # fmt: skip
    return Setup.of(dataclasses.replace(config, model_options=dataclasses.replace(config.model_options, widths=(8,))))


def begun(path: Path) -> int:
    """A process that trains, scores and reports; its id."""
    from miajax.studies.lira.study import LiraOptions, run_lira

    process = os.fork()
    if process:
        return process
    try:
        import jax

        jax.config.update("jax_num_cpu_devices", 2)
        run_lira(tiny(), path, LiraOptions())
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def whole(path: Path) -> dict[str, str]:
    """Hashes of all that a study computes; figures without times."""
    files = [
        file
        for pattern in ("groups/*/*.npy", "*.npy", "scores/*.npy", "logits/*", "losses/*")
        for file in path.glob(pattern)
    ]
    found = {str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    results = json.loads((path / "results.json").read_text())
    for name in ("timing", "made"):
        results.pop(name)
    return found | {"results.json": json.dumps(results, sort_keys=True)}


def at(path: Path) -> str:
    """What a study is at, by what lies on the disk."""
    if not (path / "manifest.json").exists():
        return "begins"
    if len(list((path / "groups").glob("0*"))) < 3:
        return "trains"
    if not (path / "scores").is_dir():
        return "scores"
    return "scored" if not (path / "results.json").exists() else "reports"


def main(folder: Path, kills: int, seed: int = 0) -> None:
    for name in ("miajax.studies.lira.study", "miajax.studies.lira.page", "orbax.checkpoint"):
        importlib.import_module(name)  # once, and not in every process
    draws, moments = random.Random(seed), Counter[str]()
    assert os.waitpid(begun(folder / "whole"), 0)[1] == 0
    begin = time.monotonic()
    assert os.waitpid(begun(folder / "again"), 0)[1] == 0  # compiled programs are there by now
    lasts = time.monotonic() - begin
    reference = whole(folder / "whole")
    assert whole(folder / "again") == reference
    finished = differ = 0
    path = folder / "killed-0"
    while moments.total() < kills:
        process, until = begun(path), time.monotonic() + draws.uniform(0.1, 1.1) * lasts
        ended = 0
        while not ended and time.monotonic() < until:
            ended, status = os.waitpid(process, os.WNOHANG)
            time.sleep(0.002)
        if not ended:
            moments[at(path)] += 1
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            continue
        finished += 1
        differ += status != 0 or whole(path) != reference
        path = folder / f"killed-{finished}"
    if path.exists():
        assert os.waitpid(begun(path), 0)[1] == 0
        finished, differ = finished + 1, differ + (whole(path) != reference)
    told = {"kills": moments.total(), "at": moments, "finished": finished, "differ": differ, "undisturbed_s": lasts}
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *map(int, sys.argv[3:]))
