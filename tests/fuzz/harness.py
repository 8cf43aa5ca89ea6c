"""Feeds mutated files to a reader in a process of its own, and counts what must not happen.

    python -m tests.fuzz READER [--inputs 10000] [--seconds 600] [--seed 0]

An input is the reader's sound files with one of them mutated, drawn from ``(seed, reader, number)`` alone, so that a
number found is the test of a fault. What must not happen: an exception that is no ``UserError``, a message of several
lines, a process that dies, 5 seconds of CPU time, more than 1 GiB above what the process took before, and any other
file that is changed.
"""

import dataclasses
import json
import os
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path

from miajax.errors import UserError

LONGEST_SECONDS = 5
MOST_MIB = 1024
_MOST_TAKEN_MIB = 4096
_WALL = 240  # seconds without CPU time, where a process only waits
ROOT = Path(__file__).parents[2]


@dataclasses.dataclass
class Found:
    """What a reader made of its inputs.

    Attributes:
      inputs, read, refused: how many there were, and of them how many became something or were told.
      faults: ``{number: what happened}``.
      peak_mib: the most memory that an input took above what the process had.
      slowest_s: CPU seconds of the slowest input.
      seconds: altogether.
    """

    reader: str
    seed: int
    inputs: int = 0
    read: int = 0
    refused: int = 0
    faults: dict[int, str] = dataclasses.field(default_factory=dict)
    peak_mib: int = 0
    slowest_s: float = 0.0
    seconds: float = 0.0

    def line(self) -> str:
        kinds = Counter(fault.split(":")[0] for fault in self.faults.values())
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "no fault"
        return (
            f"{self.reader}: {self.inputs} inputs, {self.refused} refused, {self.read} read, {told}, "
            f"slowest {self.slowest_s:.2f} s, peak {self.peak_mib} MiB, {self.seconds:.0f} s"
        )


def fuzz(reader: str, inputs: int, seconds: float, seed: int = 0, start: int = 0) -> Found:
    """Feeds ``inputs`` to a reader, or as many as ``seconds`` allow."""
    found, begin, number = Found(reader, seed), time.monotonic(), start
    with tempfile.TemporaryDirectory(prefix="miajax-fuzz-") as place:
        while number < start + inputs and time.monotonic() - begin < seconds:
            number = _one_process(found, Path(place), number, start + inputs, begin + seconds)
    found.seconds = time.monotonic() - begin
    return found


def _one_process(found: Found, place: Path, number: int, stop: int, until: float) -> int:
    """Runs a worker until it ends, or is ended; returns the number to go on with."""
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.harness",
        found.reader,
        str(found.seed),
        str(number),
        str(stop),
        str(place),
    ]
    worker = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert worker.stdout is not None and worker.stderr is not None
    at, ended, buffer = number - 1, "", b""
    while True:
        ready, _, _ = select.select([worker.stdout], [], [], _WALL)
        block = os.read(worker.stdout.fileno(), 1 << 16) if ready else None
        if block == b"":
            break
        if block is None or time.monotonic() > until:
            ended = "" if block is not None else "hang"
            worker.kill()
            if block is None:
                break
        *lines, buffer = (buffer + (block or b"")).split(b"\n")
        for line in map(json.loads, lines):
            if "begun" in line:
                at = line["begun"]
                continue
            found.inputs += 1
            found.read += line["state"] == "read"
            found.refused += line["state"] == "refused"
            found.peak_mib = max(found.peak_mib, line["mib"])
            found.slowest_s = max(found.slowest_s, line["cpu_s"])
            if line["fault"]:
                found.faults[at] = line["fault"]
            at += 1
    told = worker.stderr.read().decode(errors="replace")[-1500:]
    status = worker.wait()
    if number > at and time.monotonic() > until:
        return stop
    if number > at:
        raise RuntimeError(f"{found.reader}: the worker did not begin: {told}")
    if ended or (status and time.monotonic() <= until):
        name = "hang" if ended or status == -signal.SIGPROF else f"death: signal {-status}"
        found.inputs += 1
        found.faults[at] = f"{name}: {told}"
        at += 1
    return at


def work(reader_name: str, seed: int, number: int, stop: int, place: Path) -> None:
    """Feeds inputs ``number..stop-1``, a line of JSON each; ends early when memory has grown."""
    from tests.fuzz.readers import ALL

    reader = ALL[reader_name]
    folder = place / reader_name
    shutil.rmtree(folder, ignore_errors=True)  # of a worker that died amid an input
    folder.mkdir()
    reader.build(folder)
    sound = {
        file: (folder / file).read_bytes()
        for file in sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())
    }
    targets = [(file, mutators) for file in sound if (mutators := reader.mutators(file.as_posix()))]
    assert targets, f"{reader_name} mutates nothing of {list(sound)}"
    warnings.simplefilter("ignore")
    reader.read(folder)  # sound files are read
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what readers print is no result
    before = _peak()
    limit = (before + _MOST_TAKEN_MIB) << 20  # more would be taken from everybody else on the machine
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for i in range(number, stop):
        rng = random.Random(f"{seed} {reader_name} {i}")
        file, mutators = rng.choice(targets)
        print(json.dumps({"begun": i}), file=out, flush=True)
        (folder / file).write_bytes(rng.choice(mutators)(rng, sound[file]))
        signal.setitimer(signal.ITIMER_PROF, LONGEST_SECONDS)
        begin = time.process_time()
        state, fault = _read(reader, folder)
        cpu_s = time.process_time() - begin
        signal.setitimer(signal.ITIMER_PROF, 0)
        (folder / file).write_bytes(sound[file])
        mib = _peak() - before
        if mib > MOST_MIB:
            fault = fault or f"memory: {mib} MiB"
        changed = i % 50 == 0 and _changed(folder, sound)
        fault = fault or (f"overwritten: {changed}" if changed else "")
        print(json.dumps({"state": state, "fault": fault, "mib": mib, "cpu_s": cpu_s}), file=out, flush=True)
        if mib > MOST_MIB:
            return


def _read(reader, folder: Path) -> tuple[str, str]:
    try:
        reader.read(folder)
    except UserError as error:
        text = str(error)
        return "refused", f"message: {text[:300]!r}" if "\n" in text or len(text) > 3000 else ""
    except OSError as error:  # which commands tell in one line, with the path that the system refused
        return ("refused", "") if error.filename is not None else ("fault", f"traceback: {error!r}")
    except (Exception, SystemExit) as error:
        where = "; ".join(
            f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)[-5:]
        )
        return "fault", f"traceback: {type(error).__name__}: {str(error)[:200]} ({where})"
    return "read", ""


def _changed(folder: Path, sound: dict[Path, bytes]) -> str:
    there = _content(folder)
    names = sorted({*sound, *there})
    return ", ".join(str(file) for file in names if sound.get(file) != there.get(file))


def _content(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _peak() -> int:
    """MiB that this process has had at most; what the system counts by ``getrusage`` may be its parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) >> 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


if __name__ == "__main__":
    work(sys.argv[1], *map(int, sys.argv[2:5]), Path(sys.argv[5]))
