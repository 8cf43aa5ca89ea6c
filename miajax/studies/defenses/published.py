"""A defence beside the paper's figures for it, and whether the two may be compared."""

from miajax.studies.defenses.catalogue import Defense
from miajax.studies.defenses.results import PublishedBeside
from miajax.studies.paper_tables import TABLES
from miajax.studies.published import Beside


def published_row(dataset: str, model: str, defense: Defense, undefended: Beside | None) -> PublishedBeside | None:
    """The source's figures for a defence, and whether ours may be compared with them; None where it has none.

    Not comparable: the undefended campaigns are not, or the defence is set otherwise.

    Args:
      dataset, model: of the campaign.
      defense: of the catalogue.
      undefended: the undefended campaign beside this source; None where it is not known.
    """
    row = TABLES.get((dataset, model), {}).get(defense.name)
    if row is None:
        return None
    reasons = ["the source's set-up is not known"] if undefended is None else list(undefended.why_not)
    reasons += [
        f"{name} is {defense.settings[name]:g}, theirs {value:g}"
        for name, value in row.settings.items()
        if defense.settings[name] != value
    ]
    if "norm" in defense.model:
        reasons.append(
            f"the network is normalised by {defense.model['norm']}, theirs by the batch, which passes statistics from "
            "example to example around the clipping norm"
        )
    return PublishedBeside(**row._asdict(), comparable=not reasons, why_not=tuple(reasons))
