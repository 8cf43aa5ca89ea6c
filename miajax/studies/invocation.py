"""How a study was called, and where its seconds went."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from miajax.studies.campaign import Timing


@dataclasses.dataclass
class Invocation:
    """One call of a study.

    Attributes:
      command: how to reproduce it, for the report.
      import_s: seconds that imports took, for the record.
      begun: ``time.perf_counter()`` when the work began.
    """

    command: str = ""
    import_s: float = 0.0
    begun: float = dataclasses.field(default_factory=time.perf_counter)
    _spent: dict[str, float] = dataclasses.field(default_factory=dict)

    @contextlib.contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Counts the seconds of a block under ``<part>_s``."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._spent[part] = self._spent.get(part, 0.0) + time.perf_counter() - begin

    def timing(self, campaign: "Timing | None" = None) -> dict[str, float]:
        """``timing`` of ``results.json``: seconds by what they were spent on so far, and in all."""
        trained = {} if campaign is None else dataclasses.asdict(campaign)
        spent = {f"{part}_s": seconds for part, seconds in self._spent.items()}
        return {"import_s": self.import_s, **trained, **spent, "total_s": time.perf_counter() - self.begun}
