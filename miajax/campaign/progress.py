"""What a person sees while models train."""

import sys
import textwrap
import time
from typing import Protocol, runtime_checkable

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from miajax.runs.mounts import shown


@runtime_checkable
class Reporter(Protocol):
    """Listens to a campaign: a protocol of three methods, which any object may have.

    Example:
      >>> class Lines:
      ...     def say(self, line):
      ...         print(line)
      ...     def advance(self, done, total, loss, accuracy):
      ...         print(f"{done:.0f} of {total} models, loss {loss:.2f}")
      ...     def close(self):
      ...         print("trained")
      >>> isinstance(Lines(), Reporter)
      True
    """

    def say(self, line: str) -> None:
        """One line of news."""

    def advance(self, done: float, total: int, loss: float, accuracy: float) -> None:
        """``done`` of ``total`` models are trained (parts count); loss and accuracy of the group in training."""

    def close(self) -> None:
        """The campaign's training is over."""


def remaining(done: float, left: float, seconds: float) -> tuple[float, str]:
    """Models a second, and the time that the models left will take, as people say it; 0 and a dash before the first.

    Args:
      done: models trained since ``seconds`` began to count; parts count.
      left: models still to train.
      seconds: spent on those done.
    """
    if done <= 0:
        return 0.0, "-"
    speed = done / max(seconds, 1e-9)
    wait = left / speed
    return speed, f"{wait:.0f} s" if wait < 120 else f"{wait / 60:.0f} min" if wait < 7200 else f"{wait / 3600:.1f} h"


class Pace:
    """How fast models of one campaign are trained, counted from when it is first asked."""

    def __init__(self):
        self._begun: tuple[float, float] | None = None

    def __call__(self, done: float, total: int) -> tuple[float, str]:
        """As ``remaining``."""
        now = time.perf_counter()
        self._begun = self._begun or (now, done)
        return remaining(done - self._begun[1], total - done, now - self._begun[0])


class Silent:
    """Says nothing: for library use."""

    def say(self, line: str) -> None:
        pass

    def advance(self, done: float, total: int, loss: float, accuracy: float) -> None:
        pass

    def close(self) -> None:
        pass


class Terminal:
    """A bar on a terminal; elsewhere a line now and then.

    Args:
      interval: least seconds between two lines where there is no terminal.
    """

    def __init__(self, interval: float = 10.0):
        self.console = Console(stderr=True, highlight=False)
        self.interval = interval
        self._pace = Pace()
        self._last_line = 0.0
        self._bar: Progress | None = None
        self._task = None

    def say(self, line: str) -> None:
        line = shown(line)
        width = self.console.width if self.console.is_terminal else len(line) + 1
        for part in textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [line]:
            self.console.print(part, markup=False, soft_wrap=True)

    def advance(self, done: float, total: int, loss: float, accuracy: float) -> None:
        speed, left = self._pace(done, total)
        figures = f"{speed:.3g} models/s, {left} left, loss {loss:.4f}, training accuracy {accuracy:.4f}"
        if self.console.is_terminal:
            if self._bar is None:
                self._bar = Progress(
                    TextColumn("{task.completed:.0f}/{task.total:.0f} models"),
                    BarColumn(),
                    TextColumn("{task.description}"),
                    console=self.console,
                    transient=True,
                )
                self._bar.start()
                self._task = self._bar.add_task("", total=total)
            assert self._task is not None
            self._bar.update(self._task, completed=done, description=figures)
        elif time.perf_counter() - self._last_line > self.interval or done >= total:
            self._last_line = time.perf_counter()
            print(f"{done:.0f}/{total} models, {figures}", file=sys.stderr, flush=True)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        self._pace, self._last_line = Pace(), 0.0  # the next campaign's speed is its own
