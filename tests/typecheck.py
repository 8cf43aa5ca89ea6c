"""What checks annotations while tests run: beartype, to which an int is a float, as it is to every other checker.

Beartype writes a function for each that it checks. It does so when one is first called: a process calls few of the
thousands that it imports, and writing them all takes three seconds.

Left out are functions within functions, which Python makes, and beartype would read, anew at each call: with them,
``tests/metrics/test_chance.py`` takes three times as long.
"""

import functools
from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

_CONF = BeartypeConf(is_pep484_tower=True)


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    if "<locals>" in function.__qualname__:
        return function

    @functools.cache
    def checked() -> Callable[..., Any]:
        return beartype(function, conf=_CONF)

    def called(*args: Any, **kwargs: Any) -> Any:
        return checked()(*args, **kwargs)

    return called
