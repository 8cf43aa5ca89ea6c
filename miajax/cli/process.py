"""A command as a process: errors in one line, exit statuses, output that cannot be written."""

import contextlib
import errno
import gc
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import jax

from miajax.campaign.interrupt import Stopped, ended_when_told
from miajax.campaign.runner import Incomplete
from miajax.campaign.together import speaks
from miajax.errors import UserError
from miajax.runs import mounts
from miajax.training.devices import use_compilation_cache, use_cpu_cores_as_devices
from miajax.warned import collected_warnings


def main(run: Callable[[Sequence[str]], Any], argv: Sequence[str] | None = None) -> None:
    """Runs a command: ``UserError`` and what the system refuses print one line and exit with 2, an interruption 130."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files may hold bytes that are no text
    use_cpu_cores_as_devices()
    use_compilation_cache()
    gc.freeze()  # modules live until the end
    try:
        _refuse_debugging_of_nan()
        with ended_when_told(), collected_warnings():  # of reading data and setting up, too
            run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except UserError as error:
        _end(mounts.shown(f"error: {error}"), 2)
    except Incomplete as news:
        if speaks():
            print(news, file=sys.stderr)
    except (Stopped, KeyboardInterrupt):
        _end("\nStopped; what was finished is kept. The same command continues from there.", 130)
    except BrokenPipeError:
        _abandon_output()
        raise SystemExit(1) from None
    except OSError as error:
        _end(mounts.shown(f"error: {_system_error(error)}"), 2)


def _refuse_debugging_of_nan() -> None:
    """JAX's checks would stop at the first model that has no loss yet or score that cannot be given.

    Raises:
      UserError: ``JAX_DEBUG_NANS`` or ``JAX_DEBUG_INFS`` is on.
    """
    for name in ("jax_debug_nans", "jax_debug_infs"):
        if getattr(jax.config, name):
            raise UserError(
                f"{name.upper()} is on, and NaN and infinity mark here what has no value (epochs to come, models that "
                "diverged, examples without a score)",
                expected="it to be off",
                remedy=f"Unset {name.upper()}: models that diverge are found and named without it",
            )


def _end(line: str, status: int) -> NoReturn:
    """Prints the last line and leaves; where nothing can be printed any more, the status alone says it."""
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:
        _abandon_output()
    raise SystemExit(status) from None


def _abandon_output() -> None:
    """Lets the interpreter end without trying once more to write what cannot be written."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _system_error(error: OSError) -> UserError:
    """What the operating system refused, as one line."""
    reason = error.strerror or str(error)
    if error.filename is None and error.errno == errno.ENOSPC:
        what = f"output cannot be written ({reason})"
    else:
        names = [str(name)[:300] for name in (error.filename, error.filename2) if name is not None]
        what = f"{' and '.join(names) or 'a file'}: {reason}"
    remedies = {
        errno.ENAMETOOLONG: "Choose a shorter name",
        errno.ENOSPC: "What was finished before is kept: free some space and run the same command again",
        errno.EEXIST: "Something else stands there, perhaps a link to nothing: remove it or choose another path",
    }
    return UserError(what, expected="a path that can be read and written", remedy=remedies.get(error.errno or 0, ""))
