"""A configuration, to JSON and back."""

import dataclasses
import math
import types
import typing
from pathlib import Path
from typing import Any

from miajax.errors import UserError
from miajax.runs.atomic import read_json
from miajax.runs.folder import RunFolder
from miajax.studies.config import CampaignConfig


def _rebuilt(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        unknown = set(value) - set(hints)
        if unknown:
            raise UserError(f"{where} holds unknown settings ({', '.join(sorted(unknown))})", expected=", ".join(hints))
        return kind(**{name: _rebuilt(hints[name], value[name], where) for name in value})  # type: ignore[operator]
    if isinstance(value, list) and tuple in {typing.get_origin(k) for k in (kind, *typing.get_args(kind))}:
        return tuple(value)
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
