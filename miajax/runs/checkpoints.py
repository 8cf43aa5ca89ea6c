"""Pytrees on disk, by Orbax."""

import errno
import importlib
import logging
import math
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl.logging import get_absl_logger

from miajax.errors import UserError
from miajax.memory import amount
from miajax.parsing import INFLATED
from miajax.runs.atomic import told_when_full

_LEAST = 64 << 20  # bytes in memory that any checkpoint may take


def load_library() -> None:
    """Imports what stores checkpoints, so that it is there when a signal asks for one."""
    importlib.import_module("orbax.checkpoint")


def _checkpointer() -> tuple[Any, Any]:
    import orbax.checkpoint as ocp  # a third of a second, needed only when something is stored

    get_absl_logger().addFilter(_without_advice)
    return ocp, ocp.PyTreeCheckpointer()


def _without_advice(record: logging.LogRecord) -> bool:
    # Orbax's warnings advise on sharding and newer interfaces; a tree that it cannot store or restore is an exception.
    return record.levelno >= logging.ERROR or "orbax" not in Path(record.pathname).parts


def save_tree(path: Path, tree: Any) -> None:
    """Stores a pytree of host arrays as an Orbax checkpoint, a folder that appears whole or not at all.

    Raises:
      UserError: the disk is full or closed to us.
    """
    _, checkpointer = _checkpointer()
    with told_when_full(path):
        try:
            checkpointer.save(path.resolve(), tree, force=True)
        except Exception as error:
            # TensorStore writes in C++: a full disk comes as a ValueError that quotes the system's words.
            told = next((code for code in (errno.ENOSPC, errno.EDQUOT) if os.strerror(code) in str(error)), None)
            if isinstance(error, OSError) or told is None:
                raise
            raise OSError(told, os.strerror(told)) from error


def load_tree(path: Path, abstract: Any | None = None) -> Any:
    """Restores what ``save_tree`` stored, on the host.

    Args:
      path: the checkpoint's folder.
      abstract: a pytree of ShapeDtypeStructs whose structure the result gets; None gives plain dicts and lists.

    Raises:
      UserError: the folder is missing or damaged, says that it holds more than 64 MiB and 1,032 times its size, or its
        arrays have other shapes than ``abstract``.
    """
    ocp, checkpointer = _checkpointer()
    try:
        _refuse_inflated(path, checkpointer)
        if abstract is None:
            return checkpointer.restore(path.resolve())

        def on_host(_: Any) -> Any:
            return ocp.RestoreArgs(restore_type=np.ndarray)

        kinds = jax.tree.map(on_host, abstract)
        tree = checkpointer.restore(path.resolve(), item=abstract, restore_args=kinds)
    except UserError:
        raise
    except Exception as error:  # Orbax and TensorStore raise many kinds for one thing: this checkpoint can't be read
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UserError(
            f"checkpoint {path} cannot be read ({reason})",
            expected="an Orbax checkpoint that miajax wrote",
            remedy="Delete that folder and run the same command again",
        ) from error
    tree_util: Any = jax.tree_util
    wrong = [
        f"{tree_util.keystr(where)} {np.shape(got)}"
        for (where, want), got in zip(tree_util.tree_leaves_with_path(abstract), jax.tree.leaves(tree), strict=True)
        if want.shape != np.shape(got) or want.dtype != got.dtype
    ]
    if wrong:
        raise UserError(f"checkpoint {path} holds {wrong[0]}", expected="arrays of this configuration")
    return tree


def _refuse_inflated(path: Path, checkpointer: Any) -> None:
    """Refuses arrays that the folder's bytes cannot bear out, before they take memory: missing parts read as zeros.

    Raises:
      UserError: they are.
    """
    told = checkpointer.metadata(path.resolve()).item_metadata.tree
    held = sum(map(_size, jax.tree.leaves(told)))
    most = max(_LEAST, INFLATED * sum(file.stat().st_size for file in path.rglob("*") if file.is_file()))
    if held > most:
        raise UserError(
            f"checkpoint {path} says that it holds {amount(held)}, more than {amount(most)}",
            expected="arrays that its bytes bear out",
            remedy="Delete that folder and run the same command again",
        )


def _size(told: Any) -> int:
    """Bytes of memory that an array takes while it is read, by what Orbax says of it; 0 of what is no array."""
    if not (shape := getattr(told, "shape", None)) or told.dtype is None:
        return 0
    parts = getattr(told.storage, "chunk_shape", None) or shape
    return math.prod(map(max, shape, parts)) * np.dtype(told.dtype).itemsize
