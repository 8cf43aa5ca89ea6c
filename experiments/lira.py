"""Shadow models of a classifier, every one attacked by LiRA, in one report.

python -m experiments.lira --num_shadows 256
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

import dataclasses  # noqa: E402
from collections.abc import Sequence  # noqa: E402

from experiments import _command  # noqa: E402
from miajax.studies.config import CampaignConfig, Setup  # noqa: E402
from miajax.studies.lira import LiraOptions, LiraResult, run_lira  # noqa: E402
from miajax.studies.progress import Terminal  # noqa: E402

_IMPORT_S = time.perf_counter() - _BEGUN
_PROG = "python -m experiments.lira"


@dataclasses.dataclass(frozen=True)
class Flags:
    place: _command.Place
    campaign: CampaignConfig
    lira: LiraOptions


def run(argv: Sequence[str]) -> LiraResult:
    """The command with these arguments; prints the table."""
    default = Flags(_command.Place(), _command.defaults_from(argv), LiraOptions())
    flags = _command.parse(Flags, default, argv, (__doc__ or "").strip(), _PROG)
    setup = Setup.of(flags.campaign)
    path = _command.folder_of(flags.place, "lira", setup)
    result = run_lira(
        setup,
        path,
        flags.lira,
        Terminal(),
        command=_command.command_line(_PROG, argv),
        begun=_BEGUN,
        import_s=_IMPORT_S,
    )
    print_results(result)
    return result


def print_results(result: LiraResult) -> None:
    """The table of a finished study, on standard output."""
    from miajax.report.terminal import print_lira_table

    print_lira_table(result.results)
    timing, path = result.results["timing"], result.campaign.folder.path
    parts = ("import", "compile", "train", "query", "attack", "report", "total")
    print("seconds: " + ", ".join(f"{part} {timing[part + '_s']:.1f}" for part in parts))
    print(f"report: {path / 'report.html'}")


if __name__ == "__main__":
    _command.main(run)
