"""Slow float64 twins of the saliency maps: a NumPy network and finite differences, one image and pixel at a time."""

import numpy as np


def conv(image, kernel, bias):
    """SAME-padded 3x3 convolution of one image ``[H, W, K]``."""
    height, width, _ = image.shape
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    out = np.zeros((height, width, kernel.shape[-1]))
    for row in range(height):
        for column in range(width):
            window = padded[row : row + 3, column : column + 3]
            out[row, column] = np.tensordot(window, kernel, 3) + bias
    return out


def activation(params, image):
    """The second convolution's output."""
    hidden = np.tanh(conv(image, params["Conv_0"]["kernel"], params["Conv_0"]["bias"]))
    return conv(hidden, params["Conv_1"]["kernel"], params["Conv_1"]["bias"])


def head(params, maps, label):
    """The label's logit from the second convolution's output."""
    features = np.tanh(maps).mean((0, 1))
    return float(features @ params["Dense_0"]["kernel"][:, label] + params["Dense_0"]["bias"][label])


def logit(params, image, label):
    return head(params, activation(params, image), label)


def finite_differences(function, at, step=1e-4):
    gradient = np.zeros_like(at)
    for index in np.ndindex(at.shape):
        up, down = at.copy(), at.copy()
        up[index] += step
        down[index] -= step
        gradient[index] = (function(up) - function(down)) / (2 * step)
    return gradient


def bilinear(image, height, width):
    """Half-pixel centres, edges repeated."""
    out = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            y = np.clip((row + 0.5) * image.shape[0] / height - 0.5, 0, image.shape[0] - 1)
            x = np.clip((column + 0.5) * image.shape[1] / width - 0.5, 0, image.shape[1] - 1)
            top, left = int(y), int(x)
            bottom, right = min(top + 1, image.shape[0] - 1), min(left + 1, image.shape[1] - 1)
            upper = image[top, left] * (1 - (x - left)) + image[top, right] * (x - left)
            lower = image[bottom, left] * (1 - (x - left)) + image[bottom, right] * (x - left)
            out[row, column] = upper * (1 - (y - top)) + lower * (y - top)
    return out


def cam(maps, gradients, plus_plus):
    """One image's map at the layer's resolution, 0 to 1."""
    total = np.zeros(maps.shape[:2])
    for k in range(maps.shape[-1]):
        a, g = maps[..., k], gradients[..., k]
        if plus_plus:
            alpha = g**2 / (2 * g**2 + a.sum() * g**3 + 1e-6)
            weight = (np.maximum(g, 0) * alpha).sum()
        else:
            weight = g.mean()
        total += weight * a
    return from_0_to_1(np.maximum(total, 0))


def from_0_to_1(image):
    lowest, highest = min(image.ravel()), max(image.ravel())
    return (image - lowest) / (1e-7 + highest - lowest)


def deletion_curve(probability, image, relevance, fill, fractions):
    """``probability`` of one flat image after the most relevant pixels were replaced."""
    order = sorted(range(len(relevance)), key=lambda p: (-relevance[p], p))
    curve = []
    for fraction in fractions:
        changed = image.copy()
        for pixel in order[: int(np.round(fraction * len(order)))]:
            changed[pixel] = fill
        curve.append(probability(changed))
    return np.array(curve)


def counterfactual(maps, member, valid):
    """seen, unseen and the unbiased shift of every example."""
    seen, unseen, shift = [], [], []
    for n in range(maps.shape[1]):
        sides = [maps[[m for m in range(len(maps)) if valid[m] and member[m, n] == side], n] for side in (True, False)]
        variances = [side.var(0, ddof=1).sum() for side in sides]
        difference = sides[0].mean(0) - sides[1].mean(0)
        noise = sum(v / len(side) for v, side in zip(variances, sides, strict=True))
        shift.append(((difference**2).sum() - noise) / np.mean(variances))
        seen.append(sides[0].mean(0))
        unseen.append(sides[1].mean(0))
    return np.array(seen), np.array(unseen), np.array(shift)
