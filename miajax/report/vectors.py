"""Figures of a report as files of their own: SVG and PDF, named by where they stand on the page.

Whatever draws a picture for a page (``plots``, ``spark``, ``pictures``) offers it, ``Page.html`` says where each
stands. Outside of ``vector_figures`` neither costs anything.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from miajax.runs.atomic import atomic_file

FORMATS = ("svg", "pdf")


@dataclasses.dataclass(eq=False)
class _Kept:
    """How figures are drawn, by their ``data:`` URI, and their names, in the order of the page."""

    drawn: dict[str, Callable[[str], bytes]] = dataclasses.field(default_factory=dict[str, Callable[[str], bytes]])
    named: list[tuple[str, str]] = dataclasses.field(default_factory=list[tuple[str, str]])


_kept: list[_Kept] = []  # not bound to a thread: pages may be drawn by several


@contextlib.contextmanager
def vector_figures(folder: Path) -> Generator[None]:
    """Writes every figure of the pages rendered within as ``NN-section-title.svg`` and ``.pdf``.

    Args:
      folder: to write into; other files in it stay.
    """
    kept = _Kept()
    _kept.append(kept)
    try:
        yield
    finally:
        _kept.remove(kept)
    width = max(2, len(str(len(kept.named))))
    for number, (name, uri) in enumerate(kept.named, start=1):
        for format in FORMATS:
            with atomic_file(folder / f"{number:0{width}d}-{name}.{format}") as file:
                file.write(kept.drawn[uri](format))


def offer(uri: str, drawn_as: Callable[[str], bytes]) -> None:
    """Keeps a figure, where figures are asked for.

    Args:
      uri: as which the page shows it.
      drawn_as: the figure as a file of one of ``FORMATS``.
    """
    for kept in _kept:
        kept.drawn[uri] = drawn_as


def place(names: Callable[[], Iterator[tuple[str, str]]]) -> None:
    """Says where figures stand.

    Args:
      names: ``(name, URI)`` of every figure of a page, in its order; asked only where figures are.
    """
    for kept in _kept:
        kept.named += [(name, uri) for name, uri in names() if uri in kept.drawn]
