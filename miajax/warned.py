"""What libraries warn of while figures are made, kept for the notes of the results.

A warning on standard error is gone with the terminal, and the figure that it is about stays. So every study collects
warnings (``collected_warnings``), and whoever writes its results takes them as notes (``told``). Python's warnings of
any library count, and what dp-accounting, which does not use them, logs.
"""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

from absl.logging import get_absl_logger

_HOUSEKEEPING = (
    DeprecationWarning, PendingDeprecationWarning, FutureWarning, ImportWarning, ResourceWarning, SyntaxWarning,
    BytesWarning, EncodingWarning,
)  # fmt: skip
"""About the libraries' own code and future, not about figures."""
_LONGEST = 400  # characters of a message in a note

_open: list[list[warnings.WarningMessage]] = []  # by collector, the innermost last


@contextlib.contextmanager
def collected_warnings() -> Iterator[None]:
    """Keeps what libraries warn of in the block, in any thread, for ``told``; a function's decorator as well.

    Filters stay as they are: what the user has switched off is off, and what is an error is one. At the end, whatever
    nobody took goes to the collector around this one, or is issued as it would have been; warnings about libraries'
    futures always are.
    """
    logger, listener = get_absl_logger(), _Listener()  # absl's own class, which knows whose line it was
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            _open.append(caught)
            logger.addFilter(listener)
            try:
                yield
            finally:
                logger.removeFilter(listener)
                _open.pop()
    finally:
        _passed_on(caught)


def _passed_on(caught: list[warnings.WarningMessage]) -> None:
    if _open:
        _open[-1].extend(caught)
        return
    for text, category, file, line in dict.fromkeys((str(w.message), w.category, w.filename, w.lineno) for w in caught):
        warnings.warn_explicit(text, category, file, line)


def told() -> list[str]:
    """The warnings that the open collectors hold, each once as a sentence; they count as passed on."""
    found: dict[str, None] = {}
    for caught in _open:
        found |= dict.fromkeys(_sentence(w) for w in caught if not issubclass(w.category, _HOUSEKEEPING))
        caught[:] = [w for w in caught if issubclass(w.category, _HOUSEKEEPING)]
    return list(found)


class _Listener(logging.Filter):
    """Turns dp-accounting's log into warnings; other records pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or "dp_accounting" not in Path(record.pathname).parts:
            return True
        warnings.warn_explicit(record.getMessage(), UserWarning, record.pathname, record.lineno)
        return False


def _sentence(warning: warnings.WarningMessage) -> str:
    parts = Path(warning.filename).with_suffix("").parts
    if "site-packages" in parts:
        source = parts[len(parts) - parts[::-1].index("site-packages")]
    elif "miajax" in parts:
        source = ".".join(parts[len(parts) - 1 - parts[::-1].index("miajax") :])
    else:
        source = parts[-1]
    text = " ".join(str(warning.message).split())
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."
    return f"{source} warned: {text.rstrip('.')}."
