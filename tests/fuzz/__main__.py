"""``python -m tests.fuzz [READER ...] [--inputs N] [--seconds S] [--seed K] [--start I]``: a line a reader."""

import argparse

from tests.fuzz.harness import Harness
from tests.fuzz.readers import READERS


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("readers", nargs="*", help=f"all if none: {', '.join(READERS)}")
    asked.add_argument("--inputs", type=int, default=10_000)
    asked.add_argument("--seconds", type=float, default=3600.0, help="of each reader")
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--start", type=int, default=0, help="number of the first input")
    given = asked.parse_args()
    faulty = 0
    with Harness() as harness:
        for name in given.readers or READERS:
            found = harness.fuzz(name, given.inputs, given.seconds, given.seed, given.start)
            print(found.line(), flush=True)
            for number, fault in list(found.faults.items())[:40]:
                print(f"  {number}: {fault}", flush=True)
            faulty += bool(found.faults)
    raise SystemExit(min(faulty, 1))


if __name__ == "__main__":
    main()
