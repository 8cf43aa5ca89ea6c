"""What the comparison of attacks finds."""

import dataclasses
from collections.abc import Mapping

from miajax.metrics.summary import AttackSummary
from miajax.studies.attacked.entry import Entry
from miajax.studies.attacked.results import AttackedFound


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attacks(AttackedFound):
    """Every attack, with all that is said of it beside its figures."""

    attacks: Mapping[str, Entry]

    @property
    def figures(self) -> Mapping[str, AttackSummary]:
        """Of merit, of every attack that ran."""
        return {name: entry.figures for name, entry in self.attacks.items()}
