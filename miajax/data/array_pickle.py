"""Reads pickles that hold nothing but arrays, numbers and text, and runs none of what else a pickle may ask for.

The interpreter's unpickler in C is not used: it takes gigabytes for a memo index of nine bytes, and lets a pickle set
the inner state of a dtype. This one knows the few operations that such files need, and checks every state.
"""

import io
import math
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np

_MOST_OPERATIONS = 8_000_000  # CIFAR-100's 50,000 names and labels take half a million
_FORMAT, _ORDERS = re.compile(r"[<>=|]?[biuf]\d{1,2}"), ("<", ">", "|", "=")


class _Type:
    """A dtype in the making; a pickle may set its byte order and nothing else."""

    def __init__(self, spec: str | bytes, *_: Any):
        text = _text(spec)
        if not _FORMAT.fullmatch(text):
            raise pickle.UnpicklingError(f"it holds an array of objects, text or records ({text[:40]!r})")
        self.dtype = np.dtype(text)

    def set_state(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) not in (8, 9) or _text(state[1]) not in _ORDERS:
            raise pickle.UnpicklingError("it sets a type's state that no number has")
        if state[2:5] != (None, None, None) or state[5:8] != (-1, -1, 0):
            raise pickle.UnpicklingError("it holds an array of records")
        self.dtype = self.dtype.newbyteorder(_text(state[1]))  # type: ignore[arg-type]


def _blank_array(*_: Any) -> np.ndarray:
    return np.empty(0, np.uint8)  # the pickle then sets shape, dtype and content


def _fill(array: np.ndarray, state: Any) -> None:
    """Gives an array its content, once the content has been seen to be as long as shape and dtype say."""
    if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _Type):
        raise pickle.UnpicklingError("it sets an array's state that is none")
    version, shape, kind, fortran, content = state
    if not isinstance(content, bytes):
        raise pickle.UnpicklingError(f"it holds an array of {type(content).__name__}")
    if not isinstance(shape, tuple) or not all(isinstance(side, int) and side >= 0 for side in shape):
        raise pickle.UnpicklingError("it holds an array without a shape")
    if math.prod(shape) * kind.dtype.itemsize != len(content):
        raise pickle.UnpicklingError(f"it holds {len(content)} bytes for an array of shape {shape}")
    array.__setstate__((version, shape, kind.dtype, bool(fortran), content))  # type: ignore[arg-type]


def _text(value: Any) -> str:
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


# What an array refers to in a pickle, by the module names of NumPy 1 and 2. The class ndarray is only ever an argument
# of _reconstruct, so that nothing but the two things above can be called.
_NAMES: dict[tuple[str, str], Callable | None] = {
    ("numpy.core.multiarray", "_reconstruct"): _blank_array,
    ("numpy._core.multiarray", "_reconstruct"): _blank_array,
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): None,
}

_OPERATIONS = (
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1",
    "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "TUPLE",
    "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "LIST", "EMPTY_LIST", "APPEND", "APPENDS", "DICT", "EMPTY_DICT",
    "SETITEM", "SETITEMS", "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "PUT", "BINPUT", "LONG_BINPUT", "GET",
    "BINGET", "LONG_BINGET", "MEMOIZE",
)  # fmt: skip


class _ArraysOnly(pickle._Unpickler):  # type: ignore[name-defined]
    """Memory is bounded by the file's size: every operation makes at most one small object or reads what it makes."""

    # The memo is a dictionary here: an index takes no room but its own.
    dispatch = {  # noqa: RUF012
        code[0]: pickle._Unpickler.dispatch[code[0]]  # type: ignore[attr-defined]
        for code in (getattr(pickle, name) for name in _OPERATIONS)
    }

    stack: list[Any]

    def load_build(self):
        state, made = self.stack.pop(), self.stack[-1]
        if isinstance(made, _Type):
            made.set_state(state)
        elif isinstance(made, np.ndarray):
            _fill(made, state)
        else:
            raise pickle.UnpicklingError(f"it sets the state of a {type(made).__name__}")

    dispatch[pickle.BUILD[0]] = load_build  # type: ignore[arg-type]

    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) not in _NAMES:
            raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}")
        return _NAMES[module_name, global_name]


class _Counted(dict):
    """Operations by their code, until they are too many or one is not known."""

    left = _MOST_OPERATIONS

    def __getitem__(self, code: int) -> Callable:
        self.left -= 1
        if self.left < 0:
            raise pickle.UnpicklingError(f"it takes more than {_MOST_OPERATIONS} operations")
        return super().__getitem__(code)

    def __missing__(self, code: int) -> Callable:
        raise pickle.UnpicklingError(f"it holds other things than arrays, numbers and text (operation {code:#04x})")


def load_array_pickle(content: bytes) -> Any:
    """What a pickle of numeric arrays, lists, dictionaries, numbers and text holds.

    Args:
      content: a pickle as Python 2 wrote them; its text comes back as bytes.

    Raises:
      ValueError: anything else: other classes or functions, arrays of objects, a damaged or cut pickle.
    """
    reader = _ArraysOnly(io.BytesIO(content), encoding="bytes")
    vars(reader)["dispatch"] = _Counted(reader.dispatch)
    try:
        return reader.load()
    except Exception as error:  # a damaged pickle may raise anything
        raise ValueError(str(error) or "it is cut short or damaged") from error
