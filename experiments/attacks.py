"""Every attack from one set of shadow models, compared in one report.

python -m experiments.attacks --run runs/lira-digits-1a2b3c4d
"""

import time

_BEGUN = time.perf_counter()  # before the heavy imports: they count

import dataclasses  # noqa: E402
from collections.abc import Sequence  # noqa: E402

from experiments import _command  # noqa: E402
from miajax.studies.attacks import AttacksOptions, AttacksResult, run_attacks_study  # noqa: E402
from miajax.studies.config import CampaignConfig, Setup  # noqa: E402
from miajax.studies.progress import Terminal  # noqa: E402

_IMPORT_S = time.perf_counter() - _BEGUN
_PROG = "python -m experiments.attacks"


@dataclasses.dataclass(frozen=True)
class Flags:
    place: _command.Place
    campaign: CampaignConfig
    attacks: AttacksOptions


def run(argv: Sequence[str]) -> AttacksResult:
    """The command with these arguments; prints the tables."""
    default = Flags(_command.Place(), _command.defaults_from(argv), AttacksOptions())
    flags = _command.parse(Flags, default, argv, (__doc__ or "").strip(), _PROG)
    setup = Setup.of(flags.campaign)
    path = _command.folder_of(flags.place, "attacks", setup)
    result = run_attacks_study(
        setup,
        path,
        flags.attacks,
        Terminal(),
        command=_command.command_line(_PROG, argv),
        begun=_BEGUN,
        import_s=_IMPORT_S,
    )
    from miajax.report.terminal import print_attacks_tables

    print_attacks_tables(result.results)
    timing = result.results["timing"]
    parts = ("import", "compile", "train", "query", "attack", "report", "total")
    print("seconds: " + ", ".join(f"{part} {timing[part + '_s']:.1f}" for part in parts))
    print(f"report: {result.folder / 'report.html'}")
    return result


if __name__ == "__main__":
    _command.main(run)
