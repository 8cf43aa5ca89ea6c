"""The one place where libraries meet files of strangers: whatever a parser raises becomes one line."""

import contextlib
from collections.abc import Generator

from miajax.errors import UserError

_LONGEST = 200
INFLATED = 1032
"""Bytes that a byte of a deflate stream can become at most; what a file says of its size is believed up to there."""


@contextlib.contextmanager
def parsing(where: str, *, expected: str, remedy: str = "", fault: str = "cannot be read") -> Generator[None]:
    """Turns every exception of the block into one line, since parsers raise dozens of kinds for a damaged file.

    Keep to the library's own call within the block: an error of miajax in there would pass for damage.

    Args:
      where: the file, and the part of it, for the message.
      expected: what should lie there.
      remedy: how to get it.
      fault: what the message says of the file before the reason.

    Raises:
      UserError: the block failed; the library's exception is its cause.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{where} {fault} ({reason(error)})", expected=expected, remedy=remedy) from error


def reason(error: BaseException) -> str:
    """What went wrong in one line of bounded length, without a library's advice to unpickle what it was given."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).strip()
    text = text.splitlines()[0] if text else type(error).__name__
    if isinstance(error, (LookupError, AttributeError, TypeError)):
        text = f"{type(error).__name__}: {text}"
    if "Object arrays" in text or "Python objects" in text:
        return "it holds Python objects, which would have to be executed"
    if "pickle" in text.lower():
        return "it is damaged"
    return text.encode("utf-8", "backslashreplace").decode()[:_LONGEST]


def refuse_inflated(where: str, unpacked: int, packed: int) -> None:
    """Refuses a part of an archive that says it is larger than its packed bytes can make.

    Args:
      where: the part, for the message.
      unpacked: bytes that it says it holds.
      packed: bytes that it takes in the file.

    Raises:
      UserError: no deflate stream of that length holds as much.
    """
    if unpacked > INFLATED * (packed + 64):
        raise UserError(f"{where} says that it holds {unpacked} bytes, in {packed}", expected="a whole archive")
