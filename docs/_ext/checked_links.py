"""Every link of the built site leads to a page and a place on it that exist; a build with another one fails."""

import html
import re
from pathlib import Path

from sphinx.errors import ExtensionError

LINK = re.compile(r'<a [^>]*href="([^"]+)"')
REPORT = re.compile(r'srcdoc="[^"]*"')  # a page within a page, with links of its own


def broken(site: Path) -> list[str]:
    """``page: link`` of every internal link that leads nowhere.

    Args:
      site: folder of HTML pages.
    """
    pages = {path.resolve(): REPORT.sub("", path.read_text()) for path in site.rglob("*.html")}
    places = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in pages.items()}
    found: list[str] = []
    for path, text in pages.items():
        for link in map(html.unescape, LINK.findall(text)):
            if re.match(r"[a-z]+:", link):
                continue
            file, _, place = link.partition("#")
            leads_to = (path.parent / file).resolve() if file else path
            if not leads_to.exists() or (place and leads_to in places and place not in places[leads_to]):
                found.append(f"{path.relative_to(site.resolve())}: {link}")
    return found


def check(app, failed):
    if failed is None and app.builder.name == "html" and (found := broken(Path(app.outdir))):
        raise ExtensionError("links that lead nowhere:\n" + "\n".join(found))


def setup(app):
    app.connect("build-finished", check, priority=900)  # after all files are written
    return {"parallel_read_safe": True}
