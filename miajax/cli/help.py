"""What ``--help`` prints: flags as they are typed, in groups, readable from 40 columns on."""

import dataclasses
import shutil
import textwrap
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from miajax.cli.flags import Flag

TITLES = {
    "Place": "Start and output",
    "ClusterFlags": "Cluster",
    "PageFiles": "Beside the report",
    "ConfigFiles": "Flags in a file",
    "CampaignConfig": "Shadow models",
    "DataOptions": "Data",
    "ModelOptions": "Network",
    "Recipe": "Training",
    "PrivacyFlags": "Differentially private training (off unless --dp_epsilon or --dp_noise_multiplier is given)",
    "Strengths": "Strengths of the defences",
}
OWN = "Flags of this command"
_VALUES = {int: "INT", float: "FLOAT", str: "TEXT", Path: "PATH"}
_INDENT, _WIDE = 26, 64  # columns before the text, and from which on it stands beside the flag


def width_of_terminal() -> int:
    """Columns to write to: those of the terminal, 80 where there is none; long lines are hard to read."""
    return max(40, min(shutil.get_terminal_size().columns, 100))


def command_help(
    prog: str, about: str, flags: Mapping[str, Flag], choices: Mapping[str, Sequence[str]], width: int | None = None
) -> str:
    """The help of one command.

    Args:
      prog: what was typed before the flags.
      about: what the command does, a blank line, then examples that begin as ``prog`` does.
      flags: of the command.
      choices: names that a flag takes beside what its type says.
      width: columns; those of the terminal if None.
    """
    width = width or width_of_terminal()
    does, _, examples = about.strip().partition("\n\n")
    needed = [name for name, flag in flags.items() if flag.default is dataclasses.MISSING]
    usage = " ".join(
        [prog, *(f"--{name} {value_of(flags[name], choices.get(name, ()))}" for name in needed), "[--flag value ...]"]
    )
    parts = [_wrapped(f"usage: {usage}", width, "       "), _wrapped(does, width)]
    for title, group in _groups(flags).items():
        lines = [_entry(flag, choices.get(flag.name, ()), width) for flag in group]
        parts.append("\n".join([_wrapped(title, width), *lines]))
    parts.append(_wrapped(
        "--help shows this. A switch stands alone (--flag, --no_flag) or with its value (--flag False); "
        "hyphens do for underscores.", width,
    ))  # fmt: skip
    if examples:
        parts.append("\n".join(["Example", *(_shell_lines(line, width) for line in examples.strip().splitlines())]))
    return "\n\n".join(parts)


def _groups(flags: Mapping[str, Flag]) -> dict[str, list[Flag]]:
    groups: dict[str, list[Flag]] = {}
    for flag in flags.values():
        groups.setdefault(TITLES.get(flag.group.__name__, OWN), []).append(flag)
    return groups


def _entry(flag: Flag, choices: Sequence[str], width: int) -> str:
    """A flag with its value, what it is for, what it can be, and its default."""
    names = f"--{flag.name}, --no_{flag.name}" if flag.is_switch else f"--{flag.name} {value_of(flag, choices)}"
    text = flag.help
    if any(name not in text for name in choices):
        text += ("; " if text else "") + "known: " + ", ".join(choices)
    if flag.default is not dataclasses.MISSING and flag.default is not None:
        text += f" (default: {shown(flag.default)})"
    indent = " " * _INDENT if width >= _WIDE else "      "
    body = _wrapped(text, width, indent, indent)
    head = f"  {names}"
    if width >= _WIDE and len(head) <= _INDENT - 2:
        return head.ljust(_INDENT) + body[_INDENT:]
    return f"{_wrapped(head, width, '      ')}\n{body}" if text else head


def value_of(flag: Flag, choices: Sequence[str]) -> str:
    """What stands after a flag: the word for its value."""
    origin, arguments = typing.get_origin(flag.kind), typing.get_args(flag.kind)
    if origin is not None and origin.__name__ == "Mapping":
        return "NAME VALUE ..."
    several = " ..." if origin is tuple else ""
    if flag.choices:
        return "{" + ",".join(flag.choices) + "}" + several
    return ("NAME" if choices else _VALUES[arguments[0] if several else flag.kind]) + several


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, Mapping):
        value = [text for pair in cast(Mapping[Any, Any], value).items() for text in pair]
    if isinstance(value, (list, tuple)):
        return " ".join(map(shown, cast(Sequence[Any], value))) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _wrapped(text: str, width: int, later: str = "", first: str = "") -> str:
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    )


def _shell_lines(line: str, width: int) -> str:
    """A command line, continued by backslashes where it is longer than the terminal is wide."""
    lines = textwrap.wrap(line, width - 4, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "\n".join("  " + part for part in " \\\n".join(lines).splitlines())
