"""What the main study finds."""

import dataclasses
from collections.abc import Mapping

from miajax.attacks.options import LiraMode
from miajax.metrics.summary import AttackSummary
from miajax.studies.attacked.results import AttackedFound
from miajax.studies.published import Beside


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lira(AttackedFound):
    """LiRA and the two baselines, with published figures beside them."""

    lira_mode: LiraMode
    attacks: Mapping[str, AttackSummary]
    published: tuple[Beside, ...]

    @property
    def figures(self) -> Mapping[str, AttackSummary]:
        """Of merit, of every attack that ran."""
        return self.attacks
