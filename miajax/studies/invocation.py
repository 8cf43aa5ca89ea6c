"""How a study was called, and where its seconds went."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from miajax.metrics.json_form import to_json
from miajax.studies.written import write_results
from miajax.warned import told

if TYPE_CHECKING:
    from miajax.campaign.run import Timing
    from miajax.studies.results import Found

What = TypeVar("What", bound="Found")


@dataclasses.dataclass
class Invocation:
    """One call of a study.

    Attributes:
      command: how to reproduce it, for the report.
      import_s: seconds that imports took, for the record.
      begun: ``time.perf_counter()`` when the work began.
      typed: names of the flags that were typed; none from code.
    """

    command: str = ""
    import_s: float = 0.0
    begun: float = dataclasses.field(default_factory=time.perf_counter)
    typed: frozenset[str] = frozenset()
    _spent: dict[str, float] = dataclasses.field(default_factory=dict)

    @contextlib.contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Counts the seconds of a block under ``<part>_s``."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._spent[part] = self._spent.get(part, 0.0) + time.perf_counter() - begin

    @contextlib.contextmanager
    def reporting(
        self, folder: Path, results: dict[str, Any], campaigns: Sequence["Timing"] = (), *, study: str
    ) -> Iterator[None]:
        """Around the writing of a report: ``results`` gets its ``timing``, and ``results.json`` follows the report.

        What libraries warned of so far joins the ``notes``.

        Args:
          folder: where ``results.json`` belongs.
          results: what it will hold; the timing is there when the report is written, and completed after it.
          campaigns: what was trained for it.
          study: its name in ``results.json``.
        """
        results["timing"] = self.timing(*campaigns)
        results["notes"] = [*results.get("notes", ()), *told()]
        with self.timed("report"):
            yield
        results["timing"] = self.timing(*campaigns)
        write_results(study, folder, results)

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
        with self.timed("report"):
            report(dataclasses.replace(found, timing=self.timing(*campaigns), notes=notes))
        found = dataclasses.replace(found, timing=self.timing(*campaigns), notes=notes)
        write_results(study, folder, to_json(found))
        return found

    def timing(self, *campaigns: "Timing") -> dict[str, float]:
        """``timing`` of ``results.json``: seconds by what they were spent on so far, and in all."""
        spent_there = [dataclasses.asdict(campaign) for campaign in campaigns]
        trained = {part: sum(each[part] for each in spent_there) for part in (spent_there[0] if spent_there else ())}
        spent = {f"{part}_s": seconds for part, seconds in self._spent.items()}
        return {"import_s": self.import_s, **trained, **spent, "total_s": time.perf_counter() - self.begun}
