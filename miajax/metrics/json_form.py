"""Dataclasses of figures as JSON and back: the edge at which ``results.json`` is made, and read again.

A field's name is its key. A figure stands as two keys, ``auc`` and ``auc_ci``, and so do lists and mappings of figures:
the values under one key, the intervals under the other. What a field says otherwise stands in its annotation:

    Together                 a figure as ``{value, ci}``
    Annotated[..., Form]     see ``Form``
"""

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar, cast

from miajax.errors import UserError
from miajax.metrics.figures import Estimate, Figure, fpr_key
from miajax.metrics.forms import TOGETHER, Form

Made = TypeVar("Made")
UNKNOWN = "No figure stands in the results."
"""The reason of a figure that is null in a file: the file keeps it among its notes."""


Together = Annotated[Figure, TOGETHER]
_OWN_NAME = Form()


def to_json(found: Any) -> dict[str, Any]:
    """A dataclass as the JSON object that ``results.json`` holds; its own ``to_json`` where it has one."""
    if hasattr(found, "to_json"):
        return found.to_json()
    entry: dict[str, Any] = {}
    for name, kind in _kinds(found.__class__).items():
        value, form = getattr(found, name), _form(kind)
        name = form.key or name
        if form.spread:
            entry |= _plain(value) or {}
        elif form.left_out and value is None:
            continue
        elif _is_figures(kind):
            entry[name] = _part(value, "value")
            if not form.bare:
                interval = _part(value, "ci")
                entry[f"{name}_ci"] = [None, None] if interval is None and form.ends else interval
            if form.chance:
                entry[form.chance] = _part(value, "chance")
        else:
            entry[name] = {} if value is None and form.hollow else _plain(value)
    return entry


def from_json(kind: type[Made], entry: Mapping[str, Any]) -> Made:
    """The dataclass that ``to_json`` made an object of; a null figure has the reason ``UNKNOWN``.

    Raises:
      UserError: a key is missing, or a figure is no number.
    """
    return _made(kind, entry)


def _made(kind: Any, entry: Mapping[str, Any]) -> Any:
    origin: Any = typing.get_origin(kind) or kind  # of a dataclass with a parameter, such as PerGroup[AttackCurve]
    fields = {field.name: field for field in dataclasses.fields(origin) if field.init}
    made: dict[str, Any] = {}
    for name, hint in _kinds(kind).items():
        form, field = _form(hint), fields.get(name)
        key = form.key or name
        if field is None:
            continue
        if form.spread:
            made[name] = None if _is_left_out(hint, entry) else _read(hint, entry)
        elif key not in entry:
            defaults = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
            if not defaults:
                raise UserError(f"the results hold no {key}", expected="results.json as miajax wrote it")
        elif _is_figures(hint):
            made[name] = _figures(hint, entry[key], entry.get(f"{key}_ci"), entry.get(form.chance))
        else:
            made[name] = None if form.hollow and not entry[key] else _read(hint, entry[key])
    return origin(**made)


@functools.cache
def _kinds(kind: Any) -> dict[str, Any]:
    """The annotation of every field; parameters stand as what they are given."""
    origin: Any = typing.get_origin(kind) or kind
    given = dict(zip(getattr(origin, "__parameters__", ()), typing.get_args(kind), strict=False))
    hints = typing.get_type_hints(origin, include_extras=True)
    return {field.name: _given(hints[field.name], given) for field in dataclasses.fields(origin)}


def _given(hint: Any, given: Mapping[Any, Any]) -> Any:
    if hint in given:
        return given[hint]
    own = [given[each] for each in getattr(hint, "__parameters__", ()) if each in given]
    return hint[tuple(own)] if own else hint


def _form(hint: Any) -> Form:
    forms = [each for each in getattr(hint, "__metadata__", ()) if isinstance(each, Form)]
    return forms[0] if forms else _OWN_NAME


def _is_left_out(hint: Any, entry: Mapping[str, Any]) -> bool:
    """Whether a spread dataclass that may be None is: none of its keys is there."""
    bare = _bare(hint)
    return _may_be_none(hint) and dataclasses.is_dataclass(bare) and not set(_kinds(cast(type, bare))) & set(entry)


