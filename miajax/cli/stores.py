"""Flags that take the URL of an object store: the command works in a copy of what lies there."""

from collections.abc import Mapping, Sequence

from miajax.runs import mounts
from miajax.runs.mounts import Wanted
from miajax.runs.urls import is_url, refuse

READS: Mapping[str, Wanted] = {"run": "whole", "with": "whole", "out": "files", "plan": "whole", "source": "whole"}
"""Of commands that read groups as they lie there."""
TRAINS: Mapping[str, Wanted] = {"run": "files", "out": "files"}
"""Of commands that fetch groups when they need them."""
_FOREIGN = ("plan", "source")  # what others wrote is read there


def with_working_copies(argv: Sequence[str], urls: Mapping[str, Wanted]) -> list[str]:
    """What was typed, with the working copies of URLs in their place.

    Args:
      argv: what was typed.
      urls: flags that take a URL, and what its working copy must hold.

    Raises:
      UserError: a URL stands where none can, or is none of a store: a path that looks like one would become a local
        folder of that name.
    """
    flag, typed = "", list[str]()
    for word in argv:
        name, joined, value = word.partition("=") if word.startswith("--") else ("", "", word)
        flag = name or flag
        if is_url(value if joined or not name else ""):
            own = flag.removeprefix("--").replace("-", "_")
            if own not in urls:
                raise refuse(flag, value)
            value = str(mounts.mounted(flag, value, urls[own], foreign=own in _FOREIGN))
        typed.append(f"{name}={value}" if joined else (word if name else value))
    return typed
