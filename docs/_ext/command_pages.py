"""The command reference, made from what the commands themselves parse: their dataclasses, defaults and help."""

import dataclasses
import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from miajax.campaign.cluster.flags import ClusterFlags
from miajax.campaign.config import CampaignConfig
from miajax.campaign.presets import PRESETS
from miajax.cli import COMMANDS, NAMES
from miajax.cli.command import CHOICES, Command, Place
from miajax.cli.config_file import ConfigFiles
from miajax.cli.flags import Flag, flags_of
from miajax.cli.help import OWN, TITLES, shown, value_of
from miajax.studies.invocation import PageFiles

SHARED = (Place, ConfigFiles, ClusterFlags, PageFiles, CampaignConfig)


def command(name: str) -> "Command[Any, Any]":
    """What ``miajax NAME`` runs."""
    return importlib.import_module(f"miajax.cli.{name}").run


def pages() -> dict[str, str]:
    """``{file: Markdown}`` of the whole command reference."""
    made = {"index.md": _index(), "shared.md": _shared()}
    return made | {f"{name}.md": _command(name) for name in NAMES}


def _index() -> str:
    lines = [
        "# Commands\n",
        "Every study and tool of miajax is a command. `miajax --help` lists them, `miajax COMMAND --help` explains "
        "every flag, and `python -m experiments.COMMAND` is the same command in a clone. These pages are made "
        "from the code that reads the flags.\n",
    ]
    for title, group in COMMANDS.items():
        lines += [f"## {title}\n", "| command | what it does |", "|---|---|"]
        lines += [f"| [`miajax {name}`]({name}.md) | {what} |" for name, what in group.items()]
        lines.append("")
    lines += [
        "## How flags are written\n",
        "`--flag value` and `--flag=value` say the same, and so do hyphens and underscores. A switch stands alone "
        "(`--tune`, `--no_tune`) or with its value (`--tune False`). Where a flag is written twice the last one "
        "counts. `None` clears a value that may be missing.\n",
        "Commands that train take [the flags that all campaigns share](shared.md). `--run DIR` takes their defaults "
        "from a run folder, and `--preset NAME` from [a preset](../presets.md).\n",
        "## Exit status\n",
        "| status | meaning |\n|---|---|\n| 0 | done |\n| 1 | the reader of the output went away; "
        "of [`miajax runs`](runs.md): a run is damaged, or two differ |\n"
        "| 2 | bad input: one line on standard error says what, where, what was expected and the remedy |\n"
        "| 3, 4 | of [`miajax gate`](gate.md) only: a ceiling is passed, or a figure is not resolved |\n"
        "| 130 | stopped by Ctrl-C or SIGTERM; what was finished is kept |\n",
        "```{toctree}\n:hidden:\n",
        "shared",
        *NAMES,
        "```\n",
    ]
    return "\n".join(lines)


def _shared() -> str:
    parts = [
        "# Flags that all campaigns share\n",
        "Every command that trains shadow models takes these flags beside its own. Defaults are those of the preset "
        "`digits`; a command whose own defaults differ says so on its page.\n",
        _program("miajax"),
    ]
    flags = {name: flag for of in SHARED for name, flag in flags_of(of).items()}
    return "\n".join([*parts, *_groups(flags.values(), CHOICES)])


def _command(name: str) -> str:
    what = next(group[name] for group in COMMANDS.values() if name in group)
    run = command(name)
    does, _, examples = (run.about or "").strip().partition("\n\n")
    flags = run.known(run.default([]))
    own = [flag for flag in flags.values() if flag.group.__name__ not in TITLES or flag.group.__name__ == "Strengths"]
    shared = [flag for flag in flags.values() if flag not in own]
    parts = [f"# miajax {name}\n", f"*{what[0].upper()}{what[1:]}.*\n", f"{does}\n"]
    if examples.strip():
        parts += ["```bash", *(" ".join(line.split()) for line in examples.strip().splitlines()), "```\n"]
    needed = [f"`--{flag.name}`" for flag in own if flag.default is dataclasses.MISSING]
    if needed:
        parts.append(f"It must be given {' and '.join(needed)}.\n")
    parts += [_program(f"miajax {name}"), *_groups(own, {**CHOICES, **run.choices}, level="##")]
    parts += _of_the_shared(shared, run.why_not)
    return "\n".join(parts)


