"""What a campaign said, in its own folder: who comes back to a run days later reads what happened, and when."""

import contextlib
import datetime
import os
import socket
import time
from pathlib import Path

from miajax.campaign.progress import Reporter
from miajax.runs.mounts import mirror_of
from miajax.runs.names import path_name

LOG_FILE = "run.log"


def log_file(run: Path) -> str:
    """The log's name in a run folder: in a store, where nothing is appended to, every process has one of its own."""
    return LOG_FILE if mirror_of(run) is None else f"run-{path_name(socket.gethostname())}-{os.getpid()}.log"


_PROGRESS_SECONDS = 60.0


class Logged:
    """Tells a reporter what it is told, and appends it to a file, a line each with its time and process.

    A line that cannot be written is lost: a log is no reason to end a run.

    Args:
      reporter: that listens.
      path: of the file.
    """

    def __init__(self, reporter: Reporter, path: Path):
        self._reporter, self._path = reporter, path
        self._next = time.monotonic() + _PROGRESS_SECONDS

    def say(self, line: str) -> None:
        self.note(line)
        self._reporter.say(line)

    def advance(self, done: float, total: int, loss: float, accuracy: float) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _PROGRESS_SECONDS
            self.note(f"{done:.1f} of {total} models, loss {loss:.4f}, training accuracy {accuracy:.4f}")
        self._reporter.advance(done, total, loss, accuracy)

    def close(self) -> None:
        self._reporter.close()

    def note(self, line: str) -> None:
        """A line for the file alone."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        text = f"{now} {os.getpid()} {' '.join(line.split())}\n"
        with (
            contextlib.suppress(OSError),
            self._path.open("a", encoding="utf-8", errors="backslashreplace") as file,
        ):
            file.write(text)  # one write of a file that is appended to: processes do not mix their lines