def _may_be_none(hint: Any) -> bool:
    while typing.get_origin(hint) is Annotated:
        hint = typing.get_args(hint)[0]
    return type(None) in typing.get_args(hint)


def _bare(hint: Any) -> Any:
    """A type without its annotations, and without None beside it."""
    while typing.get_origin(hint) is Annotated:
        hint = typing.get_args(hint)[0]
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        of = [each for each in typing.get_args(hint) if each is not type(None)]
        return _bare(of[0]) if len(of) == 1 else hint
    return hint


def _within(hint: Any) -> Any:
    """What a list or mapping holds; None of anything else."""
    bare = _bare(hint)
    origin, args = typing.get_origin(bare), typing.get_args(bare)
    if not isinstance(origin, type) or not issubclass(origin, (Mapping, Sequence)):
        return None
    return args[1] if issubclass(origin, Mapping) else args[0]


def _is_figures(hint: Any) -> bool:
    """Whether a field holds figures, in lists or mappings or none, that stand as two keys."""
    if _form(hint).together or any(_form(each).together for each in typing.get_args(hint)):
        return False
    inner = _within(hint)
    if inner is not None:
        return _is_figures(inner)
    bare = _bare(hint)
    return isinstance(bare, type) and issubclass(bare, Estimate)


def _key(key: Any) -> str:
    return fpr_key(key) if isinstance(key, float) else str(key)


def _part(value: Any, part: str) -> Any:
    """One part of every figure, in the shape that the figures have."""
    if isinstance(value, Mapping):
        return {_key(key): _part(each, part) for key, each in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, (list, tuple)):
        return [_part(each, part) for each in cast(Sequence[Any], value)]
    return None if value is None else getattr(value, part)


def _plain(value: Any) -> Any:
    if isinstance(value, Estimate):
        return None if value.value is None else {"value": value.value, "ci": value.ci}
    if dataclasses.is_dataclass(value):
        return to_json(value)
    if isinstance(value, Mapping):
        return {_key(key): _plain(each) for key, each in cast(Mapping[Any, Any], value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in cast(Sequence[Any], value)]
    return value


def _figures(hint: Any, value: Any, interval: Any, chance: Any) -> Any:
    inner, bare = _within(hint), _bare(hint)
    if inner is not None:
        if value is None:
            return None
        named = isinstance(value, Mapping)
        places: Sequence[Any] = list(cast(Mapping[Any, Any], value)) if named else range(len(value))
        parts = [_figures(inner, *(each and each[at] for each in (value, interval, chance))) for at in places]
        if not named:
            return tuple(parts)
        key: Any = typing.get_args(bare)[0]
        return {key(at): part for at, part in zip(places, parts, strict=True)}
    if value is None:
        return Estimate(None, reason=UNKNOWN) if bare is Estimate else None
    ends: Sequence[Any] = cast(Sequence[Any], interval) if isinstance(interval, (list, tuple)) else (interval,)
    if not all(each is None or isinstance(each, (int, float)) for each in (value, *ends)):
        raise UserError(f"the results hold {value} {interval}", expected="a number and the two ends of it")
    if interval is None or None in ends:
        return Estimate(value, chance=chance)
    return Figure(value, (ends[0], ends[-1]), chance)


def _read(hint: Any, value: Any) -> Any:
    bare = _bare(hint)
    if isinstance(bare, type) and issubclass(bare, Estimate):
        return _figures(hint, *((None, None) if value is None else (value["value"], value["ci"])), None)
    if value is None:
        return None
    origin, args = typing.get_origin(bare), typing.get_args(bare)
    if isinstance(bare, type) and (own := getattr(bare, "from_json", None)) is not None:
        return own(value)
    if isinstance(bare, type) and dataclasses.is_dataclass(bare):
        return from_json(bare, value)
    if not isinstance(origin, type):
        return value
    if dataclasses.is_dataclass(origin):
        return _made(bare, value)
    if issubclass(origin, Mapping):
        made = args[0] if args[0] in (int, float) else str
        return {made(key): _read(args[1], each) for key, each in value.items()}
    if issubclass(origin, tuple) and args[-1] is not Ellipsis:
        return tuple(_read(of, each) for of, each in zip(args, value, strict=True))
    if issubclass(origin, Sequence):
        return tuple(_read(args[0], each) for each in value)
    return value
