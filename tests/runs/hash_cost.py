"""What hashes, seals, manifests and checkpoints of unfinished groups cost of the default run.

    python -m tests.runs.hash_cost FOLDER [--flag value ...]

runs ``miajax lira --out FOLDER --flag value ...`` and prints JSON: CPU seconds of the whole process, and of what only
guards the run. CPU time of the thread at work counts, so that a loaded machine tells the same.
"""

import functools
import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path

SPENT: Counter[str] = Counter()
_HERE = threading.local()


def timed(name: str, act):
    @functools.wraps(act)
    def counted(*args, **kwargs):
        if getattr(_HERE, "within", False):  # a hash within a record counts once
            return act(*args, **kwargs)
        _HERE.within = True
        begin = time.thread_time()
        try:
            return act(*args, **kwargs)
        finally:
            SPENT[name] += time.thread_time() - begin
            _HERE.within = False

    return counted


def main(folder: Path, *flags: str) -> None:
    from miajax.cli.lira import run
    from miajax.runs import atomic, derived, integrity, unfinished
    from miajax.runs import folder as run_folder

    for module in (atomic, derived, integrity, run_folder, unfinished):
        for name in ("hash_of", "write_sealed", "read_sealed", "check_group", "save_unfinished"):
            if name in vars(module):
                vars(module)[name] = timed(name, vars(module)[name])
    begin = time.process_time()
    run.main("miajax lira", ["--out", str(folder), *flags])
    whole = time.process_time() - begin
    guard = sum(SPENT.values())
    print(json.dumps({"cpu_s": whole, "guard_s": guard, "share": guard / whole, "by": SPENT}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
