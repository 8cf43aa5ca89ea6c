"""Figures of a report as files of their own: SVG and PDF, named by where they stand on the page.

``plots.figure_to_data_uri`` offers every figure that it draws, ``Page.html`` says where each stands. Outside of
``vector_figures`` neither costs anything.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from miajax.runs.atomic import atomic_file

FORMATS = ("svg", "pdf")


@dataclasses.dataclass
class _Kept:
    """Figures drawn, by their ``data:`` URI, and their names on the page."""

    drawn: dict[str, dict[str, bytes]] = dataclasses.field(default_factory=dict[str, dict[str, bytes]])
    named: dict[str, str] = dataclasses.field(default_factory=dict[str, str])


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
    for name, uri in kept.named.items():
        for format, content in kept.drawn[uri].items():
            with atomic_file(folder / f"{name}.{format}") as file:
                file.write(content)


def offer(uri: str, drawn_as: Callable[[str], bytes]) -> None:
    """Keeps a figure, where figures are asked for.

    Args:
      uri: as which the page shows it.
      drawn_as: the figure as a file of one of ``FORMATS``.
    """
    if _kept:
        of_all = {format: drawn_as(format) for format in FORMATS}
        for kept in _kept:
            kept.drawn[uri] = of_all


def place(names: Callable[[], Iterator[tuple[str, str]]]) -> None:
    """Says where figures stand.

    Args:
      names: ``(name, URI)`` of every figure of a page, in its order; asked only where figures are.
    """
    for kept in _kept:
        for name, uri in names():
            if uri in kept.drawn:
                kept.named[f"{len(kept.named) + 1:02d}-{name}"] = uri
