"""Ctrl-C and SIGTERM: a question that a loop asks when its state is whole, and an end that nothing can keep waiting."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator
from types import FrameType

GRACE_SECONDS = 8.0
"""How long a process that was told to end may take to come to a place where it can, before it is ended."""
TWICE_SECONDS = 2.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_TOLD = b"\nStopped at once; what was finished is kept. The same command continues from there.\n"


class Stopped(Exception):
    """The user, or a scheduler, asked to stop; what was finished is kept."""


class _Heard:
    """Whether the process has come to the place where it ends in good order."""

    yes = False


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

    def whether() -> bool:
        _Heard.yes = _Heard.yes or asked
        return asked

    before = {number: signal.signal(number, handler) for number in _SIGNALS}
    try:
        yield whether
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextlib.contextmanager
def ended_when_told() -> Generator[None]:
    """For a process of a command: Ctrl-C and SIGTERM end it soon, whatever it is at.

    Outside of ``asked_to_stop`` both raise ``KeyboardInterrupt``. Python delivers it only between two of its own
    operations: a thread beside it, woken by the system, ends a process that has not come to an end after
    `GRACE_SECONDS` (a long call of a library), or `TWICE_SECONDS` after a second signal (which may have struck amid an
    import, whose lock then stays taken). A campaign that has begun to save is given the time for it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Heard.yes = False
    read, write = os.pipe()
    os.set_blocking(write, False)
    over = threading.Event()

    def raises(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, raises) for number in _SIGNALS}
    old = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(read, over), daemon=True, name="signals").start()
    try:
        yield
    finally:
        over.set()
        signal.set_wakeup_fd(old)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(write)  # which ends the thread


def _watch(read: int, over: threading.Event) -> None:
    told = 0
    while number := os.read(read, 1):
        if number[0] not in _SIGNALS:
            continue
        told += 1
        threading.Thread(target=_end, args=(told, over), daemon=True).start()
    os.close(read)


def _end(told: int, over: threading.Event) -> None:
    if over.wait(GRACE_SECONDS if told == 1 else TWICE_SECONDS) or (told == 1 and _Heard.yes):
        return
    with contextlib.suppress(OSError):
        os.write(2, _TOLD)
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(130)
