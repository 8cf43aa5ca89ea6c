"""All figures and tables of the paper, or of its likes on data at hand, in one resumable run with an index page.

miajax reproduce --preset here
miajax reproduce --preset paper --data_path purchase100 DIR/purchase.npy cifar10 DIR
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

import dataclasses  # noqa: E402
from pathlib import Path  # noqa: E402

from miajax.campaign.event_files import listeners  # noqa: E402
from miajax.cli import command  # noqa: E402
from miajax.described import described  # noqa: E402
from miajax.studies.invocation import Invocation, PageFiles  # noqa: E402
from miajax.studies.reproduce.record import Reproduced  # noqa: E402
from miajax.studies.reproduce.study import PARTS, ReproduceOptions, reproductions, run_reproduce  # noqa: E402
from miajax.studies.reproduce.terminal import print_parts  # noqa: E402
from miajax.studies.results import FoundResult  # noqa: E402


@described
@dataclasses.dataclass(frozen=True)
class Flags:
    reproduce: ReproduceOptions = dataclasses.field(default_factory=ReproduceOptions)
    out: Path | None = None
    """folder to write; runs/reproduce-<preset> when not given"""
    log_dir: Path | None = None
    """folder for TensorBoard: progress and news; takes the package tensorboard or tensorboardX"""
    files: PageFiles = dataclasses.field(default_factory=PageFiles)


def reproduce(flags: Flags, called: Invocation) -> FoundResult[Reproduced]:
    """Runs all parts and prints what every one found."""
    options = flags.reproduce
    name = f"reproduce-{options.preset}" + ("-miniature" if options.miniature else "")
    with listeners(flags.log_dir) as heard:
        found = run_reproduce(flags.out or Path("runs") / name, options, heard.reporter, called)
    print_parts(found.found)
    command.print_end(found.found.timing, found.folder)
    return found


run = command.Command(
    "reproduce", __doc__, Flags, reproduce, _BEGUN,
    choices={"parts": tuple(PARTS), "campaigns": (*reproductions("paper"), *reproductions("here")), "preset": ()},
    why_not="The campaigns of --preset are what is reproduced; the same command continues its folder",
)  # fmt: skip