def _of_the_shared(shared: Sequence[Flag], why_not: str) -> list[str]:
    if why_not:
        only = ", ".join(f"`--{flag.name}`" for flag in shared)
        took = [f"Of [the flags that campaigns share](shared.md) it takes {only}.\n"] if only else []
        return ["## Other flags\n", *took, f"It takes no flags on data, network and training. {why_not.rstrip('.')}.\n"]
    usual = flags_of(CampaignConfig, PRESETS["digits"].campaign)
    other = [flag for flag in shared if flag.name in usual and flag.default != usual[flag.name].default]
    lines = ["## Flags on data, network and training\n"]
    lines.append("It takes all of [the flags that campaigns share](shared.md).\n")
    if other:
        lines += [
            "Where no run and no preset is named, these have defaults of their own:\n",
            "| flag | default |",
            "|---|---|",
        ]
        lines += [f"| `--{flag.name}` | {_default(flag) or 'not given'} |" for flag in other]
        lines.append("")
    return lines


def _groups(flags: Iterable[Flag], choices: Mapping[str, Sequence[str]], level: str = "##") -> list[str]:
    groups: dict[str, list[Flag]] = {}
    for flag in flags:
        groups.setdefault(TITLES.get(flag.group.__name__, OWN), []).append(flag)
    lines: list[str] = []
    for title, group in groups.items():
        lines.append(f"{level} {_escaped(title)}\n")
        lines += [_entry(flag, choices.get(flag.name, ())) for flag in group]
    return lines


def _program(name: str) -> str:
    return f"```{{program}} {name}\n```\n"


def _entry(flag: Flag, choices: Sequence[str]) -> str:
    typed = f"--{flag.name}, --no_{flag.name}" if flag.is_switch else f"--{flag.name} {value_of(flag, choices)}"
    text = _escaped(flag.help[:1].upper() + flag.help[1:])
    names = [name for name in choices if name not in flag.help]
    lines = [f"{text}." if text else ""]
    if names:
        lines.append("Known: " + ", ".join(f"`{name}`" for name in names) + ".")
    lines.append(
        "Must be given." if flag.default is dataclasses.MISSING else f"Default: {_default(flag) or 'not given'}."
    )
    body = " ".join(line for line in lines if line)
    return f"````{{option}} {typed}\n\n{body}\n````\n"


def _default(flag: Flag) -> str:
    if flag.default is None or flag.default is dataclasses.MISSING:
        return ""
    said = shown(flag.default)
    return said if flag.is_switch or said == "none" else f"`{said}`"


def _escaped(text: str) -> str:
    """Help as Markdown: what it writes as it is typed stays so, and flags are code."""
    parts = re.split(r"(--\w+)", text)
    return "".join(f"`{part}`" if part.startswith("--") else _plain(part) for part in parts)


def _plain(text: str) -> str:
    for sign in ("\\", "*", "_", "<", "[", "]", "`", "$"):
        text = text.replace(sign, "\\" + sign)
    return text


def presets_page() -> str:
    """Every preset: where it comes from, what was measured, how it departs from its source."""
    parts = [
        "# Presets\n",
        "`miajax lira --preset NAME` runs one. Every flag that is typed beside it overrides what the preset sets. This "
        "page is made from `miajax/campaign/presets.py`.\n",
    ]
    usual = flags_of(CampaignConfig)
    for name, preset in PRESETS.items():
        flags = flags_of(CampaignConfig, preset.campaign)
        typed = [
            f"`--{flag.name} {shown(flag.default)}`"
            for flag in flags.values()
            if flag.default != usual[flag.name].default and flag.default is not None
        ]
        parts += [
            f"## {name}\n",
            f"Source\n: {_escaped(preset.source)}.\n",
            f"Measured\n: {_escaped(preset.measured)}.\n",
        ]
        parts.append(f"Settings\n: {', '.join(typed) or 'the defaults of all flags'}.\n")
        if preset.departures:
            parts.append("Departures from the source\n: " + "; ".join(map(_escaped, preset.departures)) + ".\n")
    return "\n".join(parts)
