"""Pages under axe-core in a browser: what it finds, what juts out of the screen, how small letters of figures are."""

import functools
import html
import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.report.browser import chromium

_PROBE = Path(__file__).with_name("looked_at.js")
_PLACES = ("axe-core/axe.min.js", "node_modules/axe-core/axe.min.js", "package/axe.min.js")
_DARK = "--blink-settings=preferredColorScheme=0"
_SECONDS = 1500  # every page in every width, on a machine with other work


@functools.cache
def axe_core() -> str:
    """The program, from the folder ``AXE_CORE`` or the project's own; skips without it."""
    folders = [Path(folder) for folder in (os.environ.get("AXE_CORE"), Path(__file__).parents[2]) if folder]
    found = [folder / place for folder in folders for place in ("axe.min.js", *_PLACES) if (folder / place).is_file()]
    if not found:
        pytest.skip("no axe-core found (AXE_CORE names its folder; npm pack axe-core): pages are not looked at by it")
    return found[0].read_text()


def looked_at(
    pages: Mapping[str, Path], widths: Sequence[int], folder: Path, *, dark: bool
) -> dict[tuple[str, int], dict]:
    """What is seen of each page in each width, all in one start of the browser; skips without one.

    Args:
      pages: reports by name; no name ends in a number.
      widths: of the window, in pixels.
      folder: to work in.
      dark: whether the reader prefers dark.
    """
    browser, axe = chromium(), axe_core()
    # A report forbids scripts; the copy allows the one that looks at it.
    shown = {name: re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
             for name, page in pages.items()}  # fmt: skip
    constants = {"AXE": axe, "PAGES": shown, "WIDTHS": list(widths)}
    lines = [f"const {name} = {json.dumps(value)};".replace("</", "<\\/") for name, value in constants.items()]
    harness = folder / f"looked_at_{dark}.html"
    script = "\n".join([*lines, _PROBE.read_text()])
    harness.write_text(
        '<!DOCTYPE html><html style="color-scheme: light dark"><meta charset="utf-8">'
        f"<body><script>{script}</script></body></html>"
    )
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=600000", *([_DARK] if dark else [])]
    done = subprocess.run(
        [browser, *flags, f"--user-data-dir={folder / f'profile_{dark}'}", "--window-size=1300,1000", "--dump-dom",
         harness.resolve().as_uri()],
        capture_output=True, text=True, timeout=_SECONDS, check=True,
    )  # fmt: skip
    found = re.search(r'<pre id="looked-at">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the pages were not looked at: {done.stderr[-2000:]}"
    seen = json.loads(html.unescape(found[1]))
    assert "error" not in seen, seen["error"]
    return {(name.rpartition(" ")[0], int(name.rpartition(" ")[2])): each for name, each in seen.items()}
