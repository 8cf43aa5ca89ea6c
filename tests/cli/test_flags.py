"""Flags from dataclasses: every kind of value, every way to write a switch, and what is told of bad ones."""

import dataclasses
import importlib
import keyword
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest

from miajax.cli import NAMES
from miajax.cli.flags import UnknownFlag, flags_of, parse
from miajax.errors import UserError


@dataclasses.dataclass(frozen=True)
class Inner:
    """A group.

    Attributes:
      rate: how fast,
        in units a second.
      low, high: ends.
    """

    rate: float = 0.5
    low: int = 0
    high: int | None = None


@dataclasses.dataclass(frozen=True)
class Outer:
    needed: Path
    """a file"""
    inner: Inner = dataclasses.field(default_factory=Inner)
    name: str = "x"
    mode: Literal["fast", "slow"] = "fast"
    """how to go"""
    switch: bool = False
    maybe: bool | None = None
    some: tuple[int, ...] = (1,)
    few: tuple[Literal["a", "b"], ...] | None = None
    pairs: Mapping[str, str] = dataclasses.field(default_factory=dict)


def parsed(*argv: str) -> Outer:
    return parse(Outer, ["--needed", "f", *argv])


@pytest.mark.parametrize(
    ("argv", "changes"),
    [
        ([], {}),
        (["--rate", "1e-3", "--high", "-3"], {"inner": Inner(1e-3, 0, -3)}),
        (["--rate", "-.5"], {"inner": Inner(-0.5)}),
        (["--rate=inf", "--name=--x"], {"inner": Inner(float("inf")), "name": "--x"}),
        (["--high", "7", "--high", "None"], {}),
        (["--mode", "slow", "--name", "None"], {"mode": "slow", "name": "None"}),
        (["--some", "3", "4"], {"some": (3, 4)}),
        (["--some"], {"some": ()}),
        (["--few", "b", "a"], {"few": ("b", "a")}),
        (["--few"], {"few": ()}),
        (["--few", "None"], {}),
        (["--pairs", "one", "1", "two", "2"], {"pairs": {"one": "1", "two": "2"}}),
    ],
)
def test_values_become_what_their_fields_say(argv, changes):
    assert parsed(*argv) == dataclasses.replace(Outer(Path("f")), **changes)


def test_what_was_not_typed_keeps_the_default_that_was_given():
    start = Outer(Path("a"), Inner(2.0, 3, 4), "y", "slow", True, False, (5,), ("a",), {"k": "v"})
    assert parse(Outer, [], start) is start
    assert parse(Outer, ["--low", "9"], start) == dataclasses.replace(start, inner=Inner(2.0, 9, 4))


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--rate", "quick"], "--rate quick; expected a number."),
        (["--low", "1.5"], "--low 1.5; expected a whole number."),
        (["--high", "x"], "--high x; expected a whole number, or None."),
        (["--low"], "--low was given no value; expected a whole number."),
        (["--low", "1", "2"], "--low was given 2 values: 1 2; expected a whole number."),
        (["--mode", "slwo"], "--mode slwo; expected one of fast, slow. Did you mean slow?"),
        (["--few", "a", "c"], "--few c; expected one of a, b, or None."),
        (["--pairs", "one"], "--pairs one; expected pairs of a name and its value."),
        (["--switch", "maybe"], "--switch maybe; expected True or False."),
        (["--no_switch", "True"], "--no_switch True; expected --no_switch alone, or --switch False."),
        (["--rat", "1"], "--rat is unknown. Did you mean --rate?"),
        (["--no_rate"], "--no_rate is unknown."),
    ],
)
def test_a_bad_flag_is_one_line_with_what_was_expected(argv, told):
    with pytest.raises(UserError) as error:
        parsed(*argv)
    assert str(error.value).startswith(told), error.value


def test_flags_that_must_be_given_are_named_and_stray_words_refused():
    with pytest.raises(UserError, match=r"^--needed is missing"):
        parse(Outer, ["--low", "1"])
    with pytest.raises(UserError, match=r"^digits stands where a flag is expected"):
        parse(Outer, ["digits", "--low", "1"])


