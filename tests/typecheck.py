"""What checks annotations while tests run: beartype, to which an int is a float, as it is to every other checker.

``jaxtyping`` puts a decorator on every function of the modules that it is told of. Its own binds the arguments of each
call and asks the checker twice, which made up half of the time of all tests. Only shapes that several arguments share
need that. So each function is looked at when it is first called: where an annotation tells of an array, jaxtyping
remembers the sizes for the length of a call; where none does, beartype alone checks it.

Left out are functions within functions, which Python makes, and beartype would read, anew at each call.
"""

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

import jaxtyping
from beartype import BeartypeConf, beartype

_CONF = BeartypeConf(is_pep484_tower=True)
_decorated = jaxtyping.jaxtyped


def install(modules: Sequence[str]) -> None:
    """Every function and dataclass of ``modules`` imported from now on is checked at each call."""
    jaxtyping.jaxtyped = _of_the_hook
    jaxtyping.install_import_hook(modules, f"{__name__}.check")


def check(thing: Any) -> Any:
    """``thing``, a function, a dataclass or what a class body wraps functions in, with its annotations checked."""
    if inspect.isclass(thing):
        if dataclasses.is_dataclass(thing) and "__init__" in vars(thing):
            thing.__init__ = check(thing.__init__)
        return thing
    if isinstance(thing, classmethod | staticmethod):
        return type(thing)(check(thing.__func__))
    if isinstance(thing, property):
        return property(*(each and check(each) for each in (thing.fget, thing.fset, thing.fdel)), thing.__doc__)
    if not inspect.isfunction(thing) or "<locals>" in thing.__qualname__:
        return thing
    return _checked_from_the_first_call(thing)


def _of_the_hook(*args: Any, typechecker: Any = None, **kwargs: Any) -> Any:
    """What the code that jaxtyping's hook writes calls: for our modules ``check``, else jaxtyping's decorator."""
    ours = jaxtyping._import_hook.Typechecker.lookup.values()
    return check if any(typechecker is each for each in ours) else _decorated(*args, typechecker=typechecker, **kwargs)


def _checked_from_the_first_call(function: Callable[..., Any]) -> Callable[..., Any]:
    """Beartype writes a function for each that it checks: a process calls few of the thousands that it imports."""
    checked: Callable[..., Any] | None = None

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        nonlocal checked
        if checked is None:
            hints = function.__annotations__ = _resolved(function)
            told = beartype(function, conf=_CONF)
            checked = _decorated(told, typechecker=None) if any(map(_is_of_an_array, hints.values())) else told
        return checked(*args, **kwargs)

    return called


def _resolved(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of ``function``; one with a name that only static checkers import allows anything."""
    found = {}
    for name, hint in function.__annotations__.items():
        one = types.SimpleNamespace(__annotations__={name: hint})
        try:
            found |= typing.get_type_hints(one, globalns=function.__globals__, include_extras=True)
        except NameError:
            found[name] = Any
    return found


def _is_of_an_array(hint: Any) -> bool:
    if inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray):
        return True
    inner = typing.get_args(hint) if not isinstance(hint, list) else hint
    return any(map(_is_of_an_array, inner))
