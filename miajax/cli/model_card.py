"""A section for a model card, as Markdown: data, model, what was tested, the strongest attack with its interval, what
would go unseen, limits.

miajax model_card --run runs/lira-digits-1a2b3c4d
"""

import dataclasses
from pathlib import Path

from miajax.cli import command
from miajax.described import described
from miajax.runs.atomic import write_text
from miajax.studies.found import found_results
from miajax.studies.invocation import Invocation
from miajax.studies.model_card.card import model_card


@described
@dataclasses.dataclass(frozen=True)
class Flags:
    run: Path
    """folder with results.json: of a run, of its attacks (RUN/attacks), of an import or of an audited target"""
    out: Path | None = None
    """file to write; printed when not given"""


def tell(flags: Flags, _: Invocation) -> str:
    """Prints the section, or writes it."""
    card = model_card(found_results(flags.run))
    if flags.out is None:
        print(card, end="")
    else:
        write_text(flags.out, card)
        print(f"written: {flags.out}")
    return card


run = command.Command("model_card", __doc__, Flags, tell, why_not="It trains nothing and reads figures as they are",
    urls={"run": "files"},
)  # fmt: skip
