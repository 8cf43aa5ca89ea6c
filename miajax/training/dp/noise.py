"""Gaussian noise on a sum of gradients, and the secret it comes from."""

import hashlib
import os
import secrets
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt32

from miajax.errors import UserError
from miajax.training.dp.threefry import Words, stream

KEY_FILE = "noise.key"
_KEY_BYTES = 8
# sin(pi t / 2) / t in powers of t^2, highest first, on [-1, 1]: interpolated at Chebyshev nodes, error below 7e-9.
_SINE = np.array([1.5167512e-4, -4.6741507e-3, 7.9689923e-2, -6.4596376e-1, 1.5707963], np.float32)
# log(1 + t) / t in powers of t on [0, 1], error below 2e-7.
_LOG = np.array(
    [-8.5746762e-3, 4.4214192e-2, -1.0785368e-1, 1.7757024e-1, -2.4499612e-1, 3.3276177e-1, -4.9997449e-1, 0.99999981],
    np.float32,
)


def gaussian_like(key: Words, tree: Any, standard_deviation: Float[Array, ""] | float) -> Any:
    """Independent float32 normal numbers shaped like ``tree``; each leaf has a stream of its own, from 1 on.

    Args:
      key: secret, of one step of one model.
      tree: arrays.
      standard_deviation: of every entry; may be traced.
    """
    leaves, structure = jax.tree.flatten(tree)
    drawn = [
        standard_deviation * _normal(*stream(key, number, leaf.size)).reshape(leaf.shape)
        for number, leaf in enumerate(leaves, start=1)
    ]
    return jax.tree.unflatten(structure, drawn)


def _normal(radius: UInt32[Array, " n"], angle: UInt32[Array, " n"]) -> Float[Array, " n"]:
    """One standard normal number of two random words (Box and Muller 1958); up to 6.7 standard deviations.

    The sine of a uniform angle has the same distribution over half a turn as over a whole one, and over
    [-pi/2, pi/2) one odd polynomial is enough. Four times as fast as
    ``jax.random.normal``, whose numbers end at 5.4.
    """
    uniform = (radius.astype(jnp.float32) + 0.5) * np.float32(2.0**-32)
    turn = angle.astype(jnp.int32).astype(jnp.float32) * np.float32(2.0**-31)  # in units of pi / 2
    sine = jnp.polyval(_SINE, turn * turn) * turn
    return jnp.sqrt(jnp.maximum(-2.0 * _log(uniform), 0.0)) * sine


def _log(x: jax.Array) -> jax.Array:
    """The logarithm of normal positive float32, to 2e-7, without the special cases that slow ``jnp.log`` down."""
    bits = jax.lax.bitcast_convert_type(x, jnp.int32)
    exponent = ((bits >> 23) - 127).astype(jnp.float32)
    above_one = jax.lax.bitcast_convert_type((bits & 0x7FFFFF) | 0x3F800000, jnp.float32) - 1.0
    return exponent * np.float32(np.log(2.0)) + jnp.polyval(_LOG, above_one) * above_one


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
        raise UserError(f"{path} may be read by others than its owner", expected="mode 600", remedy=f"chmod 600 {path}")
    content = path.read_bytes()
    key, check = content[:_KEY_BYTES], content[_KEY_BYTES:]
    if len(key) != _KEY_BYTES or check not in (b"", _check(key)):  # earlier versions wrote no check
        raise UserError(
            f"{path} was changed or damaged ({len(content)} bytes)", expected="the key as miajax wrote it",
            remedy="Restore it from a copy, or choose another --out",
        )  # fmt: skip
    return np.frombuffer(key, np.uint32)


def _check(key: bytes) -> bytes:
    """Lies beside the key, as secret as the key itself: another key would be other noise without a word."""
    return hashlib.sha256(key).digest()[:_KEY_BYTES]


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{KEY_FILE}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        key = secrets.token_bytes(_KEY_BYTES)
        os.write(descriptor, key + _check(key))
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
