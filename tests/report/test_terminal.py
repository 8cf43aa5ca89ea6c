"""Tables and notes on terminals of any width, and in pipes."""

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from miajax.notes import headed, not_done, noted
from miajax.report.terminal import figure, grouped, print_notes, print_table, say

COLUMNS = {"AUC": [""], "PPV, prior": ["1 %", "10 %"], "calibrated to FPR 1 %:": ["FPR", "TPR"]}
ROWS = [
    [
        name,
        f"{0.1 * k:.3f} [{0.1 * k - 0.05:.3f}, {0.1 * k + 0.05:.3f}]",
        f"{k:.4f}",
        f"{k / 3:.4f}",
        "-",
        f"{k / 7:.2f}",
    ]
    for k, name in enumerate(("gap", "lira_online", "input_gradient_norm"), 1)
]


def rendered(show, width: int | None, color: str | None = None) -> str:
    """What ``show`` prints to a terminal of so many columns, or to a pipe."""
    written = io.StringIO()
    terminal = {} if width is None else {"width": width, "force_terminal": True, "color_system": color}
    show(Console(file=written, highlight=False, **terminal))
    return written.getvalue()


def numbers(text: str) -> list[str]:
    return sorted(re.findall(r"\d+\.\d+", text))


def table(console):
    print_table(console, "attack", COLUMNS, ROWS)


def test_a_pipe_gets_one_row_a_line_whole_titles_and_no_colour():
    lines = rendered(table, None).splitlines()
    assert len(lines) == 4 and len({len(line) for line in lines}) == 1
    assert re.split(r" {2,}", lines[0]) == [
        "attack", "AUC", "PPV, prior 1 %", "PPV, prior 10 %", "calibrated to FPR 1 %: FPR", "calibrated to FPR 1 %: TPR"
    ]  # fmt: skip
    assert [re.split(r" {2,}", line) for line in lines[1:]] == ROWS
    assert "\x1b" not in "".join(lines) and "\x1b[1m" in rendered(table, 200, "standard"), (
        "titles are bold on a terminal"
    )


@pytest.mark.parametrize("width", [30, 40, 60, 80, 128])
def test_a_terminal_gets_every_number_whole_within_its_width(width):
    text = rendered(table, width)
    assert numbers(text) == numbers(rendered(table, None)) and "…" not in text
    assert max(map(len, text.splitlines())) <= width
    for row in ROWS:
        assert all(cell in text for cell in row)


def test_columns_of_a_group_stay_side_by_side_and_every_block_names_its_rows():
    blocks = [block.splitlines() for block in rendered(table, 70).split("\n\n")]
    assert len(blocks) == 2
    titles = [" ".join(" ".join(block[:-3]).split()) for block in blocks]
    assert titles[0].count("prior") == 2 and titles[1].count("calibrated") == 2, titles
    for block in blocks:
        assert [line.split()[0] for line in block[-3:]] == [row[0] for row in ROWS]


def test_a_number_keeps_its_unit_where_a_title_wraps():
    for width in range(40, 90):
        for block in rendered(table, width).split("\n\n"):
            assert not re.search(r"^ *%|  %", block, re.MULTILINE), (width, block)


def test_a_terminal_too_narrow_for_two_columns_gets_a_list():
    lines = rendered(table, 30).splitlines()
    assert lines[0] == "gap" and lines[1] == "  AUC: 0.100 [0.050, 0.150]"
    assert "  PPV, prior 10 %: 0.3333" in lines


def test_a_table_without_rows_is_its_titles():
    assert rendered(lambda console: print_table(console, "attack", COLUMNS, []), 128).split()[0] == "attack"


CELL = st.text("abc 0123456789.[],%", min_size=1, max_size=30).filter(str.strip)


@given(
    st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=4),
    st.integers(20, 140),
)  # fmt: skip
def test_nothing_is_lost_whatever_the_cells(rows, width):
    text = rendered(lambda console: print_table(console, "n", {"g": ["a", "b"]}, rows), width)
    for row in rows:
        for cell in row:
            for word in cell.split():
                assert word in text


