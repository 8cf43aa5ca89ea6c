"""A report as PDF: printed by Chromium where it is there, else by WeasyPrint (extra ``pdf``).

Both print the page's own style for paper: A4, page numbers, headings with their content. Nothing is requested from
anywhere: a page holds all that it shows.
"""

import importlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from miajax.errors import UserError
from miajax.runs.atomic import atomic_file

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_SECONDS = 600  # the longest reports hold hundreds of pictures

Printer = Callable[[Path], bytes]


def printer() -> Printer:
    """What prints a page here: Chromium or one of its kin, else WeasyPrint.

    Raises:
      UserError: neither is there.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is not None:
        return lambda page: _by_browser(browser, page)
    if importlib.util.find_spec("weasyprint") is not None:
        return _by_weasyprint
    raise UserError(
        "--pdf: nothing here prints a page",
        expected="Chromium or Chrome on the PATH, or WeasyPrint",
        remedy="Install Chromium, or pip install 'miajax[pdf]'; or print report.html from any browser",
    )


def write_pdf(page: Path, file: Path) -> None:
    """Prints a page of HTML.

    Args:
      page: to print.
      file: to write.

    Raises:
      UserError: nothing here prints, or what prints failed; the page itself is as it was.
    """
    content = printer()(page)
    with atomic_file(file) as opened:
        opened.write(content)


def _by_browser(browser: str, page: Path) -> bytes:
    with tempfile.TemporaryDirectory(prefix="miajax-pdf-") as folder:
        printed = Path(folder) / "page.pdf"
        flags = [
            "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--no-pdf-header-footer", f"--user-data-dir={Path(folder) / 'profile'}",
            f"--print-to-pdf={printed}",
        ]  # fmt: skip
        if hasattr(os, "geteuid") and os.geteuid() == 0:  # it refuses to start for root otherwise
            flags.append("--no-sandbox")
        command = [browser, *flags, page.resolve().as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _failed(page, browser, str(error).splitlines()[0]) from error
        if not printed.is_file():
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise _failed(page, browser, said[-1][-200:] if said else f"exit status {done.returncode}")
        return printed.read_bytes()


def _by_weasyprint(page: Path) -> bytes:
    try:
        weasyprint: Any = importlib.import_module("weasyprint")  # of the extra pdf
        content: bytes = weasyprint.HTML(filename=str(page)).write_pdf()
        return content
    except Exception as error:  # of libraries of the system that it loads, or of the page
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise _failed(page, "WeasyPrint", said[0][:200]) from error


def _failed(page: Path, what: str, why: str) -> UserError:
    return UserError(
        f"--pdf: {what} could not print {page} ({why})",
        remedy="The report itself is written; print it from any browser",
    )
