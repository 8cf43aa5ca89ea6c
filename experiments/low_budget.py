"""Which attack for which budget: power against the number of shadow models, from disjoint subsets of one run.

python -m experiments.low_budget --run runs/lira-digits-1a2b3c4d
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

import dataclasses  # noqa: E402
from collections.abc import Sequence  # noqa: E402

from experiments import _command  # noqa: E402
from miajax.studies.config import CampaignConfig, Setup  # noqa: E402
from miajax.studies.low_budget import LowBudgetOptions, LowBudgetResult, run_low_budget  # noqa: E402
from miajax.studies.progress import Terminal  # noqa: E402

_IMPORT_S = time.perf_counter() - _BEGUN
_PROG = "python -m experiments.low_budget"


@dataclasses.dataclass(frozen=True)
class Flags:
    place: _command.Place
    campaign: CampaignConfig
    contest: LowBudgetOptions


def run(argv: Sequence[str]) -> LowBudgetResult:
    """The command with these arguments; prints the table."""
    default = Flags(_command.Place(), _command.defaults_from(argv), LowBudgetOptions())
    flags = _command.parse(Flags, default, argv, (__doc__ or "").strip(), _PROG)
    setup = Setup.of(flags.campaign)
    path = _command.folder_of(flags.place, "low_budget", setup)
    result = run_low_budget(
        setup,
        path,
        flags.contest,
        Terminal(),
        command=_command.command_line(_PROG, argv),
        begun=_BEGUN,
        import_s=_IMPORT_S,
    )
    from miajax.report.terminal import print_budget_table

    print_budget_table(result.results)
    timing = result.results["timing"]
    parts = ("import", "compile", "train", "query", "attack", "report", "total")
    print("seconds: " + ", ".join(f"{part} {timing[part + '_s']:.1f}" for part in parts))
    print(f"report: {result.folder / 'report.html'}")
    return result


if __name__ == "__main__":
    _command.main(run)
