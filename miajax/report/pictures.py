"""Examples as pictures: arrays to small PNG data URIs."""

import base64
import struct
import zlib

import numpy as np
from jaxtyping import Num, UInt8


def as_bytes(
    pictures: Num[np.ndarray, "examples height width *channels"], black: float, white: float
) -> UInt8[np.ndarray, "examples height width *channels"]:
    """Pictures as uint8, with ``black`` at 0 and ``white`` at 255; one range for all keeps them comparable."""
    scaled = (np.asarray(pictures, np.float32) - black) * (255.0 / max(white - black, 1e-12))
    return scaled.round().clip(0, 255).astype(np.uint8)


def png_data_uri(picture: UInt8[np.ndarray, "height width *channels"]) -> str:
    """One picture, ``[H, W]`` or ``[H, W, 1]`` grey or ``[H, W, 3]`` colour, as a PNG ``data:`` URI."""
    picture = np.ascontiguousarray(picture[..., 0] if picture.ndim == 3 and picture.shape[-1] == 1 else picture)
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[-1] != 3):
        raise ValueError(f"a picture is uint8 [H, W] or [H, W, 3], got {picture.dtype} {picture.shape}")
    height, width = picture.shape[:2]
    colour_type = 0 if picture.ndim == 2 else 2
    rows = picture.reshape(height, -1)
    filtered = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)  # filter type 0 before every row
    content = b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)),
            _chunk(b"IDAT", zlib.compress(filtered.tobytes())),
            _chunk(b"IEND", b""),
        )
    )
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
