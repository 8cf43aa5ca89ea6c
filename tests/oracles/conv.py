"""Convolution, its two gradients and pooling as loops over output pixels, float64."""

import numpy as np


def conv(x, kernel, strides, padding):
    """``y[b, p, q, o] = sum of x[b, p·down + i, q·right + j, c] · kernel[i, j, c, o]`` over the padded ``x``."""
    x, kernel = _padded(x, padding), np.asarray(kernel, np.float64)
    height, width = kernel.shape[:2]
    down, right = strides
    rows, columns = (x.shape[1] - height) // down + 1, (x.shape[2] - width) // right + 1
    y = np.zeros((x.shape[0], rows, columns, kernel.shape[3]))
    for p in range(rows):
        for q in range(columns):
            patch = x[:, p * down : p * down + height, q * right : q * right + width]
            y[:, p, q] = np.tensordot(patch, kernel, 3)
    return y


def input_gradient(dy, kernel, image, strides, padding):
    """The gradient of ``sum(dy · conv(x, kernel))`` by ``x`` of height and width ``image``."""
    dy, kernel = np.asarray(dy, np.float64), np.asarray(kernel, np.float64)
    height, width, channels, _ = kernel.shape
    (top, bottom), (left, right_pad) = padding
    down, right = strides
    dx = np.zeros((dy.shape[0], image[0] + top + bottom, image[1] + left + right_pad, channels))
    for p in range(dy.shape[1]):
        for q in range(dy.shape[2]):
            dx[:, p * down : p * down + height, q * right : q * right + width] += np.einsum(
                "bo,ijco->bijc", dy[:, p, q], kernel
            )
    return dx[:, top : top + image[0], left : left + image[1]]


def weight_gradient(x, dy, window, strides, padding):
    """The gradient of ``sum(dy · conv(x, kernel))`` by the kernel of height and width ``window``."""
    x, dy = _padded(x, padding), np.asarray(dy, np.float64)
    height, width = window
    down, right = strides
    dkernel = np.zeros((height, width, x.shape[3], dy.shape[3]))
    for p in range(dy.shape[1]):
        for q in range(dy.shape[2]):
            patch = x[:, p * down : p * down + height, q * right : q * right + width]
            dkernel += np.einsum("bijc,bo->ijco", patch, dy[:, p, q])
    return dkernel


def pool(x, window, reduce):
    """``reduce`` (``np.max``, ``np.mean``) over each square window; what is left over at the end is dropped."""
    x = np.asarray(x, np.float64)
    batch, height, width, channels = x.shape
    y = np.zeros((batch, height // window, width // window, channels))
    for p in range(y.shape[1]):
        for q in range(y.shape[2]):
            y[:, p, q] = reduce(x[:, p * window : (p + 1) * window, q * window : (q + 1) * window], axis=(1, 2))
    return y


def max_pool_gradient(x, dy, window):
    """The gradient of ``sum(dy · max pool)``: each window's goes to its first greatest element, row by row."""
    x = np.asarray(x, np.float64)
    dx = np.zeros_like(x)
    for b, p, q, c in np.ndindex(dy.shape):
        block = x[b, p * window : (p + 1) * window, q * window : (q + 1) * window, c]
        i, j = np.unravel_index(np.argmax(block), block.shape)
        dx[b, p * window + i, q * window + j, c] += dy[b, p, q, c]
    return dx


def _padded(x, padding):
    return np.pad(np.asarray(x, np.float64), ((0, 0), *padding, (0, 0)))
