"""Kills a study that trains on a Ray cluster, or one of its workers, and has it go on until its folder is whole.

    python -m tests.campaign.ray_kills FOLDER KILLS [SEED]

A cluster of two nodes stays up. Each study is the one of tests/runs/kills.py; at a random moment either the process
that hands out groups is killed, or a worker of one. Prints JSON: kills by who was killed and by what the study was at,
folders finished, and how many of them differ from the one that one machine made without a cluster.
"""

import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.runs.kills import at, begun, tiny, whole

_CLUSTER = """
import sys
from ray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
cluster.add_node(num_cpus=1)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""
_LONGEST = 900.0  # seconds of one study, after which it counts as hung


def begun_on(address: str, path: Path) -> int:
    """A process that has the cluster train, scores and reports; its id."""
    from miajax.campaign.cluster.flags import ClusterFlags, training_on
    from miajax.studies.lira.study import LiraOptions, run_lira

    process = os.fork()
    if process:
        return process
    try:
        import jax

        jax.config.update("jax_num_cpu_devices", 2)  # as the results of one machine say
        with training_on(ClusterFlags(address)):
            run_lira(tiny(), path, LiraOptions())
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def workers() -> list[int]:
    """Processes of the cluster that train at the moment."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and (folder / "cmdline").read_bytes().startswith(b"ray::Worker"):
                found.append(int(folder.name))
        except OSError:  # it has ended
            continue
    return sorted(found)


def ended(process: int, seconds: float) -> int | None:
    """The exit status of a process that ends in time, else None."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return status
        time.sleep(0.005)
    return None


def main(folder: Path, kills: int, seed: int = 0) -> None:
    for name in ("miajax.studies.lira.study", "miajax.studies.lira.page", "orbax.checkpoint"):
        importlib.import_module(name)  # once, and not in every process
    # In a process of its own: one that talks to Ray cannot be forked.
    cluster = subprocess.Popen(
        [sys.executable, "-c", _CLUSTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "RAY_worker_niceness": "0"},  # its workers give way to everybody else otherwise
    )  # fmt: skip
    address = cluster.stdout.readline().strip()
    draws, moments, who = random.Random(seed), Counter[str](), Counter[str]()
    assert os.waitpid(begun(folder / "whole"), 0)[1] == 0
    reference = whole(folder / "whole")
    begin = time.monotonic()
    assert os.waitpid(begun_on(address, folder / "again"), 0)[1] == 0
    lasts = time.monotonic() - begin
    assert whole(folder / "again") == reference
    finished = differ = 0
    path = folder / "killed-0"
    while moments.total() < kills:
        process, begin = begun_on(address, path), time.monotonic()
        status = ended(process, draws.uniform(0.1, 0.9) * lasts)
        if status is not None:
            lasts = min(lasts, time.monotonic() - begin)  # of a machine that has less to do by now
        else:
            some = workers()
            victim = draws.choice(["driver", "worker"]) if some else "driver"
            moments[at(path)] += 1
            who[victim] += 1
            os.kill(process if victim == "driver" else draws.choice(some), signal.SIGKILL)
            if victim == "driver":
                os.waitpid(process, 0)
                continue
            status = ended(process, _LONGEST)
            assert status is not None, f"{path} hangs after the loss of a worker"
        finished += 1
        differ += status != 0 or whole(path) != reference
        path = folder / f"killed-{finished}"
    if path.exists():
        assert os.waitpid(begun_on(address, path), 0)[1] == 0
        finished, differ = finished + 1, differ + (whole(path) != reference)
    cluster.communicate()
    told = {"kills": moments.total(), "who": who, "at": moments, "finished": finished, "differ": differ}
    print(json.dumps({**told, "undisturbed_s": lasts}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *map(int, sys.argv[3:]))
