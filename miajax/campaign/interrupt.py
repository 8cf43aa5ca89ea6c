"""Ctrl-C and SIGTERM, turned into a question that a loop asks when its state is whole."""

import contextlib
import signal
import threading
from collections.abc import Callable, Generator
from types import FrameType


class Stopped(Exception):
    """The user, or a scheduler, asked to stop; what was finished is kept."""


@contextlib.contextmanager
def asked_to_stop() -> Generator[Callable[[], bool]]:
    """Yields a function that says whether to stop. A second Ctrl-C stops at once, as usual.

    Outside the main thread, where no handler can be set, it always says no.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked = False

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, old in before.items():
            signal.signal(number, old)
