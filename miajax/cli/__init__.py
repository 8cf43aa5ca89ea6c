"""``miajax COMMAND``: every study and tool of miajax from the command line.

Nothing heavy is imported before a command is known: ``miajax --help`` answers at once.
"""

import difflib
import gc
import importlib
import os
import sys
import time
from collections.abc import Sequence
from typing import NoReturn

from miajax import __version__

BEGUN = time.perf_counter()  # before the heavy imports of a command: they count
# What imports, traces and pages make in plenty lives until they are done: looking through all of it again and again for
# garbage takes a twentieth of a command of ten seconds.
gc.set_threshold(50_000, 20, 20)

COMMANDS: dict[str, dict[str, str]] = {
    "Train shadow models and attack them": {
        "lira": "the main job: shadow models, each attacked by LiRA",
        "attacks": "every other attack, side by side, by class and by group",
        "low_budget": "which attack for how few shadow models",
        "stability": "whether other shadow models name the same records",
        "audit_target": "one model trained elsewhere, attacked with a run's models",
    },
    "Why examples leak": {
        "overfitting": "how vulnerability grows with every epoch",
        "outliers": "which outlier metric tells who is vulnerable",
        "saliency": "where models look, having seen an example or not",
    },
    "What protects": {
        "defenses": "what each defence costs, and what it stops",
        "dpsgd": "utility against privacy over a list of epsilons",
        "epsilon": "the epsilon of a noise, or the noise of an epsilon",
        "audit": "whether training keeps the epsilon it promises",
    },
    "What to make of it": {
        "compare": "two runs on the same data, before and after",
        "audit_report": "what to hand on: a report for those who answer for a model",
        "model_card": "what was found, as Markdown for a model card",
        "gate": "ceilings on figures, for a pipeline: exit status 3 above one",
    },
    "All of it, and other tools": {
        "reproduce": "all figures and tables of the paper",
        "runs": "run folders: what is there, is it whole, how two differ",
        "export": "a run in the files of other tools",
        "plan": "a folder for whoever trains models elsewhere",
        "import_signals": "signals computed elsewhere, attacked here",
    },
}
NAMES = tuple(name for group in COMMANDS.values() for name in group)


def main(argv: Sequence[str] | None = None, prog: str = "miajax") -> None:
    """Runs ``prog COMMAND --flag value ...``.

    Args:
      argv: what was typed after ``prog``; the process's arguments if None.
      prog: what was typed to get here.

    Raises:
      SystemExit: 2 where there is no such command; else as the command ends.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or argv[0] in ("--help", "-h", "help", "--version"):
        try:
            print(f"miajax {__version__}" if argv[:1] == ["--version"] else overview(prog), flush=True)
        except BrokenPipeError:
            leave_closed_pipe()
        return
    name = argv[0].replace("-", "_")
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=3)
        meant = f"Did you mean {' or '.join(near)}?" if near else f"{prog} --help lists all."
        what = "stands where a command is expected" if argv[0].startswith("-") else "is no command"
        print(f"error: {argv[0]} {what}. {meant}", file=sys.stderr)
        raise SystemExit(2)
    try:
        command = importlib.import_module(f"miajax.cli.{name}").run
    except KeyboardInterrupt:
        print("\nStopped before anything was begun.", file=sys.stderr)
        raise SystemExit(130) from None
    command.main(f"{prog} {argv[0]}", argv[1:])


def leave_closed_pipe() -> NoReturn:
    """Ends without a word where whoever read the output has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still to be flushed has a place to go
    raise SystemExit(1) from None


def overview(prog: str) -> str:
    """All commands, a line each."""
    width = max(map(len, NAMES)) + 4
    groups = [
        "\n".join([title, *(f"  {name:<{width}}{what}" for name, what in group.items())])
        for title, group in COMMANDS.items()
    ]
    last = f"{prog} COMMAND --help   the flags of a command\n{prog} --version        which miajax this is"
    first = f"usage: {prog} COMMAND [--flag value ...]\n\nWhat a trained classifier gives away about its training data."
    return "\n\n".join([first, *groups, f"Example\n  {prog} lira --num_shadows 256", last])
