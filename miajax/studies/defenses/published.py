"""A defence beside the paper's figures for it, and whether the two may be compared."""

from collections.abc import Mapping
from typing import Any

from miajax.studies.defenses.catalogue import Defense
from miajax.studies.paper_tables import TABLES


def published_row(
    dataset: str, model: str, defense: Defense, undefended: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """The source's figures for a defence, and whether ours may be compared with them; None where it has none.

    Args:
      dataset, model: of the campaign.
      defense: of the catalogue.
      undefended: what ``published.beside_published`` says of the undefended campaign and this source; None where it
        knows of none.

    Returns:
      JSON: the row's fields, ``comparable`` and ``why_not``. Not comparable: the undefended campaigns are not, or the
      defence is set otherwise.
    """
    row = TABLES.get((dataset, model), {}).get(defense.name)
    if row is None:
        return None
    reasons = ["the source's set-up is not known"] if undefended is None else list(undefended["why_not"])
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
    return {**row._asdict(), "settings": dict(row.settings), "comparable": not reasons, "why_not": reasons}
