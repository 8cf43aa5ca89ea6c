"""Flags in files: ``--config`` reads them, ``--save_config`` writes them.

A TOML file holds flags by their names; what is typed counts before it. The ``config.json`` of a run, and the
``study.json`` of a study that keeps several runs, are whole configurations: they take the place of a preset.
"""

import dataclasses
import json
import textwrap
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from miajax.campaign.config import CampaignConfig
from miajax.campaign.stored import rebuilt_config, stored_config
from miajax.cli import flags
from miajax.cli.flags import Flag
from miajax.cli.help import TITLES
from miajax.described import described
from miajax.errors import UserError
from miajax.parsing import parsing
from miajax.runs.atomic import read_sealed, write_text
from miajax.runs.mounts import shown

TYPED_ONLY = ("config", "save_config", "trust_code", "help")  # a file may not decide on these


@described
@dataclasses.dataclass(frozen=True)
class ConfigFiles:
    """Flags that files hold."""

    config: Path | None = None
    """TOML file of flags, or config.json of a run; what is typed counts before it"""
    save_config: Path | None = None
    """new TOML file for --config: the flags as they are, with all others and their defaults as comments; nothing else
    is done"""


def named(name: str, argv: Sequence[str]) -> str | None:
    """The one value of a flag that decides on others before all are read; what is wrong with it is told later."""
    texts = {typed.replace("-", "_"): texts for typed, texts in flags.split(argv)}.get(name, [])
    return texts[0] if len(texts) == 1 and texts != ["None"] else None


def is_whole(file: Path) -> bool:
    """Whether a file of ``--config`` is a whole configuration, as runs and studies write it."""
    return file.suffix == ".json"


def with_file(argv: Sequence[str], known: Mapping[str, Flag], unknown: Callable[[str, flags.UnknownFlag], Any]):
    """What was typed, with the flags of a TOML file of ``--config`` before it; as it is without such a file.

    Args:
      argv: what was typed.
      known: flags of the command.
      unknown: called with the file and the error for a key that is none of them; raises what is to be told.

    Raises:
      UserError: the file cannot be read, or a value in it is none of its flag's.
    """
    file = named("config", argv)
    if file is None or is_whole(Path(file)):
        return list(argv)
    pairs = [(name.replace("-", "_"), texts) for name, texts in flags.split(argv)]
    typed = {name for name, _ in pairs}
    found: list[tuple[str, list[str]]] = []
    for key, value in _table(Path(file)).items():
        name = key.replace("-", "_")
        if name in TYPED_ONLY:
            raise UserError(f"{file} holds {key}", expected="flags of the command", remedy=f"Type --{name} instead")
        if isinstance(value, dict) and not (name in known and known[name].takes_pairs):
            remedy = f"Write the lines below [{name}] without it, above all tables"
            raise UserError(f"{file} has a table {name}", expected="flags outside tables", remedy=remedy)
        if name not in known:
            raise unknown(file, flags.UnknownFlag(name, known))
        texts = _texts(file, known[name], value)
        code = next((text for text in texts if ".py:" in text), None)
        if not typed & {name, f"no_{name}"}:
            if code is not None and "trust_code" not in typed:
                raise _untrusted(file, name, texts, known)
            found.append((name, texts))
    return flags.joined([*found, *((name, texts) for name, texts in pairs if name != "config")])


def _table(file: Path) -> dict[str, Any]:
    if file.is_dir():
        remedy = f"For the settings of a run: --config {file / 'config.json'}"
        raise UserError(f"--config {file} is a folder", expected="a TOML file of flags", remedy=remedy)
    if not file.exists():
        raise UserError(f"--config {file} does not exist", expected="a TOML file of flags")
    with parsing(f"--config {file}", expected="lines such as num_shadows = 64", fault="is not TOML"):
        return tomllib.loads(file.read_text(encoding="utf-8"))


def _texts(file: str, flag: Flag, value: Any) -> list[str]:
    """A value of TOML as it is typed.

    Raises:
      UserError: it is none of the flag's.
    """
    if isinstance(value, dict):
        parts: list[Any] = [part for pair in cast(dict[str, Any], value).items() for part in pair]
    else:
        parts = cast(list[Any], value) if isinstance(value, list) and flag.takes_several else [value]
    texts = [_text(part) for part in parts]
    wrong = next((part for part, text in zip(parts, texts, strict=True) if text is None), None)
    try:
        if wrong is not None:
            raise UserError(f"--{flag.name} {wrong!r}", expected=flag.expected)
        known = [text for text in texts if text is not None]
        if len(known) > 1 and (odd := next((text for text in known if text.startswith("--")), None)):
            raise UserError(f"--{flag.name} holds {odd}", expected="values that are no flags")
        flag.value(known)
    except UserError as error:
        raise UserError(f"{file}: {error}") from None
    return known


def _text(value: Any) -> str | None:
    """One value as it is typed; None for what no flag takes (dates, lists in lists)."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    return str(value) if isinstance(value, (int, str)) else None


def _untrusted(file: str, name: str, texts: Sequence[str], known: Mapping[str, Flag]) -> UserError:
    typed = f"type --{name} {' '.join(texts)}"
    remedy = f"Look at it, then add --trust_code, or {typed}" if "trust_code" in known else typed.capitalize()
    what = f"{file} names a Python file, {name} = {' '.join(texts)}, which is not run because a file asks for it"
    return UserError(what, expected="your word for it", remedy=remedy)


def whole_campaign(file: Path) -> CampaignConfig:
    """The campaign of a run's ``config.json``, in its folder or copied from there.

    Raises:
      UserError: the file is damaged or none of this version.
    """
    if (file.parent / "manifest.json").is_file() and file.name == "config.json":
        return stored_config(file.parent)
    return rebuilt_config(file, read_sealed(file))


def saved(file: Path, prog: str, now: Mapping[str, Flag], base: Mapping[str, Flag], typed: Collection[str]) -> None:
    """Writes flags as a TOML file.

    Args:
      file: new file to write.
      prog: what was typed before the flags.
      now: flags whose defaults are the values to be written.
      base: flags with the values that hold where nothing is typed.
      typed: names that were typed, or read from a file: they are written whether they change anything or not.

    Raises:
      UserError: the file exists, or a value has no form in TOML.
    """
    if file.exists():
        raise UserError(f"--save_config {file} exists", expected="a new file", remedy="Choose another name")
    lines = [f"# {prog} --config {file}", "# A flag behind a # has the value that holds without it."]
    group = None
    for name, flag in now.items():
        if name in TYPED_ONLY:
            continue
        if flag.group is not group:
            group = flag.group
            lines += ["", f"# {TITLES.get(group.__name__, 'Flags of this command')}"]
        set_here = name in typed or flag.default != base[name].default
        value = "..." if flag.default is dataclasses.MISSING else _toml(flag.default)
        lines += ["", *textwrap.wrap(flag.help, 100, initial_indent="# ", subsequent_indent="# ")]
        lines.append(f"{name} = {value}" if set_here else f"# {name} = {value}")
    try:
        write_text(file, shown("\n".join(lines) + "\n"))
    except UnicodeEncodeError:
        raise UserError(f"--save_config {file}: a value is no text", expected="names of files that are text") from None


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Mapping):
        pairs = cast(Mapping[str, Any], value).items()
        return "{ " + ", ".join(f"{_toml(name)} = {_toml(each)}" for name, each in pairs) + " }" if pairs else "{}"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(_toml, cast(Sequence[Any], value))) + "]"
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")  # "None" for None, as it is typed
