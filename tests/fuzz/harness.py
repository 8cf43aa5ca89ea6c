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
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

_WALL = 240.0  # seconds; a worker that tells nothing and computes nothing in them waits for ever
_IN_MEMORY = "/dev/shm"
ROOT = Path(__file__).parents[2]


@dataclasses.dataclass
class Found:
    """What a reader made of its inputs.

    Attributes:
      inputs, read, refused: how many there were, and of them how many became something or were told.
      faults: ``{number: what happened}``.
      peak_mib: the most memory that an input took above what the process had.
      slowest_s, cpu_s: CPU seconds of the slowest input, and of all of them.
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
    cpu_s: float = 0.0
    seconds: float = 0.0

    def line(self) -> str:
        kinds = Counter(fault.split(":")[0] for fault in self.faults.values())
        told = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "no fault"
        return (
            f"{self.reader}: {self.inputs} inputs, {self.refused} refused, {self.read} read, {told}, "
            f"slowest {self.slowest_s:.2f} s, peak {self.peak_mib} MiB, {self.cpu_s:.0f} s of CPU, {self.seconds:.0f} s"
        )


class Harness:
    """Feeds inputs to one reader after another: a process that has imported everything forks a worker for each.

    What a worker spoils (memory, a crash, a limit) ends with it; importing is paid once. Closed by ``with``.

    Attributes:
      begun: when it was started, by ``time.monotonic``.
    """

    def __init__(self) -> None:
        memory = _IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None  # a disk waits for every file that is replaced
        self._place = tempfile.TemporaryDirectory(prefix="miajax-fuzz-", dir=memory)
        command = [sys.executable, "-m", "tests.fuzz.worker", self._place.name]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._buffer, self._ticks = b"", -1
        self.begun = time.monotonic()

    def __enter__(self) -> "Harness":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._place.cleanup()

    def fuzz(self, reader: str, inputs: int, seconds: float, seed: int = 0, start: int = 0) -> Found:
        """Feeds ``inputs`` to a reader, or as many as ``seconds`` allow once its sound files are made and read."""
        found, begin, number, left = Found(reader, seed), time.monotonic(), start, seconds
        while number < start + inputs and left > 0:
            number, took = self._one_worker(found, number, start + inputs, left)
            left -= took
        found.seconds = time.monotonic() - begin
        return found

    def _one_worker(self, found: Found, number: int, stop: int, seconds: float) -> tuple[int, float]:
        """Runs a worker until it ends, or is ended; returns the number to go on with, and what its inputs took."""
        assert self._process.stdin is not None
        asked = {"reader": found.reader, "seed": found.seed, "number": number, "stop": stop, "seconds": seconds}
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        pid, hangs = 0, False
        while "ended" not in (told := self._next(pid)):
            if "pid" in told:
                pid = told["pid"]
            elif "waits" in told:
                hangs = True
                os.kill(pid, signal.SIGKILL)
            else:
                found.faults[told["number"]] = told["fault"]
        if not (come := told["progress"]):
            raise RuntimeError(f"{found.reader}: the worker did not begin: {told['stderr']}")
        found.inputs += come["inputs"]
        found.read += come["read"]
        found.refused += come["refused"]
        found.peak_mib = max(found.peak_mib, come["mib"])
        found.slowest_s = max(found.slowest_s, come["slowest_s"])
        found.cpu_s += come["cpu_s"]
        at, status = come["at"], told["ended"]
        if hangs or status:
            name = "hang" if hangs or status == -signal.SIGPROF else f"death: signal {-status}"
            found.inputs += 1
            found.faults[at] = f"{name}: {told['stderr']}"
            at += 1
        return at, come["seconds"]

    def _next(self, pid: int) -> dict[str, Any]:
        """The next line of the worker or its parent; ``{"waits": pid}`` where the worker computes nothing for long."""
        assert self._process.stdout is not None
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._process.stdout], [], [], _WALL)
            if ready:
                block = os.read(self._process.stdout.fileno(), 1 << 16)
                if not block:
                    raise RuntimeError("the process that starts workers has died")
                self._buffer += block
            elif pid and (now := _cpu_ticks(pid)) == self._ticks:
                return {"waits": pid}
            elif pid:
                self._ticks = now
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)


def fuzz(reader: str, inputs: int, seconds: float, seed: int = 0, start: int = 0) -> Found:
    """As ``Harness.fuzz``, for one reader."""
    with Harness() as harness:
        return harness.fuzz(reader, inputs, seconds, seed, start)


def _cpu_ticks(pid: int) -> int:
    """What the process has computed so far; -1 where nobody tells."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:  # ended, or no such place on this system
        return -1
    return int(told[11]) + int(told[12])
