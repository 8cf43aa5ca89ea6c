"""The help of every command: flags as docs write them, human titles, choices, defaults, an example; at any width."""

import dataclasses
import importlib
import re

import pytest

from miajax.cli import NAMES
from miajax.cli.command import CHOICES
from miajax.cli.flags import Flag, flags_of
from miajax.cli.help import command_help


def command(name: str):
    return importlib.import_module(f"miajax.cli.{name}").run


def shown(name: str, width: int = 80) -> tuple[str, dict[str, Flag]]:
    run = command(name)
    flags = flags_of(run.kind, run.default([]))
    return command_help(f"miajax {name}", run.about, flags, {**CHOICES, **run.choices}, width), flags


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_every_flag_is_shown_with_its_text_within_the_width(name, width):
    text, flags = shown(name, width)
    words = " ".join(text.split())
    for flag in flags.values():
        assert re.search(rf"--{flag.name}\b", words), flag.name
        assert flag.help and flag.help in words, flag.name
        assert not flag.is_switch or f"--{flag.name}, --no_{flag.name}" in words
        assert all(choice in words for choice in flag.choices)
    long = [line for line in text.splitlines() if len(line) > width]
    assert not [line for line in long if len(line.split()) > 1 and width >= 80], long
    assert all(len(max(line.split(), key=len)) > width - 30 for line in long), long


@pytest.mark.parametrize("name", NAMES)
def test_titles_are_human_and_hyphens_and_field_paths_do_not_appear(name):
    text, flags = shown(name)
    titles = re.findall(r"^(?!usage|Example)(\S.*)\n  -", text, re.MULTILINE)
    assert titles and all(re.match(r"[A-Z]|--dp_noise_multiplier is", title) for title in titles), titles
    assert not {flag.group.__name__ for flag in flags.values()} & set(titles)
    assert not re.search(r"--[a-z]+-[a-z]|campaign\.|[a-z]Options|CampaignConfig", text)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_ends_it_and_parses(name, monkeypatch):
    from miajax.campaign.presets import preset

    monkeypatch.setattr("miajax.cli.command.stored_config", lambda path: preset("digits"))
    text, _ = shown(name)
    examples = text.partition("\nExample\n")[2].replace(" \\\n", "").splitlines()
    assert examples and all(line.startswith(f"  miajax {name} ") for line in examples)
    for line in examples:
        command(name).parse(line.split()[2:])


def test_defaults_are_those_of_the_preset_and_of_the_command():
    text = " ".join(shown("lira")[0].split())
    assert "(default: 256)" in text and "shadow models; each is also a target" in text
    assert "(default: 0.5 0.75)" in text and "(default: off)" in text and "None)" not in text
    run = command("defenses")
    assert run.default([]).campaign.validation_fraction == 0.1
    dp = command("lira").default(["--preset", "digits_dp"])
    flags = flags_of(command("lira").kind, dp)
    assert "(default: 8)" in command_help("miajax lira", "x", {"dp_epsilon": flags["dp_epsilon"]}, {}, 80)


def test_known_names_are_listed_where_the_type_lists_none():
    words = " ".join(shown("attacks")[0].split())
    for names in (CHOICES["dataset"], CHOICES["model"], CHOICES["preset"], command("attacks").choices["attacks"]):
        assert ", ".join(names) in words
    flag = dataclasses.replace(shown("lira")[1]["activation"])
    assert command_help("p", "x", {"activation": flag}, CHOICES, 80).count("gelu") == 1, "its text names them already"


def test_a_flag_without_a_title_of_its_own_stands_under_the_commands():
    assert re.search(r"\nFlags of this command\n  --target INT", shown("lira")[0])
