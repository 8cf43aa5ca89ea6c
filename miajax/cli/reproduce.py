"""All figures and tables of the paper, or of its likes on data at hand, in one resumable run with an index page.

miajax reproduce --preset here
miajax reproduce --preset paper --data_path purchase100 DIR/purchase.npy cifar10 DIR
"""

import dataclasses
from pathlib import Path

from miajax.campaign.cluster.flags import ClusterFlags, training_on
from miajax.campaign.event_files import listeners
from miajax.cli import command
from miajax.described import described
from miajax.studies.invocation import Invocation, PageFiles
from miajax.studies.reproduce.record import Reproduced
from miajax.studies.reproduce.study import PARTS, ReproduceOptions, reproductions, run_reproduce
from miajax.studies.reproduce.terminal import print_parts
from miajax.studies.results import FoundResult


@described
@dataclasses.dataclass(frozen=True)
class Flags:
    reproduce: ReproduceOptions = dataclasses.field(default_factory=ReproduceOptions)
    out: Path | None = None
    """folder to write; runs/reproduce-<preset> when not given"""
    log_dir: Path | None = None
    """folder for TensorBoard: progress and news; takes the package tensorboard or tensorboardX"""
    cluster_flags: ClusterFlags = dataclasses.field(default_factory=ClusterFlags)
    files: PageFiles = dataclasses.field(default_factory=PageFiles)


def reproduce(flags: Flags, called: Invocation) -> FoundResult[Reproduced]:
    """Runs all parts and prints what every one found."""
    options = flags.reproduce
    name = f"reproduce-{options.preset}" + ("-miniature" if options.miniature else "")
    with listeners(flags.log_dir) as heard, training_on(flags.cluster_flags):
        found = run_reproduce(flags.out or Path("runs") / name, options, heard.reporter, called)
    print_parts(found.found)
    command.print_end(found.found.timing, found.folder)
    return found


run = command.Command(
    "reproduce", __doc__, Flags, reproduce,
    choices={"parts": tuple(PARTS), "campaigns": (*reproductions("paper"), *reproductions("here")), "preset": ()},
    why_not="The campaigns of --preset are what is reproduced; the same command continues its folder",
)  # fmt: skip
