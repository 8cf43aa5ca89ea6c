"""What checks annotations while tests run: beartype, to which an int is a float, as it is to every other checker.

Left out are functions within functions, which Python makes, and beartype would read, anew at each call: with them,
``tests/metrics/test_chance.py`` takes three times as long.
"""

from collections.abc import Callable
from typing import Any

from beartype import BeartypeConf, beartype

_CONF = BeartypeConf(is_pep484_tower=True)


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    return function if "<locals>" in function.__qualname__ else beartype(function, conf=_CONF)
