"""One self-contained HTML page from findings, figures and tables; it knows nothing of any experiment.

A page is a tree of frozen blocks; ``Page.html()`` renders it. Styles and pictures are inline, there is no script, and
nothing is requested from anywhere, so the file can be mailed, archived and printed. All text is escaped: names of data
sets, classes and files come from users.
"""

import base64
import dataclasses
import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import jinja2
from markupsafe import Markup

from miajax.report import numbers, palette, vectors
from miajax.report.numbers import Estimate

Cell = str | int | float | Estimate | None
_SHORT = 8  # rows of a table that is not cut on paper
_HALF_PAGE = 440  # points that a figure for half a page is drawn in at most
_WIDEST = 11  # columns of a table that fit a sheet
_FORMATS = {"number": numbers.rate, "count": numbers.count, "seconds": numbers.seconds, "share": numbers.percent}


@dataclasses.dataclass(frozen=True)
class Figure:
    """A picture with what it shows.

    Attributes:
      uri: the picture as a ``data:`` URI.
      alt: what a reader who cannot see it should know.
      caption: what it shows and what it rests on.
      title: a short heading over it.
    """

    kind: ClassVar[str] = "figure"
    uri: str
    alt: str
    caption: str
    title: str = ""

    def __post_init__(self):
        if not self.uri.startswith("data:image/"):
            raise ValueError(f"a figure's picture must be inline (a data:image/ URI), got {self.uri[:40]!r}")

    @property
    def wide(self) -> bool:
        """Whether it is drawn for the whole width of a page: on a phone its text would be too small."""
        return drawn_width(self.uri) > _HALF_PAGE


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
      title: its heading.
      kind: ``text``, ``code``, ``number`` (fraction or ``Estimate``), ``count``, ``seconds`` or ``share`` (per cent).
      hint: a second, smaller line of the heading.
    """

    title: str
    kind: str = "text"
    hint: str = ""

    @property
    def label(self) -> str:
        """The whole heading on one line."""
        return f"{self.title} {self.hint}".strip()


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows under typed columns; a missing value is a dash whose reason stands in a footnote.

    Attributes:
      columns: as many as every row has cells.
      rows: cells: text, numbers, ``Estimate`` or None.
      caption: what the table shows.
      emphasis: indices of the rows to set in bold.
    """

    kind: ClassVar[str] = "table"
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""
    emphasis: Sequence[int] = ()

    def __post_init__(self):
        widths = {len(row) for row in self.rows} - {len(self.columns)}
        if widths:
            raise ValueError(f"the table has {len(self.columns)} columns but rows of {sorted(widths)} cells")

    @functools.cached_property
    def reasons(self) -> tuple[str, ...]:
        """Why cells are empty: each reason once, in order of appearance."""
        cells = (cell for row in self.rows for cell in row)
        return tuple(dict.fromkeys(c.reason for c in cells if isinstance(c, Estimate) and c.value is None and c.reason))

    @property
    def short(self) -> bool:
        """Whether paper can keep it on one sheet without leaving much of another empty."""
        text = sum(len(part) for _, cells in self.printed_rows() for _, *parts in cells for part in parts)
        return len(self.rows) <= _SHORT and text <= 100 * _SHORT

    def parts(self) -> "list[Table]":
        """Tables of as many columns as fit a sheet of paper: the first column is repeated with each group of others."""
        if len(self.columns) <= _WIDEST:
            return [self]
        groups = -(-(len(self.columns) - 1) // (_WIDEST - 1))
        size = -(-(len(self.columns) - 1) // groups)
        found: list[Table] = []
        for start in range(1, len(self.columns), size):
            kept = [0, *range(start, min(start + size, len(self.columns)))]
            rows = [[row[k] for k in kept] for row in self.rows]
            part = Table([self.columns[k] for k in kept], rows, emphasis=self.emphasis)
            part.__dict__["reasons"] = self.reasons  # footnotes are those of the whole
            found.append(part)
        return found

    def printed_rows(self) -> Iterator[tuple[bool, list[tuple[str, str, str, str]]]]:
        """Of each row: whether it is set in bold; of each cell: column kind, text, interval, footnote mark."""
        for index, row in enumerate(self.rows):
            pairs = zip(self.columns, row, strict=True)
            yield index in self.emphasis, [(column.kind, *self._printed(column, cell)) for column, cell in pairs]

    def _printed(self, column: Column, cell: Cell) -> tuple[str, str, str]:
        if isinstance(cell, Estimate):
            mark = footnote_mark(self.reasons.index(cell.reason)) if cell.reason in self.reasons else ""
            return cell.number, cell.interval_text, mark
        if cell is None:
            return numbers.DASH, "", ""
        return (cell if isinstance(cell, str) else _FORMATS.get(column.kind, str)(cell)), "", ""


def footnote_mark(index: int) -> str:
    """a, b, … z, aa, ab, …"""
    mark = ""
    while index >= 0:
        mark = chr(ord("a") + index % 26) + mark
        index = index // 26 - 1
    return mark


@dataclasses.dataclass(frozen=True)
class Card:
    """A key figure: its name, its value, its interval, and what to compare it with."""

    label: str
    value: str
    interval: str = ""
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Cards:
    """Key figures side by side."""

    kind: ClassVar[str] = "cards"
    cards: Sequence[Card]


@dataclasses.dataclass(frozen=True)
class Prose:
    """Paragraphs; ``Markup`` passes through unescaped (for links), everything else is escaped."""

    kind: ClassVar[str] = "prose"
    paragraphs: Sequence[str | Markup]


@dataclasses.dataclass(frozen=True)
class Points:
    """A bulleted list under an optional heading."""

    kind: ClassVar[str] = "points"
    items: Sequence[str | Markup]
    title: str = ""


@dataclasses.dataclass(frozen=True)
class Terms:
    """Names and what they mean or are set to."""

    kind: ClassVar[str] = "terms"
    pairs: Sequence[tuple[str, str | Markup]]


@dataclasses.dataclass(frozen=True)
class Sign:
    """Fields to fill in or to sign, each over a line; an empty value leaves the line blank."""

    kind: ClassVar[str] = "sign"
    fields: Sequence[tuple[str, str]]


@dataclasses.dataclass(frozen=True)
class Code:
    """Text to copy: a command, a citation, JSON."""

    kind: ClassVar[str] = "code"
    text: str


@dataclasses.dataclass(frozen=True)
class Exhibit:
    """One example in a gallery.

    Attributes:
      title: its name.
      lines: what is known of it, one short line each.
      pictures: ``(data URI, alternative text)`` of the example itself: one, or several for overlays.
      chart: ``(data URI, alternative text)`` of a small chart below, or None.
    """

    title: str
    lines: Sequence[str] = ()
    pictures: Sequence[tuple[str, str]] = ()
    chart: tuple[str, str] | None = None


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Examples side by side under a heading; ``key`` names the colours of their charts."""

    kind: ClassVar[str] = "gallery"
    exhibits: Sequence[Exhibit]
    title: str = ""
    caption: str = ""
    key: Sequence[tuple[str, str]] = ()


@dataclasses.dataclass(frozen=True)
class Columns:
    """Blocks side by side on a wide page, below one another on a narrow one."""

    kind: ClassVar[str] = "columns"
    blocks: Sequence["Block"]


@dataclasses.dataclass(frozen=True)
class Stack:
    """Blocks below one another, as one column."""

    kind: ClassVar[str] = "stack"
    blocks: Sequence["Block"]


@dataclasses.dataclass(frozen=True)
class Details:
    """Blocks behind a summary that unfolds; paper shows them unfolded."""

    kind: ClassVar[str] = "details"
    summary: str
    blocks: Sequence["Block"]


Block = Figure | Table | Cards | Prose | Points | Terms | Sign | Code | Gallery | Columns | Stack | Details


@dataclasses.dataclass(frozen=True)
class Section:
    """A finding, its evidence and its limits.

    Attributes:
      topic: a word or two, for the contents.
      finding: what was found, as a sentence.
      blocks: the evidence.
      limits: what the evidence does not show.
    """

    topic: str
    finding: str
    blocks: Sequence[Block]
    limits: Sequence[str] = ()

    @property
    def anchor(self) -> str:
        """The topic as a fragment identifier."""
        return slug(self.topic)


@dataclasses.dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
      kicker: what kind of report it is.
      title, subtitle: what it says.
      facts: a few names and values that identify what was measured.
      banners: what must be known before reading on.
      sections: the first stands before the table of contents.
      footer: one line at the end.
    """

    kicker: str
    title: str
    subtitle: str
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    banners: Sequence[str | Markup] = ()
    footer: str = ""

    def html(self) -> str:
        """The whole page as one HTML document."""
        vectors.place(self._figures)
        return (
            _environment()
            .get_template("page.html")
            .render(
                page=self,
                palette=palette.PAGE,
                dark=palette.PAGE_DARK,
                mark=footnote_mark,
                running=css_text(f"{self.kicker} · {self.title}"),
            )
        )

    def _figures(self) -> Iterator[tuple[str, str]]:
        """Of every picture, a name made of its section and its titles, and the picture."""
        for section in self.sections:
            for title, uri in _figures_in(section.blocks):
                yield slug(f"{section.topic} {title}"), uri


def _figures_in(blocks: "Sequence[Block]") -> Iterator[tuple[str, str]]:
    for block in blocks:
        if isinstance(block, Figure):
            yield block.title, block.uri
        elif isinstance(block, Gallery):
            for exhibit in block.exhibits:
                title = f"{block.title} {exhibit.title}"
                yield from ((f"{title} picture", uri) for uri, _ in exhibit.pictures)
                if exhibit.chart:
                    yield title, exhibit.chart[0]
        elif isinstance(block, Columns | Stack | Details):
            yield from _figures_in(block.blocks)


def drawn_width(uri: str) -> float:
    """How wide a figure is drawn, in points; 0 for pictures of pixels."""
    kind, _, content = uri.partition(",")
    if "svg" not in kind:
        return 0.0
    found = re.search(rb'viewBox="0 0 ([\d.]+) ', base64.b64decode(content[:2000]))
    return float(found[1]) if found else 0.0


def dark_of(colour: str) -> str:
    """What a colour becomes on a dark page; itself where it is no colour of ours."""
    return palette.DARK.get(colour, colour)


def css_text(text: str) -> Markup:
    """Text as a string of CSS, whatever it holds; it can end neither the string nor the style sheet."""
    escaped = (c if c.isalnum() or c in " .,:;-·()" else f"\\{ord(c):06x}" for c in text[:120])
    return Markup('"' + "".join(escaped) + '"')


def slug(text: str) -> str:
    """Text as a fragment identifier or a file name: small letters, digits, hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("miajax.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    untyped: Any = environment
    untyped.globals["dark_of"] = dark_of
    return environment
