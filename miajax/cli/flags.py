"""Flags from dataclasses: a field is a flag, a nested dataclass a group of flags; values by the field's type."""

import collections.abc
import contextlib
import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from miajax.described import field_help
from miajax.errors import UserError

Kind = TypeVar("Kind")
SCALARS: dict[type, str] = {int: "a whole number", float: "a number", str: "text", Path: "a file or folder"}


@dataclasses.dataclass(frozen=True)
class Flag:
    """One field of a dataclass, as it is typed on a command line.

    Attributes:
      name: of the field, and of the flag after its dashes.
      group: dataclass that holds the field.
      kind: type of its values, without None.
      optional: None is a value, too.
      default: ``dataclasses.MISSING`` where a value must be given.
      adds: typed again, it adds values instead of replacing those before.
    """

    name: str
    group: type
    kind: Any
    optional: bool
    default: Any
    adds: bool = False

    @property
    def is_switch(self) -> bool:
        return self.kind is bool

    @property
    def choices(self) -> tuple[str, ...]:
        """The values of a ``Literal``, or of a tuple of them; empty where values are open."""
        of = typing.get_args(self.kind)[0] if typing.get_origin(self.kind) is tuple else self.kind
        return typing.get_args(of) if typing.get_origin(of) is Literal else ()

    @property
    def help(self) -> str:
        return {flag_name(field): text for field, text in field_help(self.group).items()}.get(self.name, "")

    def value(self, texts: Sequence[str]) -> Any:
        """What was typed after the flag, as the field wants it.

        Raises:
          UserError: it is none of the field's values.
        """
        if self.optional and list(texts) == ["None"]:
            return None
        if self.is_switch and not texts:
            return True
        origin, arguments = typing.get_origin(self.kind), typing.get_args(self.kind)
        if origin is tuple:
            return tuple(self._one(arguments[0], text) for text in texts)
        if origin is collections.abc.Mapping:
            if len(texts) % 2:
                raise UserError(f"--{self.name} {' '.join(texts)}", expected="pairs of a name and its value")
            return {
                self._one(arguments[0], name): self._one(arguments[1], value)
                for name, value in zip(texts[::2], texts[1::2], strict=True)
            }
        if len(texts) != 1:
            given = "no value" if not texts else f"{len(texts)} values: {' '.join(texts)}"
            raise UserError(f"--{self.name} was given {given}", expected=self.expected)
        return self._one(self.kind, texts[0])

    @property
    def takes_several(self) -> bool:
        """Whether several values stand after it: those of a tuple, or pairs of a mapping."""
        return typing.get_origin(self.kind) in (tuple, collections.abc.Mapping)

    @property
    def expected(self) -> str:
        """What a value must be, in words; one of several where it takes several."""
        return self._expected(
            typing.get_args(self.kind)[-1 if self.takes_pairs else 0] if self.takes_several else self.kind
        )

    @property
    def takes_pairs(self) -> bool:
        """Whether what stands after it is names with their values."""
        return typing.get_origin(self.kind) is collections.abc.Mapping

    def _expected(self, kind: Any) -> str:
        if typing.get_origin(kind) is Literal:
            values = "one of " + ", ".join(typing.get_args(kind))
        else:
            values = "True or False" if kind is bool else SCALARS[kind]
        return values + (", or None" if self.optional else "")

    def _one(self, kind: Any, text: str) -> Any:
        if typing.get_origin(kind) is Literal:
            if text in typing.get_args(kind):
                return text
        elif kind is bool:
            if text.lower() in ("true", "false"):
                return text.lower() == "true"
        else:
            with contextlib.suppress(ValueError):
                value = kind(text)
                if value == value:  # NaN is no value of any flag
                    return value
        raise UserError(f"--{self.name} {text}", expected=self._expected(kind), remedy=did_you_mean(text, self.choices))


def did_you_mean(text: str, known: Sequence[str]) -> str:
    """A remedy that names the nearest; empty where nothing is near."""
    near = difflib.get_close_matches(text, known, n=3)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def flags_of(kind: type, default: Any = None) -> dict[str, Flag]:
    """``{name: flag}`` of a dataclass and of the dataclasses in it; defaults from ``default``, else from the fields."""
    found: dict[str, Flag] = {}
    annotations = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        annotation, value = annotations[field.name], _start(field, default)
        if dataclasses.is_dataclass(annotation):
            of = flags_of(typing.cast(type, annotation), None if value is dataclasses.MISSING else value)
        else:
            plain, optional = _without_none(annotation)
            adds = bool(field.metadata.get("adds"))
            name = flag_name(field.name)
            of = {name: Flag(name, kind, plain, optional, value, adds)}
        twice = found.keys() & of.keys()
        if twice:
            raise TypeError(f"{kind.__name__} has --{', --'.join(sorted(twice))} twice")
        found |= of
    return found


