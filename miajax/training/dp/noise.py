"""Gaussian noise on a sum of gradients, and the secret it comes from."""

import os
import secrets
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from miajax.errors import UserError

KEY_FILE = "noise.key"
_KEY_BYTES = 8


def gaussian_like(key: Key[Array, ""], tree: Any, standard_deviation: Float[Array, ""] | float) -> Any:
    """Independent float32 normal numbers shaped like ``tree``; each leaf has a stream of its own.

    Args:
      key: secret, used for nothing else.
      tree: arrays.
      standard_deviation: of every entry; may be traced.
    """
    leaves, structure = jax.tree.flatten(tree)
    drawn = [
        standard_deviation * jax.random.normal(jax.random.fold_in(key, number), leaf.shape, jnp.float32)
        for number, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(structure, drawn)


def secret_key(folder: Path) -> np.ndarray:
    """``uint32[2]`` from the folder's key file, which is made from the operating system's randomness where missing.

    The file is readable by its owner alone, belongs in no export, and nothing else of a run may hold its content: who
    has it can subtract the noise. Processes that share a folder share the key.

    Raises:
      UserError: others may read the file, or it is damaged.
    """
    path = folder / KEY_FILE
    if not path.exists():
        _create(path)
    if path.stat().st_mode & 0o077:
        raise UserError(
            f"{path} may be read by others than its owner", expected="mode 600", remedy=f"chmod 600 {path}"
        )
    content = path.read_bytes()
    if len(content) != _KEY_BYTES:
        raise UserError(f"{path} holds {len(content)} bytes", expected=f"{_KEY_BYTES}", remedy="Choose another --out")
    return np.frombuffer(content, np.uint32)


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{KEY_FILE}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, secrets.token_bytes(_KEY_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(temporary, path)  # fails where another process was first, and its key counts
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def public_key(seed: int) -> np.ndarray:
    """``uint32[2]`` that anybody can compute from the seed: for tests, never for release."""
    return np.asarray(jax.random.key_data(jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), 0x6E6F6973)))