def test_sentences_wrap_between_words_on_a_terminal_and_not_in_a_pipe():
    line = "digits: " + "230144 non-members pooled; accuracy 0.9976, " * 4
    assert rendered(lambda console: say(console, line), None) == line + "\n"
    narrow = rendered(lambda console: say(console, line), 40)
    assert max(map(len, narrow.splitlines())) <= 40 and narrow.split() == line.split()


def test_brackets_are_no_markup():
    assert (
        rendered(lambda console: say(console, "a [bold]b[/bold] [0.1, 0.2]"), None) == "a [bold]b[/bold] [0.1, 0.2]\n"
    )


def test_figures_with_and_without_an_interval():
    assert figure(None) == figure(None, [0.1, 0.2]) == "-"
    assert figure(0.12345, [0.1, 0.2]) == "0.123 [0.100, 0.200]"
    assert figure(0.12345, [None, None], 4) == figure(0.12345, None, 4) == "0.1235"


def null(names: list[str], fpr: str, needed: int, there: int, where: str = "pooled over targets"):
    told = f"TPR at FPR {{}} {where} is null: it takes {{}} non-members, there are {{}}."
    return noted(told, fpr, needed, there, about=names, null=True)


ONE = "of a single target"
CALIBRATED = "thresholds calibrated at FPR {} are null: a model's own non-members resolve no such rate."
SMALL_RUN = [
    null(["gap", "lira_online"], "0.0001", 10000, 413),
    null(["gap", "lira_online"], "0.001", 1000, 413),
    null(["gap"], "0.01", 100, 40, ONE),
    "Three models diverged.",
    null(["lira_online"], "0.01", 100, 36, ONE),
    null(["lira_offline"], "0.0001", 10000, 375),
    noted(CALIBRATED, "0.01", about=["all attacks"], null=True),
]


def test_all_null_figures_are_one_line_and_say_of_whom():
    *others, of_null = grouped(SMALL_RUN)
    assert others == ["Three models diverged."]
    assert of_null == (
        "gap, lira_online, lira_offline: TPR at FPR 0.0001, 0.001 pooled over targets is null: it takes 10000, 1000 "
        "non-members, there are 413, 375. gap, lira_online: TPR at FPR 0.01 of a single target is null: it takes 100 "
        "non-members, there are 40, 36. all attacks: thresholds calibrated at FPR 0.01 are null: a model's own "
        "non-members resolve no such rate."
    )
    printed = rendered(lambda console: print_notes(console, SMALL_RUN), None).splitlines()
    assert len(printed) == 2 and all(line.startswith("note: ") for line in printed)


def test_null_figures_of_the_same_attacks_name_them_once():
    assert grouped(SMALL_RUN[:2]) == [
        "gap, lira_online: TPR at FPR 0.0001, 0.001 pooled over targets is null: it takes 10000, 1000 non-members, "
        "there are 413."
    ]


def test_notes_that_differ_in_attacks_and_numbers_are_one():
    notes = [noted("{} of {} scores are missing.", k, 864, about=[name]) for k, name in enumerate("abcdef", 3)]
    assert grouped(notes) == ["a, b and 4 more: 3 to 8 of 864 scores are missing."]
    assert grouped(notes[:3]) == ["a, b, c: 3, 4, 5 of 864 scores are missing."]
    assert grouped(
        [not_done(name, "run", noted("needs {} models", count)) for name, count in (("x", 2), ("y", 1))]
    ) == ["x, y were not run: each needs 2, 1 models."]


def test_notes_of_different_words_stay_apart_in_their_order():
    notes = [
        headed(["b"], "scores are missing."),
        "The run folder holds 8 models.",
        headed(["a"], "no scores are missing."),
        "l2_5e-4 ran.",
    ]
    assert grouped(notes) == notes and grouped([]) == []


def test_a_note_that_stands_alone_is_not_changed():
    notes = [
        not_done("lira_online", "run", "takes several queries"),
        noted("spent {} of {}.", 1e-05, 3, about=["epsilon 8"]),
        "A: 1.5 of v2.0.",
    ]
    assert grouped(notes) == notes
    assert json.loads(json.dumps(notes)) == notes
