"""What tests ask of a page: its tags balanced, its text, its pictures, its tables."""

import base64
import re
from html.parser import HTMLParser

_VOID = {"meta", "img", "br", "link", "input", "hr"}


class Document(HTMLParser):
    """A parsed page.

    Attributes:
      text: everything a reader sees, with spaces normalised.
      attributes: ``(tag, name, value)`` of every attribute.
      tags: every opening tag in order.
      rows: of every table row, its cells' text.
    """

    def __init__(self, html: str):
        super().__init__()
        self.attributes: list[tuple[str, str, str | None]] = []
        self.tags: list[str] = []
        self.rows: list[list[str]] = []
        self._open: list[str] = []
        self._pieces: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, f"never closed: {self._open}"
        self.text = _plain("".join(self._pieces))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open and self._open[-1] == tag, f"</{tag}> closes {self._open[-1:]}"
        self._open.pop()

    def handle_data(self, data):
        if "style" in self._open:
            return
        self._pieces.append(data)
        if "td" in self._open or "th" in self._open:
            self.rows[-1][-1] = _plain(self.rows[-1][-1] + data)

    def pictures(self) -> list[tuple[str, bytes]]:
        """Media type and content of every picture; all must be inline."""
        found = []
        for tag, name, value in self.attributes:
            if (tag, name) == ("img", "src"):
                kind, content = re.fullmatch(r"data:(image/[a-z+]+);base64,(.+)", value or "").groups()
                found.append((kind, base64.b64decode(content, validate=True)))
        return found


def _plain(text: str) -> str:
    return re.sub(r"\s+", " ", text)
