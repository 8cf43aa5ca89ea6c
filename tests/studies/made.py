"""Figures of a study made by hand: a few keys of ``results.json``, and nothing or zero for all others."""

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from miajax.metrics import json_form
from miajax.metrics.figures import Figure, Figures
from miajax.metrics.summary import AttackSummary

Made = TypeVar("Made")


def made(kind: type[Made], some: Mapping[str, Any]) -> Made:
    """The dataclass that the keys make; a figure without an interval gets ``[0, 0]``."""
    return json_form.from_json(kind, _filled(kind, some))


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


def _filled(kind: Any, some: Mapping[str, Any]) -> dict[str, Any]:
    entry = dict(some)
    hints = _hints(kind)
    for field in dataclasses.fields(kind):
        hint = hints[field.name]
        bare, form = json_form._bare(hint), json_form._form(hint)
        name = form.key or field.name
        if form.spread:
            entry |= _part(hint, entry) if dataclasses.is_dataclass(bare) else {}
        elif json_form._is_figures(hint):
            entry.setdefault(name, _nothing(hint))
            entry.setdefault(f"{name}_ci", _ends(entry[name]))
        else:
            entry[name] = _part(hint, entry[name]) if name in entry else _nothing(hint)
    return entry


def _ends(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {key: _ends(value) for key, value in values.items()}
    if isinstance(values, (list, tuple)):
        return [_ends(value) for value in values]
    return None if values is None else [0.0, 0.0]


def _part(hint: Any, value: Any) -> Any:
    bare = json_form._bare(hint)
    origin, args = typing.get_origin(bare), typing.get_args(bare)
    if value is None:
        return value
    if bare is AttackSummary:
        counts = dict.fromkeys(("num_members", "num_non_members", "num_scores_missing"), 0)
        return {"per_target": None} | counts | _filled(Figures, value)
    if dataclasses.is_dataclass(bare) and not issubclass(bare, json_form.Estimate):
        return _filled(bare, value)
    if isinstance(value, Mapping) and origin is not None:
        return {key: _part(args[1], each) for key, each in value.items()}
    if isinstance(value, (list, tuple)) and origin is not None:
        return [_part(args[0], each) for each in value]
    return value


def _nothing(hint: Any) -> Any:
    bare = json_form._bare(hint)
    origin, args = typing.get_origin(bare), typing.get_args(bare)
    if json_form._may_be_none(hint) or bare is json_form.Estimate:
        return None
    if origin is tuple and args[-1] is not Ellipsis:
        return [_nothing(each) for each in args]
    if origin in (typing.Union, types.UnionType):
        return _nothing(args[0])
    if origin is typing.Literal:
        return typing.get_args(bare)[0]
    if origin is not None:
        return {} if issubclass(origin, Mapping) else [] if issubclass(origin, Sequence) else None
    if bare is Figure:
        return {"value": 0.0, "ci": [0.0, 0.0]} if json_form._form(hint).together else 0.0
    if dataclasses.is_dataclass(bare):
        return _filled(bare, {})
    return {str: "", int: 0, float: 0.0, bool: False}.get(bare)
