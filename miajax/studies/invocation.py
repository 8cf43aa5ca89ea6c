"""How a study was called, and where its seconds went."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from miajax.described import described
from miajax.metrics.json_form import to_json
from miajax.studies.results import Found
from miajax.studies.written import write_results
from miajax.warned import told

if TYPE_CHECKING:
    from miajax.campaign.gathered import Timing

What = TypeVar("What", bound=Found)


@described
@dataclasses.dataclass(frozen=True)
class PageFiles:
    """What is written beside the page of a report."""

    pdf: bool = False
    """print the report as report.pdf, too: by Chromium where it is there, else by WeasyPrint (extra pdf)"""
    vector: bool = False
    """write every figure of the report as SVG and PDF, too, into figures/ beside it"""

    def check(self) -> None:
        """Before anything is done for a report that could not be printed.

        Raises:
          UserError: nothing here prints.
        """
        if self.pdf:
            from miajax.report.pdf import printer

            printer()


@dataclasses.dataclass
class Invocation:
    """One call of a study.

    Attributes:
      command: how to reproduce it, for the report.
      import_s: seconds that imports took, for the record.
      begun: ``time.perf_counter()`` when the work began.
      typed: names of the flags that were typed; none from code.
      files: what is written beside every page.
      beside: what was, by kind.
    """

    command: str = ""
    import_s: float = 0.0
    begun: float = dataclasses.field(default_factory=time.perf_counter)
    typed: frozenset[str] = frozenset()
    files: PageFiles = PageFiles()
    beside: dict[str, Path] = dataclasses.field(default_factory=dict[str, Path])
    _spent: dict[str, float] = dataclasses.field(default_factory=dict[str, float])

    @contextlib.contextmanager
    def timed(self, part: str) -> Generator[None, None, None]:
        """Counts the seconds of a block under ``<part>_s``."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._spent[part] = self._spent.get(part, 0.0) + time.perf_counter() - begin

    @contextlib.contextmanager
    def reporting(
        self, folder: Path, results: dict[str, Any], campaigns: Sequence["Timing"] = (), *, study: str
    ) -> Generator[None, None, None]:
        """Around the writing of a report: ``results`` gets its ``timing``, and ``results.json`` follows the report.

        What libraries warned of so far joins the ``notes``.

        Args:
          folder: where ``results.json`` belongs.
          results: what it will hold; the timing is there when the report is written, and completed after it.
          campaigns: what was trained for it.
          study: its name in ``results.json``.

        Raises:
          UserError: ``--pdf`` was asked for and the page could not be printed; everything else is written then.
        """
        results["timing"] = self.timing(*campaigns)
        results["notes"] = [*results.get("notes", ()), *told()]
        with self.timed("report"), self.drawing(folder):
            yield
        results["timing"] = self.timing(*campaigns)
        write_results(study, folder, results)
        self.print_page(folder)

    @contextlib.contextmanager
    def drawing(self, folder: Path) -> Generator[None, None, None]:
        """Around the drawing of a page: with ``--vector`` its figures become files of their own."""
        if not self.files.vector:
            yield
            return
        from miajax.report.vectors import vector_figures

        with vector_figures(folder / "figures"):
            yield
        if (folder / "figures").is_dir():  # a page may hold none
            self.beside["figures"] = folder / "figures"

    def print_page(self, folder: Path) -> None:
        """With ``--pdf`` prints the page that lies in a folder; last, so that nothing is lost where that fails.

        Raises:
          UserError: it could not be printed.
        """
        if self.files.pdf:
            from miajax.report.pdf import write_pdf

            write_pdf(folder / "report.html", folder / "report.pdf")
            self.beside["pdf"] = folder / "report.pdf"

    def finished(
        self,
        study: str,
        folder: Path,
        found: What,
        report: Callable[[What], None],
        campaigns: Sequence["Timing"] = (),
    ) -> What:
        """Has the report written, then ``results.json``, and returns what was found with its ``timing`` in full.

        What libraries warned of so far joins the ``notes``.

        Args:
          study: its name in ``results.json``.
          folder: where ``results.json`` belongs.
          found: without ``timing``.
          report: writes everything else; the timing that it sees lacks its own seconds.
          campaigns: what was trained for it.
        """
        notes = (*found.notes, *told())
        with self.timed("report"), self.drawing(folder):
            report(dataclasses.replace(found, timing=self.timing(*campaigns), notes=notes))
        found = dataclasses.replace(found, timing=self.timing(*campaigns), notes=notes)
        write_results(study, folder, to_json(found))
        self.print_page(folder)
        return found

    def timing(self, *campaigns: "Timing") -> dict[str, float]:
        """``timing`` of ``results.json``: seconds by what they were spent on so far, and in all."""
        spent_there = [dataclasses.asdict(campaign) for campaign in campaigns]
        trained = {part: sum(each[part] for each in spent_there) for part in (spent_there[0] if spent_there else ())}
        spent = {f"{part}_s": seconds for part, seconds in self._spent.items()}
        return {"import_s": self.import_s, **trained, **spent, "total_s": time.perf_counter() - self.begun}
