"""Examples as pictures: arrays to small PNG data URIs."""

import base64
import struct
import zlib

import numpy as np
from jaxtyping import Num, UInt8

from miajax.report import vectors
from miajax.report.bare import bare_pdf
from miajax.report.plots import Drawn


def as_bytes(
    pictures: Num[np.ndarray, "examples height width *channels"], black: float, white: float
) -> UInt8[np.ndarray, "examples height width *channels"]:
    """Pictures as uint8, with ``black`` at 0 and ``white`` at 255; one range for all keeps them comparable."""
    scaled = (np.asarray(pictures, np.float32) - black) * (255.0 / max(white - black, 1e-12))
    return scaled.round().clip(0, 255).astype(np.uint8)


def png_data_uri(picture: UInt8[np.ndarray, "height width *channels"]) -> str:
    """One picture, ``[H, W]`` or ``[H, W, 1]`` grey or ``[H, W, 3]`` colour, as a PNG ``data:`` URI.

    It is offered to ``vectors``, which keeps it, its pixels sharp at any size, where figures are asked for.
    """
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
    uri = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    vectors.offer(uri, lambda kind: _as_svg(uri, width, height) if kind == "svg" else _as_pdf(picture))
    return uri


def _as_svg(uri: str, width: int, height: int) -> bytes:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
        f'<image width="{width}" height="{height}" style="image-rendering: pixelated" href="{uri}"/></svg>'
    ).encode()


def _as_pdf(picture: UInt8[np.ndarray, "height width *channels"]) -> bytes:
    height, width = picture.shape[:2]

    def draw(axes: Drawn) -> None:
        shown = {"cmap": "gray", "vmin": 0, "vmax": 255} if picture.ndim == 2 else {}
        axes.imshow(picture, extent=(0, width, height, 0), interpolation="none", aspect="auto", **shown)

    return bare_pdf(width, height, draw)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