def flag_name(field: str) -> str:
    """The flag of a field: its name, without the underscore at the end of ``with_`` and other words of Python's."""
    return field.removesuffix("_")


def _start(field: "dataclasses.Field[Any]", default: Any) -> Any:
    if default is not None:
        return getattr(default, field.name)
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if typing.get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    kinds = [kind for kind in typing.get_args(annotation) if kind is not types.NoneType]
    if len(kinds) != 1:
        raise TypeError(f"{annotation} is no type of a flag")
    return kinds[0], len(kinds) < len(typing.get_args(annotation))


def parse(kind: type[Kind], argv: Sequence[str], default: Kind | None = None) -> Kind:
    """An object of the dataclass with what was typed; ``--a_b 1``, ``--a-b 1`` and ``--a_b=1`` say the same.

    A switch stands alone (``--tune``, ``--no_tune``) or with its value (``--tune False``). The last of several wins,
    but for flags that add.

    Raises:
      UserError: an unknown flag, a value of another type, a flag that must be given and is not.
    """
    flags = flags_of(kind, default)
    given: dict[str, Any] = {}
    for typed, texts in split(argv):
        name = typed.replace("-", "_")
        opposite = flags.get(name.removeprefix("no_"))
        if name in flags:
            value = flags[name].value(texts)
            given[name] = given[name] + value if flags[name].adds and name in given else value
        elif opposite is not None and opposite.is_switch:
            if texts:
                raise UserError(f"--{name} {' '.join(texts)}", expected=f"--{name} alone, or --{opposite.name} False")
            given[opposite.name] = False
        else:
            raise UnknownFlag(name, flags)
    missing = [name for name, flag in flags.items() if flag.default is dataclasses.MISSING and name not in given]
    if missing:
        raise UserError("--" + ", --".join(missing) + (" is missing" if len(missing) == 1 else " are missing"))
    return _built(kind, default, given)


class UnknownFlag(UserError):
    """A flag that a command does not have.

    Attributes:
      name: as it was typed, without dashes.
      near: a remedy that names the nearest flags; empty where none is near.
    """

    def __init__(self, name: str, known: Mapping[str, Flag]):
        self.name = name
        self.near = did_you_mean(f"--{name}", [f"--{each}" for each in known])
        super().__init__(f"--{name} is unknown", remedy=self.near)


def split(argv: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Flags without their dashes, each with what stands between it and the next."""
    found: list[tuple[str, list[str]]] = []
    for token in argv:
        if re.match(r"--[A-Za-z]", token):
            name, equals, value = token[2:].partition("=")
            found.append((name, [value] if equals else []))
        elif found:
            found[-1][1].append(token)
        else:
            raise UserError(f"{token} stands where a flag is expected", expected="--flag value")
    return found


def joined(pairs: Sequence[tuple[str, Sequence[str]]]) -> list[str]:
    """What ``split`` took apart, as it is typed; a value that looks like a flag stands behind an equals sign."""
    argv: list[str] = []
    for name, texts in pairs:
        if len(texts) == 1 and texts[0].startswith("--"):
            argv.append(f"--{name}={texts[0]}")
        else:
            argv += [f"--{name}", *texts]
    return argv


def _built(kind: type[Kind], default: Kind | None, given: Mapping[str, Any]) -> Kind:
    annotations = typing.get_type_hints(kind)
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(typing.cast(Any, kind)):
        annotation = annotations[field.name]
        if dataclasses.is_dataclass(annotation):
            value = _start(field, default)
            built = _built(typing.cast(type, annotation), None if value is dataclasses.MISSING else value, given)
            if built is not value:
                changes[field.name] = built
        elif flag_name(field.name) in given:
            changes[field.name] = given[flag_name(field.name)]
    if default is None:
        return kind(**changes)
    return dataclasses.replace(typing.cast(Any, default), **changes) if changes else default
