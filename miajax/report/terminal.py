"""What the tables of all studies share on a terminal: figures with intervals, tables that never cut, grouped notes.

A terminal narrower than a table gets it in blocks of columns, each with the rows' names; one too narrow for a name and
a figure beside each other gets a list. What is piped gets one row a line, whatever its length.
"""

import re
import textwrap
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

MISSING = "-"
_GAP = 2
_TITLE = 12  # columns that a wrapped title may take beyond its longest word and the figures below it
_LISTED = 4  # names in front of a note, before they are counted
_NUMBER = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?:e-?\d+)?(?!\w)(?!\.\d)")
Groups = Mapping[str, Sequence[str]]


def figure(value: float | None, interval: Sequence[float | None] | None = None, digits: int = 3) -> str:
    """A figure, with its interval where it has one."""
    if value is None:
        return MISSING
    text = f"{value:.{digits}f}"
    if not interval or interval[0] is None or interval[1] is None:
        return text
    return f"{text} [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def say(console: Console, line: str, style: str | None = None) -> None:
    """A sentence: wrapped between words on a terminal, one line where it is piped."""
    if not console.is_terminal:
        console.print(Text(line), soft_wrap=True)
        return
    for part in textwrap.wrap(line, console.width, break_long_words=False, break_on_hyphens=False):
        console.print(Text(part, style or ""), soft_wrap=True)


def print_table(console: Console, name: str, columns: Groups, rows: Sequence[Sequence[str]]) -> None:
    """A table whose first column names its rows; nothing in it is ever cut.

    Args:
      console: to print to.
      name: title of the first column.
      columns: titles of the others, in groups that stay side by side where the terminal is wide enough for a group;
        a title is its group's name and its own, apart by a blank.
      rows: cells as text, the name first.
    """
    titles = [f"{group} {title}".strip() for group, within in columns.items() for title in within]
    cells = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(len(titles) + 1)]
    width = console.width if console.is_terminal else None
    names = max(map(len, [name, *cells[0]]))
    one_line = [max(map(len, [title, *column])) for title, column in zip(titles, cells[1:], strict=True)]
    if width is None or names + sum(one_line) + _GAP * len(titles) <= width:
        _print_block(console, name, titles, cells, one_line, range(len(titles)))
        return
    narrow = [
        min(whole, max([_TITLE, *map(len, title.split()), *map(len, column)]))
        for whole, title, column in zip(one_line, titles, cells[1:], strict=True)
    ]
    if names + _GAP + max(narrow, default=0) > width:
        _print_list(console, titles, rows)
        return
    for place, block in enumerate(_blocks(columns, narrow, width - names)):
        if place:
            console.print()
        _print_block(console, name, titles, cells, narrow, block)


def _blocks(columns: Groups, widths: Sequence[int], room: int) -> list[list[int]]:
    """Numbers of the columns that stand side by side: whole groups, and parts of one that is wider than the room."""
    ends = iter(range(len(widths)))
    groups = [[next(ends) for _ in within] for within in columns.values()]

    def taken(block: Sequence[int]) -> int:
        return sum(_GAP + widths[k] for k in block)

    blocks: list[list[int]] = [[]]
    for group in groups:
        for part in [group] if taken(group) <= room else [[k] for k in group]:
            if blocks[-1] and taken([*blocks[-1], *part]) > room:
                blocks.append([])
            blocks[-1] += part
    return blocks


def _print_block(
    console: Console, name: str, titles: Sequence[str], cells: Sequence[Sequence[str]], widths: Sequence[int],
    block: Sequence[int],
) -> None:  # fmt: skip
    names = max(map(len, [name, *cells[0]]))
    wrapped = [textwrap.wrap(titles[k], widths[k], break_long_words=False, break_on_hyphens=False) for k in block]
    height = max(map(len, wrapped), default=1)
    heads = [[""] * (height - len(lines)) + lines for lines in wrapped]
    first = [""] * (height - 1) + [name]
    gap = " " * _GAP
    for line in range(height):
        parts = [heads[at][line].rjust(widths[k]) for at, k in enumerate(block)]
        console.print(Text(gap.join([first[line].ljust(names), *parts]).rstrip(), "bold"), soft_wrap=True)
    for row, title in enumerate(cells[0]):
        parts = [cells[k + 1][row].rjust(widths[k]) for k in block]
        console.print(Text(gap.join([title.ljust(names), *parts])), soft_wrap=True)


def _print_list(console: Console, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Each row by itself, a figure a line."""
    for name, *cells in rows:
        console.print(Text(name, "bold"), soft_wrap=True)
        for title, cell in zip(titles, cells, strict=True):
            for line in textwrap.wrap(
                f"{title}: {cell}", console.width, initial_indent="  ", subsequent_indent="    ",
                break_long_words=False, break_on_hyphens=False,
            ):  # fmt: skip
                console.print(Text(line), soft_wrap=True)


def print_notes(console: Console, notes: Sequence[str]) -> None:
    """Notes, grouped as ``grouped`` does."""
    for note in grouped(notes):
        say(console, f"note: {note}")


def grouped(notes: Sequence[str]) -> list[str]:
    """Notes for reading: those that differ in their attacks and numbers alone are one, and so are all on null figures.

    ``results.json`` holds each by itself.
    """
    alike: dict[str, list[tuple[str, str]]] = {}
    for note in notes:
        names, text = _named(note)
        alike.setdefault(_NUMBER.sub("#", text), []).append((names, text))
    merged, null, without = [], [], []
    for each in alike.values():
        names = list(dict.fromkeys(name for named, _ in each for name in named.split(", ") if name))
        text = _ranged([text for _, text in each])
        if " is null" in text or " are null" in text:
            null.append(text)
            without += names
        else:
            merged.append(_prefixed(names, text))
    return merged + ([_prefixed(list(dict.fromkeys(without)), " ".join(null))] if null else [])


def _named(note: str) -> tuple[str, str]:
    """The names in front of a note, and the rest."""
    found = re.match(r"((?:\w+, )*\w+|all attacks)(?:: | (?=(?:was|did) not ))", note)
    return (found[1], note[found.end() :]) if found else ("", note)


def _prefixed(names: Sequence[str], text: str) -> str:
    if "all attacks" in names:
        names = ["all attacks"]
    if len(names) > _LISTED:
        names = [names[0], f"{names[1]} and {len(names) - 2} more"]
    if not names:
        return text
    apart = " " if re.match(r"(was|did) not ", text) else ": "
    if apart == " " and len(names) > 1:
        text = text.replace("was not", "were not", 1)
    return f"{', '.join(names)}{apart}{text}"


def _ranged(texts: Sequence[str]) -> str:
    """Sentences that differ in numbers alone as one: up to three numbers side by side, more as a range."""
    numbers = zip(*(_NUMBER.findall(text) for text in texts), strict=True)
    spans = iter([_span(list(dict.fromkeys(each))) for each in numbers])
    return _NUMBER.sub(lambda _: next(spans), texts[0])


def _span(numbers: list[str]) -> str:
    ascending = sorted(numbers, key=float)
    return ", ".join(ascending) if len(ascending) <= 3 else f"{ascending[0]} to {ascending[-1]}"
