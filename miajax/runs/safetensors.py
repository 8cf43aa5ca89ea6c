"""Named arrays as a safetensors file: a header of JSON and raw bytes, nothing that has to be executed to be read.

The format is that of huggingface/safetensors, README.md, "Format": the header's length as uint64, little-endian; the
header, padded by blanks to a multiple of 8 bytes; the arrays without a gap, C order, little-endian.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from miajax.errors import UserError
from miajax.runs.atomic import atomic_file

_DTYPES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16", "int16": "I16", "uint32": "U32", "int32": "I32",
    "uint64": "U64", "int64": "I64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
}  # fmt: skip


def write_safetensors(path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Writes arrays by name, and texts by name beside them.

    Raises:
      UserError: a dtype that the format does not know.
    """
    ordered = sorted(arrays.items(), key=lambda named: (-named[1].dtype.itemsize, named[0]))  # keeps all aligned
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, array in ordered:
        if str(array.dtype) not in _DTYPES:
            raise UserError(f"{name} is of {array.dtype}", expected=f"one of {', '.join(_DTYPES)}")
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": _DTYPES[str(array.dtype)], "shape": list(array.shape), "data_offsets": [begin, end]}
    told = json.dumps(header, separators=(",", ":")).encode()
    told += b" " * (-len(told) % 8)
    with atomic_file(path) as file:
        file.write(struct.pack("<Q", len(told)) + told)
        for _, array in ordered:
            file.write(array.tobytes())


def flax_names(tree: Any, parts: tuple[str, ...] = ()) -> Iterator[tuple[str, np.ndarray]]:
    """``("params.Dense_0.kernel", array)`` of every leaf, named as ``flax.traverse_util.flatten_dict`` does by dots.

    Entries of lists and tuples are named by their place.
    """
    if isinstance(tree, Mapping):
        entries = [(str(name), each) for name, each in cast(Mapping[Any, Any], tree).items()]
    elif isinstance(tree, (list, tuple)):
        entries = [(str(place), each) for place, each in enumerate(cast(list[Any], tree))]
    else:
        if tree is not None:
            yield ".".join(parts), np.asarray(tree)
        return
    for name, each in entries:
        yield from flax_names(each, (*parts, name))
