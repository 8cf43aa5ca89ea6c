"""What JSON is to a type checker, and functions of JAX whose own annotations tell it nothing: the same, with types."""

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, Protocol, TypeVar, overload

import jax
from jaxtyping import Array

Json = Mapping[str, Any]
"""An object as read from a file or to be written to one."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


class _Jit(Protocol):
    @overload
    def __call__(self, fun: Callable[_P, _R], /, **options: Any) -> Callable[_P, _R]: ...
    @overload
    def __call__(self, /, **options: Any) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]: ...


class _Map(Protocol):
    def __call__(self, f: Callable[[Any], _R], xs: Any, /, *, batch_size: int | None = None) -> _R: ...


class _TreeMap(Protocol):
    def __call__(self, f: Callable[[Any], Any], tree: Any, /) -> Any: ...


class _ForiLoop(Protocol):
    def __call__(self, lower: int, upper: int, body: Callable[[Array, _R], _R], start: _R, /) -> _R: ...


class _EvalShape(Protocol):
    def __call__(self, fun: Callable[..., Any], /, *args: Any) -> Any: ...


class _Grad(Protocol):
    def __call__(self, fun: Callable[_P, Array], /) -> Callable[_P, Any]: ...


_untyped: Any = jax  # a partly unknown type cannot be cast without a complaint
jit: _Jit = _untyped.jit
grad: _Grad = _untyped.grad
eval_shape: _EvalShape = _untyped.eval_shape
tree_map: _TreeMap = _untyped.tree.map
lax_map: _Map = _untyped.lax.map
fori_loop: _ForiLoop = _untyped.lax.fori_loop
