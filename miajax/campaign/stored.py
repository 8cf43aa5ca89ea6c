"""A configuration, to JSON and back."""

import dataclasses
import math
import sys
import types
import typing
from pathlib import Path
from typing import Any, Literal, TypeVar

from miajax.campaign.config import CampaignConfig
from miajax.errors import UserError
from miajax.parsing import parsing
from miajax.plugins import StoredReference
from miajax.runs.atomic import read_sealed
from miajax.runs.folder import RunFolder
from miajax.training.plan import ExecutionPlan
from miajax.typed import Json

Options = TypeVar("Options")


_SCALARS = (bool, int, float, str)


@dataclasses.dataclass(frozen=True)
class _Source:
    """The file that values come from, and the SHA-256 of the Python file that its run recorded."""

    where: Path
    code: str | None

    def rebuilt(self, kind: Any, value: Any) -> Any:
        """``value`` from JSON as ``kind``.

        Raises:
          UserError: it is none.
        """
        if dataclasses.is_dataclass(kind):
            hints = typing.get_type_hints(kind)
            if not isinstance(value, dict):
                raise self.refused(kind, value)
            given = typing.cast(Json, value)
            if unknown := given.keys() - hints.keys():
                names = ", ".join(sorted(unknown))
                raise UserError(f"{self.where} holds unknown settings ({names})", expected=", ".join(hints))
            built = {name: self.rebuilt(hints[name], each) for name, each in given.items()}
            with parsing(str(self.where), expected="settings as miajax wrote them"):
                return kind(**built)  # type: ignore[operator]
        kinds = (kind, *typing.get_args(kind))
        for one in kinds:
            if typing.get_origin(one) is tuple and isinstance(value, list):
                return tuple(self.rebuilt(typing.get_args(one)[0], entry) for entry in typing.cast(list[Any], value))
        if value == "inf" and float in kinds:
            return math.inf
        if isinstance(kind, types.UnionType) and value is not None:
            inner = [k for k in typing.get_args(kind) if k is not type(None)]
            return self.rebuilt(inner[0], value) if len(inner) == 1 else value
        if (kind in _SCALARS and not self._is(kind, value)) or typing.get_origin(kind) is tuple:
            raise self.refused(kind, value)
        if typing.get_origin(kind) is Literal and value not in typing.get_args(kind):
            raise self.refused(kind, value)
        if isinstance(value, str) and ".py:" in value:
            return StoredReference(value, str(self.where), self.code)
        return value

    @staticmethod
    def _is(kind: type, value: Any) -> bool:
        if kind is float:
            return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < sys.float_info.max
        return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))

    def refused(self, kind: Any, value: Any) -> UserError:
        """``value`` stands where a ``kind`` should."""
        expected = getattr(kind, "__name__", str(kind))
        return UserError(f"{self.where} holds {str(value)[:60]!r}", expected=expected)


def _recorded_code(folder: RunFolder) -> str | None:
    """SHA-256 of the Python file that the run's network came from."""
    model: Any = folder.manifest["identity"].get("model")
    return typing.cast(Json, model).get("sha256") if isinstance(model, dict) else None


def stored_plan(folder: RunFolder) -> ExecutionPlan:
    """The execution plan that a run was begun with.

    Raises:
      UserError: its manifest holds none.
    """
    manifest = folder.manifest
    where = folder.path / "manifest.json"
    for name, kind in (("plan", dict), ("device", str)):
        if not isinstance(manifest.get(name), kind):
            raise UserError(f"{where} holds no {name}", expected="a manifest of a campaign")
    return rebuilt_plan(where, manifest["plan"])


def rebuilt_plan(where: Path, value: Any) -> ExecutionPlan:
    """The execution plan that a file holds.

    Args:
      where: the file, for messages.
      value: its JSON.

    Raises:
      UserError: it is none.
    """
    return _Source(where, None).rebuilt(ExecutionPlan, value)


def stored_config(path: Path) -> CampaignConfig:
    """The configuration of an existing run; Python files that it names are ``StoredReference``.

    Raises:
      UserError: ``path`` is no run folder, or its ``config.json`` is damaged or not one of this version.
    """
    folder = RunFolder.open(path)
    where = path / "config.json"
    hashed = folder.format > 1
    asked = read_sealed(where, required=lambda _: hashed)
    return _Source(where, _recorded_code(folder)).rebuilt(CampaignConfig, asked)


def rebuilt_config(where: Path, value: Any) -> CampaignConfig:
    """The configuration that a file other than a run's holds; Python files that it names are ``StoredReference``.

    Args:
      where: the file, for messages.
      value: its JSON.

    Raises:
      UserError: it is none of this version.
    """
    return _Source(where, None).rebuilt(CampaignConfig, value)


def stored_study(path: Path, name: str, options: type[Options]) -> tuple[CampaignConfig, Options]:
    """The campaign and the options of a study that keeps several run folders below its own.

    Args:
      path: the study's folder.
      name: of the file there, ``{campaign, options}``.
      options: the study's own flags.

    Raises:
      UserError: there is no such file, or it is damaged or not one of this version.
    """
    where = path / name
    if not where.is_file():
        raise UserError(f"{path} is not a folder of this study", expected=f"one that holds {name}")
    runs = [RunFolder.open(file.parent) for file in sorted(path.glob("*/manifest.json"))]
    hashed = any(run.format > 1 for run in runs)
    asked = read_sealed(where, required=lambda _: hashed)
    source = _Source(where, next(filter(None, map(_recorded_code, runs)), None))
    if set(asked) != {"campaign", "options"}:
        raise UserError(f"{where} holds {', '.join(asked)}", expected="campaign and options")
    return source.rebuilt(CampaignConfig, asked["campaign"]), source.rebuilt(options, asked["options"])