def test_help_comes_from_strings_below_fields_and_from_attributes():
    found = {name: flag.help for name, flag in flags_of(Outer).items()}
    assert found["needed"] == "a file" and found["mode"] == "how to go"
    assert found["rate"] == "how fast, in units a second" and found["low"] == found["high"] == "ends"


def test_a_flag_may_be_a_word_of_pythons_and_one_that_adds_keeps_what_was_typed_before():
    adding = dataclasses.field(default=(), metadata={"adds": True})
    kind = dataclasses.make_dataclass("Kind", [("with_", int, 1), ("each", tuple[str, ...], adding),
                                               ("last", tuple[str, ...], ())])  # fmt: skip
    assert list(flags_of(kind)) == ["with", "each", "last"]
    found = parse(kind, ["--with", "3", "--each", "a", "b", "--last", "a", "--each", "c", "--last", "c"])
    assert (found.with_, found.each, found.last) == (3, ("a", "b", "c"), ("c",))


def test_two_fields_of_one_name_are_a_fault_of_the_program():
    twice = dataclasses.make_dataclass("Twice", [("one", Inner), ("rate", float, 1.0)])
    with pytest.raises(TypeError, match="--rate twice"):
        flags_of(twice)


COMMANDS = {name: flags_of(importlib.import_module(f"miajax.cli.{name}").run.kind) for name in NAMES}
SWITCHES = [(name, flag) for name, flags in COMMANDS.items() for flag in flags.values() if flag.is_switch]


def test_the_switches_of_the_commands_were_found():
    found = {(name, flag.name) for name, flag in SWITCHES}
    assert {("lira", "show_records"), ("lira", "tune"), ("reproduce", "miniature"), ("audit", "jax_privacy")} <= found
    assert len(found) > 40


@pytest.mark.parametrize(("command", "flag"), SWITCHES, ids=[f"{name}-{flag.name}" for name, flag in SWITCHES])
def test_every_way_to_write_a_switch_is_taken_by_every_switch(command, flag):
    ways = [
        ([f"--{flag.name}"], True),
        ([f"--{flag.name}", "True"], True),
        ([f"--{flag.name}", "true"], True),
        ([f"--{flag.name}=True"], True),
        ([f"--{flag.name.replace('_', '-')}"], True),
        ([f"--{flag.name}", "--no_later"], True),
        ([f"--no_{flag.name}"], False),
        ([f"--no-{flag.name.replace('_', '-')}"], False),
        ([f"--{flag.name}", "False"], False),
        ([f"--{flag.name}=false"], False),
    ]
    kinds = {name + "_" * keyword.iskeyword(name): each.kind for name, each in COMMANDS[command].items()}
    whole = [(name, kind | None, None) for name, kind in kinds.items()]  # without their own checks
    of = dataclasses.make_dataclass("Of", [*whole, ("later", bool, True)])
    for argv, value in ways:
        assert getattr(parse(of, argv), flag.name) is value, argv


def test_switches_are_taken_by_a_whole_command():
    from miajax.cli.audit import run as audit
    from miajax.cli.lira import run as lira

    alone = lira.parse(["--show_records", "--tune", "--no_flip", "--num_shadows", "8"])
    valued = lira.parse(["--show_records", "True", "--tune", "True", "--flip", "False", "--num_shadows", "8"])
    assert alone == valued and alone.lira.show_records and alone.campaign.tune is True
    assert lira.parse(["--tune", "False"]).campaign.tune is lira.parse(["--no_tune"]).campaign.tune is False
    assert lira.parse(["--tune", "None"]).campaign.tune is lira.parse([]).campaign.tune is None
    assert audit.parse(["--no_jax_privacy"]).audit.jax_privacy is False


def test_an_unknown_flag_names_its_neighbours():
    with pytest.raises(UnknownFlag) as error:
        parsed("--switc")
    assert error.value.name == "switc" and error.value.near == "Did you mean --switch?"
