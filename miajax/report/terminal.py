"""What the tables of all studies share on a terminal: figures with intervals, tables that never cut, grouped notes.

A terminal narrower than a table gets it in blocks of columns, each with the rows' names; one too narrow for a name and
a figure beside each other gets a list. What is piped gets one row a line, whatever its length.
"""

import textwrap
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.text import Text

from miajax.metrics.figures import Estimate
from miajax.notes import Note, as_note
from miajax.runs.mounts import shown

MISSING = "-"
_GAP = 2
_HARD = "\u00a0"  # a blank that no line ends at
_TITLES = (12, 10, 8, 1)  # columns that a wrapped title may take where words and figures need less; the first that fits
_LISTED = 4  # names in front of a note, before they are counted
Groups = Mapping[str, Sequence[str]]


def figure(value: float | None, interval: Sequence[float | None] | None = None, digits: int = 3) -> str:
    """A figure, with its interval where it has one."""
    if value is None:
        return MISSING
    text = f"{value:.{digits}f}"
    if not interval or interval[0] is None or interval[1] is None:
        return text
    return f"{text} [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def cell(estimate: Estimate, digits: int = 3) -> str:
    """``figure`` of a value."""
    return figure(estimate.value, estimate.interval, digits)


def say(console: Console, line: str, style: str | None = None) -> None:
    """A sentence: wrapped between words on a terminal, one line where it is piped."""
    line = shown(line)
    if not console.is_terminal:
        console.print(Text(line), soft_wrap=True)
        return
    for part in _wrap(line, console.width):
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
    titles = [(group, title) for group, within in columns.items() for title in within]
    cells = [list(map(shown, column)) for column in zip(*rows, strict=True)] or [[] for _ in range(len(titles) + 1)]
    named = (name, cells[0])
    below = [max(map(len, column), default=0) for column in cells[1:]]
    whole = [[" ".join(filter(None, title))] for title in titles]
    room = console.width - max(map(len, [name, *cells[0]]))
    layouts = [whole, *([_wrapped(title, max(own, most)) for title, own in zip(titles, below, strict=True)]
                        for most in _TITLES)]  # fmt: skip
    for heads in layouts:
        widths = [max([own, *map(len, head)]) for head, own in zip(heads, below, strict=True)]
        if not console.is_terminal or sum(widths) + _GAP * len(widths) <= room:
            _print_block(console, named, heads, cells[1:], widths)
            return
    heads = layouts[1]
    widths = [max([own, *map(len, head)]) for head, own in zip(heads, below, strict=True)]
    if _GAP + max(widths, default=0) > room:
        _print_list(console, [head for (head,) in whole], rows)
        return
    for place, block in enumerate(_blocks(columns, widths, room)):
        if place:
            console.print()
        figures = [cells[k + 1] for k in block]
        _print_block(console, named, [heads[k] for k in block], figures, [widths[k] for k in block])


def _wrapped(title: tuple[str, str], width: int) -> list[str]:
    """A title in lines, its group's name first; a number keeps its unit."""
    return [line.replace(_HARD, " ") for part in title for line in _wrap(part.replace(" %", f"{_HARD}%"), width)]


def _wrap(text: str, width: int, first: str = "", later: str = "") -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=later, break_long_words=False, break_on_hyphens=False
    )


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
    console: Console,
    named: tuple[str, Sequence[str]],
    heads: Sequence[Sequence[str]],
    columns: Sequence[Sequence[str]],
    widths: Sequence[int],
) -> None:
    """Columns side by side, titles at the bottom of their lines; ``named`` is the title and the names of the rows."""
    name, names = named
    first, gap, height = max(map(len, [name, *names])), " " * _GAP, max(map(len, heads), default=1)
    raised = [[""] * (height - len(head)) + list(head) for head in ([name], *heads)]
    for parts in zip(*raised, strict=True):
        line = gap.join([parts[0].ljust(first), *map(str.rjust, parts[1:], widths)])
        console.print(Text(line.rstrip(), "bold"), soft_wrap=True)
    for row, *parts in zip(names, *columns, strict=True):
        console.print(Text(gap.join([row.ljust(first), *map(str.rjust, parts, widths)])), soft_wrap=True)


def _print_list(console: Console, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Each row by itself, a figure a line."""
    for name, *cells in rows:
        console.print(Text(name, "bold"), soft_wrap=True)
        for title, cell in zip(titles, cells, strict=True):
            whole = cell.replace(" ", _HARD) if len(cell) <= console.width - 4 else cell
            for line in _wrap(f"{title}: {whole}", console.width, "  ", "    "):
                console.print(Text(line.replace(_HARD, " ")), soft_wrap=True)


def print_notes(console: Console, notes: Sequence[str]) -> None:
    """Notes, grouped as ``grouped`` does."""
    for note in grouped(notes):
        say(console, f"note: {note}")


def grouped(notes: Sequence[str]) -> list[str]:
    """Notes for reading: those that differ in their attacks and numbers alone are one, and so are all on null figures.

    ``results.json`` holds each by itself.
    """
    alike: dict[tuple[str, ...], list[Note]] = {}
    for each in map(as_note, notes):
        alike.setdefault(each.words, []).append(each)
    merged = [_merged(each) for each in alike.values()]
    null = [each for each in merged if each.null]
    told = [_named(each) for each in merged if not each.null]
    if null and all(set(each.about) == set(null[0].about) for each in null):
        return [*told, _named(Note((" ".join(_sentence(each) for each in null),), about=null[0].about))]
    return [*told, *([" ".join(map(_named, null))] if null else [])]


def _merged(alike: Sequence[Note]) -> Note:
    """Notes of the same words as one: up to three numbers side by side, more as a range."""
    first, about = alike[0], tuple(dict.fromkeys(name for each in alike for name in each.about))
    numbers = tuple(_span(list(dict.fromkeys(each))) for each in zip(*(each.numbers for each in alike), strict=True))
    return Note(first.words, numbers, about, first.null, first.several)


def _sentence(note: Note) -> str:
    """A note without its names."""
    words = note.several if note.several is not None and len(note.about) > 1 else note.words
    return Note(words, note.numbers)


def _named(note: Note) -> str:
    """A note with its names, counted where they are many."""
    names: Sequence[str] = ["all attacks"] if "all attacks" in note.about else note.about
    if len(names) > _LISTED:
        names = [names[0], f"{names[1]} and {len(names) - 2} more"]
    return f"{', '.join(names)}{note.apart}{_sentence(note)}" if names else _sentence(note)


def _span(numbers: list[str]) -> str:
    if len(numbers) <= 3:
        return ", ".join(numbers)  # as they came: the first of one belongs to the first of the other
    ascending = sorted(numbers, key=float)
    return f"{ascending[0]} to {ascending[-1]}"
