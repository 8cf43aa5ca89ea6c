"""How each attack is called and drawn in every report: its words from the registry, its line from its place there."""

import dataclasses

from miajax.attacks.registry import ATTACKS
from miajax.report import palette

# The first eight attacks have colours of their own, the next eight the same ones dashed, and so on.
_COLOURS = (
    palette.VERMILION,
    palette.SLATE,
    palette.ORANGE,
    palette.PURPLE,
    palette.BLUE,
    palette.SKY,
    palette.GREEN,
    palette.INK,
)
_DASHES = ("-", "--", "-.", ":")


@dataclasses.dataclass(frozen=True)
class Face:
    """An attack as readers meet it.

    Attributes:
      label: its name in tables and legends.
      needs: what the attacker must have beside the target's answers, in a few words.
      colour, dash: its line in plots, the same in every report.
    """

    label: str
    needs: str
    colour: str
    dash: str = "-"

    @property
    def inline(self) -> str:
        """The label inside a sentence: lower case, unless it is a name of its own."""
        return self.label if any(letter.isupper() for letter in self.label[1:]) else self.label.lower()


def face(attack: str) -> Face:
    """The attack's face; one that is in no registry keeps its own name, in grey."""
    if attack not in ATTACKS:
        return Face(attack, "not described", palette.MUTED)
    place, known = list(ATTACKS).index(attack), ATTACKS[attack]
    turn, colour = divmod(place, len(_COLOURS))
    return Face(known.label, known.requires, _COLOURS[colour], _DASHES[turn % len(_DASHES)])
