"""Reads pickles that hold nothing but arrays, numbers and text, and runs none of what else a pickle may ask for."""

import io
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np


def _blank_array(*_: Any) -> np.ndarray:
    return np.empty(0, np.uint8)  # the pickle then sets shape, dtype and content


def _plain_dtype(spec: str | bytes, *_: Any) -> np.dtype:
    dtype = np.dtype(spec.decode("ascii") if isinstance(spec, bytes) else spec)
    if dtype.kind not in "biuf":
        raise pickle.UnpicklingError(f"it holds an array of {dtype}")
    return dtype


# What an array refers to in a pickle, by the module names of NumPy 1 and 2. The class ndarray is only ever an argument
# of _reconstruct, so that nothing but the two functions above can be called.
_NAMES: dict[tuple[str, str], Callable | None] = {
    ("numpy.core.multiarray", "_reconstruct"): _blank_array,
    ("numpy._core.multiarray", "_reconstruct"): _blank_array,
    ("numpy", "dtype"): _plain_dtype,
    ("numpy", "ndarray"): None,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) not in _NAMES:
            raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}")
        return _NAMES[module_name, global_name]


def load_array_pickle(content: bytes) -> Any:
    """What a pickle of numeric arrays, lists, dictionaries, numbers and text holds.

    Args:
      content: a pickle as Python 2 wrote them; its text comes back as bytes.

    Raises:
      ValueError: anything else: other classes or functions, arrays of objects, a damaged or cut pickle.
    """
    try:
        return _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a damaged pickle may raise anything
        raise ValueError(f"{error or type(error).__name__}") from error
