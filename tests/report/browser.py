"""Reports in a real browser: what its console says, and which pictures it cannot show."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

_CHECK = """<script>
addEventListener("load", () => {  // by then every inline picture is decoded, or never will be
  const missing = [...document.images].filter(image => !image.complete || !image.naturalWidth);
  const named = missing.map(image => image.alt || image.src.slice(0, 60));
  document.title = "CHECKED " + JSON.stringify({pictures: document.images.length, missing: named});
});
</script>"""


def chromium() -> str:
    """The browser; skips without one."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("no Chromium found: reports are not opened in a browser")
    return browser


def opened(report: Path, folder: Path) -> tuple[int, list[str], list[str]]:
    """Pictures of a report, those that Chromium cannot show, and errors of its console; skips without Chromium."""
    browser = chromium()
    console = _run(browser, report, folder)[1]
    # The report forbids scripts; the copy that asks for its pictures allows this one.
    probed = folder / "probed.html"
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", report.read_text())
    probed.write_text(html.replace("</body>", _CHECK + "</body>"))
    found = re.search(r"<title>CHECKED (.*?)</title>", _run(browser, probed, folder)[0])
    assert found, "the report did not load"
    seen = json.loads(found.group(1).replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
    errors = [line for line in console.splitlines() if "CONSOLE" in line]
    return seen["pictures"], seen["missing"], errors


def _run(browser: str, page: Path, folder: Path) -> tuple[str, str]:
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--virtual-time-budget=20000")
    done = subprocess.run(
        [browser, *flags, f"--user-data-dir={folder / 'profile'}", "--dump-dom", page.resolve().as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, done.stderr
