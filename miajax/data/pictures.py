"""Pictures as other tools store them, channels first or in units of 0..255: noticed, and turned round when told to."""

import math
from typing import Literal

import numpy as np

from miajax.errors import UserError

Channels = Literal["first", "last"]
_CHANNELS = (1, 3, 4)
_HIGHEST_RMS = 10.0  # of standardised inputs it is 1, of 0..1 and -1..1 below 1, of pixels up to 255 above 30


def refuse_channels_first(where: str, features: np.ndarray) -> None:
    """Refuses examples ``[N, A, B, C]`` that look like channels before rows: A is 1, 3 or 4, and B and C are larger.

    Raises:
      UserError: they do; networks would convolve along the wrong axes without a word.
    """
    if features.ndim != 4:
        return
    first, height, width = features.shape[1:]
    if first in _CHANNELS and height > first and width > first:
        raise UserError(
            f"{where} has shape {features.shape}, which looks like {first} channel{'s' * (first > 1)} before {height}"
            f" rows and {width} columns",
            expected="pictures [N, height, width, channels]",
            remedy="Add --channels first to turn them round, or --channels last if they are what they should be"
            " (in code: numpy.moveaxis(x, 1, -1), or Dataset(..., unlikely=('channels',)))",
        )


def refuse_unscaled(where: str, features: np.ndarray) -> None:
    """Refuses inputs of a size that networks do not train on: pictures of floats, or flat rows that look like pixels.

    uint8 pictures are standardised on the device; everything else is taken as it is. Refused is, where the root mean
    square is above 10: every picture; flat rows of a square picture's size, grey or of three channels, 8 pixels a side
    or more, that hold nothing but whole numbers 0..255, one of 128 or more among them.

    Args:
      where: what they are called, for messages.
      features: ``uint8`` or ``float32[N, ...]``.

    Raises:
      UserError: they are such.
    """
    if features.dtype == np.uint8 or not features.size:
        return
    flat = features.reshape(-1)
    with np.errstate(over="ignore"):  # an infinite square is a large one
        size = float(np.sqrt(np.dot(flat, flat) / flat.size))
    if size <= _HIGHEST_RMS:
        return
    low, high = float(flat.min()), float(flat.max())
    whole = low >= 0 and bool((flat == np.floor(flat)).all())
    pixels = whole and 128 <= high <= 255 and _may_be_picture(flat.size // len(features))
    if features.ndim < 4 and not pixels:
        return
    scale = 255 if low >= 0 and high <= 255 else 65535 if whole and high <= 65535 else round(max(-low, high))
    raise UserError(
        f"{where} reaches from {low:g} to {high:g}, as pixels do that were not scaled",
        expected="features of about 0..1 or -1..1, which networks train on, or uint8 pictures, which are standardised",
        remedy=f"Add --pixel_scale {scale} to divide by {scale}, or --pixel_scale 1 to take them as they are"
        " (in code: divide, or Dataset(..., unlikely=('scale',)))",
    )


def _may_be_picture(width: int) -> bool:
    return any(width == channels * side**2 for channels in (1, 3) for side in range(8, math.isqrt(width) + 1))


def arranged(where: str, features: np.ndarray, channels: Channels | None, pixel_scale: float | None) -> np.ndarray:
    """The examples with channels last, divided by ``pixel_scale``; as they are where neither is given.

    Args:
      where: what they are called, for messages.
      features: ``[N, ...]``, numbers.
      channels: where the pictures' channels are.
      pixel_scale: divides them.

    Raises:
      UserError: channels of what is no picture; a scale that is no positive number, or on uint8 pictures.
    """
    if channels not in (None, "first", "last"):
        raise UserError(f"--channels {channels}", expected="first or last")
    if channels is not None and features.ndim != 4:
        raise UserError(
            f"--channels {channels} has no effect on {where} of shape {features.shape}",
            expected="pictures of three axes each",
        )
    if channels == "first":
        features = np.ascontiguousarray(np.moveaxis(features, 1, -1))
    if pixel_scale is None:
        return features
    if not 0 < pixel_scale < np.inf:
        raise UserError(f"--pixel_scale {pixel_scale}", expected="a positive number")
    if features.dtype == np.uint8 and features.ndim > 2:
        raise UserError(
            f"--pixel_scale {pixel_scale:g} has no effect on {where}",
            expected="other numbers than uint8, whose pictures are standardised by channel",
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold is named by the data set
        return features.astype(np.float32) / np.float32(pixel_scale)
