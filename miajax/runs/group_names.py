"""Names of groups in what a run writes: the client's own keys where that was allowed, else salted hashes of them.

Keys are few and easily guessed (numbers of patients, names), so that a bare hash would hide nobody. The salt lies in
the run folder, readable by its owner alone: who has it and the keys finds a person's row; who has the table alone does
not.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from miajax.array_files import load_npy
from miajax.errors import UserError
from miajax.runs.atomic import read_json

GROUPS_FILE = "group_of_row.npy"
"""In a run folder, ``int32[N]``: the group of each row, by number and not by key."""
SALT_FILE = "group_keys.salt"
UNNAMED = "group"
"""What rows are grouped by where nothing says it."""
_SALT_BYTES = 16


def read_groups(folder: Path, num_examples: int) -> np.ndarray:
    """The group of each row, ``int32[N]`` in ``0..G-1`` in the order of their keys, from a run, import or export.

    Raises:
      UserError: the file is missing, or holds something else than one whole number or name a row.
    """
    return group_numbers(load_npy(folder / GROUPS_FILE), num_examples, str(folder / GROUPS_FILE))


def group_numbers(keys: np.ndarray, num_examples: int, where: str) -> np.ndarray:
    """Keys of groups as numbers ``int32[N]`` in ``0..G-1``, in the keys' order.

    Raises:
      UserError: they are not one whole number or name a row.
    """
    if keys.shape != (num_examples,) or keys.dtype.kind not in "iuU":
        raise UserError(
            f"{where} holds {keys.dtype} {list(keys.shape)}", expected=f"a whole number or name [{num_examples}]"
        )
    numbers: np.ndarray = np.unique(keys, return_inverse=True)[1].reshape(-1).astype(np.int32)
    return numbers


def group_names(keys: Sequence[str], folder: Path, keep_keys: bool) -> np.ndarray:
    """A name for each group, ``str[G]``.

    Args:
      keys: the client's own.
      folder: of the run, whose salt is made where it has none.
      keep_keys: take the keys as they are.

    Raises:
      UserError: others may read the salt, or it is damaged.
    """
    if keep_keys:
        return np.array(keys, str)
    salt = _salt(folder)
    return np.array([hashlib.blake2b(key.encode(), key=salt, digest_size=8).hexdigest() for key in keys], str)


def group_name(folder: Path) -> str:
    """What groups the rows of a run or of an export, such as ``patient``, as far as the folder says it."""
    for file, keys in (("export.json", ("group_name",)), ("config.json", ("data", "group_column"))):
        told: object = None
        with contextlib.suppress(UserError):
            told = read_json(folder / file) if (folder / file).is_file() else None
        for key in keys:
            told = cast("dict[str, object]", told).get(key) if isinstance(told, dict) else None
        if isinstance(told, str) and told.strip() and told.isprintable():
            return told
    return UNNAMED


def _salt(folder: Path) -> bytes:
    path = folder / SALT_FILE
    if not path.exists():
        _create(path)
    if path.stat().st_mode & 0o077:
        raise UserError(f"{path} may be read by others than its owner", expected="mode 600", remedy=f"chmod 600 {path}")
    salt = path.read_bytes()
    if len(salt) != _SALT_BYTES:
        raise UserError(
            f"{path} was changed or damaged ({len(salt)} bytes)",
            expected="the salt as miajax wrote it",
            remedy="Remove it: groups get other names then",
        )
    return salt


def _create(path: Path) -> None:
    temporary = path.with_name(f".{SALT_FILE}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(_SALT_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        with contextlib.suppress(FileExistsError):  # another process was first, and its salt counts
            os.link(temporary, path)
    finally:
        temporary.unlink()
