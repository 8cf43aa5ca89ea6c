"""A configuration, to JSON and back."""

import dataclasses
import math
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from miajax.campaign.config import CampaignConfig
from miajax.errors import UserError
from miajax.runs.atomic import read_json
from miajax.runs.folder import RunFolder

Options = TypeVar("Options")


def _rebuilt(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        unknown = set(value) - set(hints)
        if unknown:
            raise UserError(f"{where} holds unknown settings ({', '.join(sorted(unknown))})", expected=", ".join(hints))
        return kind(**{name: _rebuilt(hints[name], value[name], where) for name in value})  # type: ignore[operator]
    for one in (kind, *typing.get_args(kind)):
        if isinstance(value, list) and typing.get_origin(one) is tuple:
            return tuple(_rebuilt(typing.get_args(one)[0], entry, where) for entry in value)
    if value == "inf" and float in (kind, *typing.get_args(kind)):
        return math.inf
    if isinstance(kind, types.UnionType) and value is not None:
        inner = [k for k in typing.get_args(kind) if k is not type(None)]
        return _rebuilt(inner[0], value, where) if len(inner) == 1 else value
    return value


def stored_config(path: Path) -> CampaignConfig:
    """The configuration of an existing run.

    Raises:
      UserError: ``path`` is no run folder, or its ``config.json`` is not one of this version.
    """
    RunFolder.open(path)
    where = path / "config.json"
    return _rebuilt(CampaignConfig, read_json(where), str(where))


def stored_study(path: Path, name: str, options: type[Options]) -> tuple[CampaignConfig, Options]:
    """The campaign and the options of a study that keeps several run folders below its own.

    Args:
      path: the study's folder.
      name: of the file there, ``{campaign, options}``.
      options: the study's own flags.

    Raises:
      UserError: there is no such file, or it is not one of this version.
    """
    where = path / name
    if not where.is_file():
        raise UserError(f"{path} is not a folder of this study", expected=f"one that holds {name}")
    asked = read_json(where)
    return _rebuilt(CampaignConfig, asked["campaign"], str(where)), _rebuilt(options, asked["options"], str(where))
