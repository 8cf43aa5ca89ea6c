"""All figures and tables of the paper, or of its likes on data at hand, in one resumable run with an index page.

python -m experiments.reproduce --preset here
python -m experiments.reproduce --preset paper --data_path purchase100 DIR/purchase.npy cifar10 DIR
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

import dataclasses  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402

from experiments import _command  # noqa: E402
from miajax.campaign.progress import Terminal  # noqa: E402
from miajax.studies.invocation import Invocation  # noqa: E402
from miajax.studies.reproduce.study import ReproduceOptions, run_reproduce  # noqa: E402
from miajax.studies.results import StudyResult  # noqa: E402

_IMPORT_S = time.perf_counter() - _BEGUN
_PROG = "python -m experiments.reproduce"


@dataclasses.dataclass(frozen=True)
class Flags:
    reproduce: ReproduceOptions = dataclasses.field(default_factory=ReproduceOptions)
    out: Path | None = None
    """folder to write; runs/reproduce-<preset> when not given"""


def run(argv: Sequence[str]) -> StudyResult:
    """The command with these arguments; prints what every part found."""
    flags = _command.parse(Flags, Flags(), argv, (__doc__ or "").strip(), _PROG)
    options = flags.reproduce
    name = f"reproduce-{options.preset}" + ("-miniature" if options.miniature else "")
    called = Invocation(_command.command_line(_PROG, argv), _IMPORT_S, _BEGUN)
    found = run_reproduce(flags.out or Path("runs") / name, options, Terminal(), called)
    for campaign, entry in found.results["campaigns"].items():
        for part, what in entry["parts"].items():
            print(f"{campaign}, {part}: {what['finding'] if what['status'] == 'done' else 'FAILED: ' + what['reason']}")
    _command.print_end(found.results["timing"], found.folder)
    return found


if __name__ == "__main__":
    _command.main(run)
