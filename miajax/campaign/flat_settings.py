"""Settings of a campaign by the flat names of the command line, wherever in the configuration they lie."""

import dataclasses
import difflib
import typing
from collections.abc import Mapping
from typing import Any, cast

from miajax.campaign.config import CampaignConfig
from miajax.errors import UserError


def config_from(base: CampaignConfig, **settings: Any) -> CampaignConfig:
    """A configuration with some fields set, wherever in it they lie: the flat names of the command line.

    Args:
      base: what the others are taken from.
      **settings: fields of ``CampaignConfig`` or of the groups in it (data, network, recipe, privacy).

    Raises:
      UserError: a name that is no field of any, with the nearest one.
    """
    left = dict(settings)
    made = _with(base, left)
    if left:
        unknown = next(iter(left))
        near = difflib.get_close_matches(unknown, _names_of(CampaignConfig), n=1)
        raise UserError(
            f"setting {unknown} is unknown",
            expected="a flag of the main job by its name",
            remedy=f"Did you mean {near[0]}?" if near else "miajax lira --help lists them",
        )
    return made


def _with(base: Any, left: dict[str, Any]) -> Any:
    """``base`` with its own fields and those of its groups set from ``left``, which loses them."""
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(base):
        if field.name in left:
            value = left.pop(field.name)
            changes[field.name] = tuple(cast(list[Any], value)) if isinstance(value, list) else value
    for field in dataclasses.fields(base):
        inner = changes.get(field.name, getattr(base, field.name))
        if dataclasses.is_dataclass(inner) and not isinstance(inner, type):
            changes[field.name] = _with(inner, left)
    return dataclasses.replace(base, **changes) if changes else base


def _names_of(kind: type) -> list[str]:
    hints: Mapping[str, Any] = typing.get_type_hints(kind)
    groups = [typing.cast(type, each) for each in hints.values() if dataclasses.is_dataclass(each)]
    inner = [name for group in groups for name in _names_of(group)]
    return [*hints, *inner]
