"""How each attack is called and drawn in every report: its words from the registry, its line from its place there."""

import dataclasses
from typing import TypedDict

from miajax.attacks.registry import ATTACKS
from miajax.report import palette

# The first eight attacks have colours of their own; the next eight the same ones dashed and with a mark, and so on.
_DASHES = ("-", "--", "-.", ":")
_MARKS = ("", "s", "^", "D", "v", "P", "X", "*")  # no "o": plots of few points have that in the place of none


class Line(TypedDict):
    """How a plot draws an attack: the arguments of its curves."""

    colour: str
    dash: str
    marker: str


@dataclasses.dataclass(frozen=True)
class Face:
    """An attack as readers meet it.

    Attributes:
      label: its name in tables and legends.
      needs: what the attacker must have beside the target's answers, in a few words.
      colour, dash, marker: its line in plots, the same in every report; no two differ by the dash alone.
    """

    label: str
    needs: str
    colour: str
    dash: str = "-"
    marker: str = ""

    @property
    def drawn(self) -> "Line":
        """How a plot draws it."""
        return {"colour": self.colour, "dash": self.dash, "marker": self.marker}

    @property
    def inline(self) -> str:
        """The label inside a sentence: lower case, unless it is a name of its own."""
        return self.label if any(letter.isupper() for letter in self.label[1:]) else self.label.lower()


def face(attack: str) -> Face:
    """The attack's face; one that is in no registry keeps its own name, in grey."""
    if attack not in ATTACKS:
        return Face(attack, "not described", palette.MUTED)
    place, known = list(ATTACKS).index(attack), ATTACKS[attack]
    turn, colour = divmod(place, len(palette.SERIES))
    dash, marker = _DASHES[turn % len(_DASHES)], _MARKS[turn % len(_MARKS)]
    return Face(known.label, known.requires, palette.SERIES[colour], dash, marker)
