"""Figures of a report that stands on disk, for a page that shows them again: as they are, with what is said of them."""

import dataclasses
from html.parser import HTMLParser
from pathlib import Path

from miajax.parsing import parsing
from miajax.report import vectors
from miajax.report.page import Figure


@dataclasses.dataclass(frozen=True)
class Excerpt:
    """One figure of a report.

    Attributes:
      section: the anchor of the section that it stands in.
      figure: to show again; its address leads to the same picture.
    """

    section: str
    figure: Figure


def figures_of(report: Path) -> list[Excerpt]:
    """The figures of a page in its order, pictures of examples left out; none where there is no such page.

    Those that were kept as files beside the page are offered to ``vectors`` again.

    Args:
      report: ``report.html``.

    Raises:
      UserError: it is no page.
    """
    if not report.is_file():
        return []
    reader = _Reader()
    with parsing(str(report), expected="a page as miajax wrote it", remedy="Delete it and run the same command again"):
        reader.feed(report.read_text(encoding="utf-8"))
        reader.close()
        _ = [each.figure.wide for _, each in reader.found]  # which the new page asks: pictures that are none fail here
    for number, each in reader.found:
        found = {kind: _kept(report, number, reader.pictures, kind) for kind in vectors.FORMATS}
        kept = {kind: file for kind, file in found.items() if file is not None}
        if len(kept) == len(found):
            vectors.offer(each.figure.uri, lambda kind, kept=kept: kept[kind].read_bytes())
    return [each for _, each in reader.found]


def _kept(report: Path, number: int, pictures: int, kind: str) -> Path | None:
    """The file of a page's n-th picture, as ``vectors.vector_figures`` names it."""
    width = max(2, len(str(pictures)))
    return next(iter(sorted((report.parent / "figures").glob(f"{number:0{width}d}-*.{kind}"))), None)


class _Reader(HTMLParser):
    """Finds figures in a page of ours, and counts its pictures."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, Excerpt]] = []
        self.pictures = 0
        self._section, self._within = "", ""
        self._image: dict[str, str] = {}
        self._texts = {"h3": "", "figcaption": ""}
        self._in_figure = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        if tag == "section":
            self._section = of.get("id", "")
        elif tag == "figure":
            self._in_figure, self._image = True, {}
            self._texts = {"h3": "", "figcaption": ""}
        elif tag == "img":
            self.pictures += 1
            if self._in_figure:
                self._image = {**of, "number": str(self.pictures)}
        if tag in self._texts:
            self._within = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._within:
            self._within = ""
        if tag == "figure" and self._image.get("src", "").startswith("data:image/"):  # nothing that lies elsewhere
            title, caption = (" ".join(self._texts[name].split()) for name in ("h3", "figcaption"))
            figure = Figure(self._image["src"], self._image.get("alt", ""), caption, title)
            self.found.append((int(self._image["number"]), Excerpt(self._section, figure)))
            self._in_figure = False

    def handle_data(self, data: str) -> None:
        if self._in_figure and self._within:
            self._texts[self._within] += data
