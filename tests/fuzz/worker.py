"""The process that feeds inputs to readers: it imports what they need, and forks for every request a line brings.

A worker tells ``{"pid"}`` and every fault, ``{"number", "fault"}``, in lines of JSON; its parent ``{"ended", "stderr",
"progress"}``. Progress goes to a file, so that nobody has to wake for an input.
"""

import importlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from miajax.errors import UserError

LONGEST_SECONDS = 5
MOST_MIB = 1024
_MOST_TAKEN_MIB = 4096
_IMPORTED = (
    "miajax.cli.lira", "miajax.cli.audit_report", "miajax.data.registry", "miajax.runs.exports", "miajax.runs.imports",
    "miajax.studies.compare.study", "miajax.campaign.returned", "pyarrow.parquet", "pyarrow.csv", "PIL.Image",
    "tests.fuzz.readers",
)  # fmt: skip


def serve(place: Path) -> None:
    """Forks a worker for every line of standard input: ``{"reader", "seed", "number", "stop", "seconds"}``."""
    warnings.simplefilter("ignore")  # JAX warns of forks; none of its threads has begun
    for name in _IMPORTED:
        importlib.import_module(name)
    out, errors, progress = os.dup(1), place / "stderr", place / "progress"
    os.dup2(2, 1)  # what readers print is no result
    for line in sys.stdin:
        asked = json.loads(line)
        progress.write_bytes(b"null")
        pid = os.fork()
        if not pid:
            status = 1
            try:
                os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 2)
                _tell(out, {"pid": os.getpid()})
                work(out, place, **asked)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        told = errors.read_text(errors="replace")[-1500:] if errors.exists() else ""
        _tell(out, {"ended": status, "stderr": told, "progress": json.loads(progress.read_bytes())})


def _tell(out: int, value: dict[str, Any]) -> None:
    os.write(out, json.dumps(value).encode() + b"\n")


def work(out: int, place: Path, reader: str, seed: int, number: int, stop: int, seconds: float) -> None:
    """Feeds inputs ``number..stop-1``; ends early when memory has grown or ``seconds`` are over."""
    from tests.fuzz.readers import ALL

    under_test, folder = ALL[reader], place / reader
    shutil.rmtree(folder, ignore_errors=True)  # of a worker that died amid an input
    folder.mkdir()
    under_test.build(folder)
    sound = _content(folder)
    targets = [(file, mutators) for file in sound if (mutators := under_test.mutators(file.as_posix()))]
    assert targets, f"{reader} mutates nothing of {list(sound)}"
    under_test.read(folder)  # sound files are read
    before, begin = _peak(), time.monotonic()
    limit = (before + _MOST_TAKEN_MIB) << 20  # more would be taken from everybody else on the machine
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    progress = os.open(place / "progress", os.O_WRONLY)
    come = {
        "at": number,
        "inputs": 0,
        "read": 0,
        "refused": 0,
        "mib": 0,
        "cpu_s": 0.0,
        "slowest_s": 0.0,
        "seconds": 0.0,
    }
    while True:
        come["seconds"] = time.monotonic() - begin
        os.pwrite(progress, json.dumps(come).ljust(400).encode(), 0)
        if come["at"] == stop or come["seconds"] > seconds or come["mib"] > MOST_MIB:
            return
        rng = random.Random(f"{seed} {reader} {come['at']}")
        file, mutators = rng.choice(targets)
        (folder / file).write_bytes(rng.choice(mutators)(rng, sound[file]))
        signal.setitimer(signal.ITIMER_PROF, LONGEST_SECONDS)
        cpu_before = time.process_time()
        state, fault = _read(under_test, folder)
        cpu_s = time.process_time() - cpu_before
        signal.setitimer(signal.ITIMER_PROF, 0)
        (folder / file).write_bytes(sound[file])
        mib = _peak() - before
        if mib > MOST_MIB:
            fault = fault or f"memory: {mib} MiB"
        changed = come["at"] % 50 == 0 and _changed(folder, sound)
        fault = fault or (f"overwritten: {changed}" if changed else "")
        if fault:
            _tell(out, {"number": come["at"], "fault": fault})
        come |= {"at": come["at"] + 1, "inputs": come["inputs"] + 1, "mib": max(come["mib"], mib)}
        come |= {"cpu_s": come["cpu_s"] + cpu_s, "slowest_s": max(come["slowest_s"], cpu_s)}
        if state in come:
            come[state] += 1


def _read(reader: Any, folder: Path) -> tuple[str, str]:
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
    serve(Path(sys.argv[1]))
