"""Integrated gradients: the logit's change from a baseline, shared out over the inputs.

Sundararajan et al. 2017 (arXiv 1703.01365): the mean gradient along the straight line from a baseline, times the way. A
map's sum approaches ``F(x) - F(baseline)``, and equals it for a linear F. With ReLU the gradient jumps along the line
and the midpoint rule's error falls with 1 / steps only: ``integrated_gradients_within`` adds points where they are
needed. Arguments are those of ``miajax.saliency.gradients``.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from miajax.saliency.gradients import Baseline, LogitsOf, gradient, of_classes
from miajax.signals.bundle import AnyArray


def integrated_gradients(
    logits_of: LogitsOf,
    x: Float[AnyArray, "batch *input"],
    classes: Int[AnyArray, " batch"],
    baseline: Baseline = 0.0,
    *,
    steps: int = 32,
) -> Float[Array, "batch *input"]:
    """Integrated gradients by the midpoint rule with ``steps`` points, one after the other."""
    start, way = _line(x, baseline)

    def add(step, total):
        return total + gradient(logits_of, start + (step + 0.5) / steps * way, classes)

    return way * jax.lax.fori_loop(0, steps, add, jnp.zeros_like(x)) / steps


def integrated_gradients_within(
    logits_of: LogitsOf,
    x: Float[AnyArray, "batch *input"],
    classes: Int[AnyArray, " batch"],
    baseline: Baseline = 0.0,
    *,
    tolerance: float = 1e-3,
    steps: int = 32,
    most_steps: int = 2592,
) -> tuple[Float[Array, "batch *input"], Int[Array, " batch"]]:
    """Integrated gradients with as many points as completeness takes, and how many each example took.

    The number of points is tripled, which keeps all midpoints that are known, until each example's gap is at most
    ``tolerance |F(x)|``. An example that has got there is left alone, so that its map does not depend on its batch
    mates; the work is that of the slowest of them.

    Args:
      logits_of, x, classes, baseline: as in ``integrated_gradients``.
      tolerance: share of the logit's magnitude.
      steps: points to begin with.
      most_steps: tripling stops before it would exceed this, complete or not.
    """
    x = jnp.asarray(x)
    start, way = _line(x, baseline)
    here = of_classes(logits_of(x), classes)
    change = here - of_classes(logits_of(start), classes)
    by_example = (len(x), *[1] * (x.ndim - 1))

    def add(step, points, total):
        return total + gradient(logits_of, start + (step + 0.5) / points * way, classes)

    def maps_of(total, points):
        return way * total / points.reshape(by_example)

    def open_examples(total, points):
        return _gap(maps_of(total, points), change) > tolerance * jnp.abs(here)

    def unfinished(state):
        total, points, number = state
        return open_examples(total, points).any() & (3 * number <= most_steps)

    def tripled(state):
        total, points, number = state
        still_open = open_examples(total, points)
        # of three new intervals the middle one has an old midpoint
        finer = jax.lax.fori_loop(0, 2 * number, lambda n, t: add(3 * (n // 2) + 2 * (n % 2), 3 * number, t), total)
        total = jnp.where(still_open.reshape(by_example), finer, total)
        return total, jnp.where(still_open, 3 * number, points), 3 * number

    total = jax.lax.fori_loop(0, steps, lambda n, t: add(n, steps, t), jnp.zeros_like(x))
    state = (total, jnp.full(len(x), steps, jnp.int32), jnp.int32(steps))
    total, points, _ = jax.lax.while_loop(unfinished, tripled, state)
    return maps_of(total, points), points


def completeness_gap(
    logits_of: LogitsOf,
    x: Float[AnyArray, "batch *input"],
    classes: Int[AnyArray, " batch"],
    maps: Float[AnyArray, "batch *input"],
    baseline: Baseline = 0.0,
) -> Float[Array, " batch"]:
    """``|sum of the map - (F(x) - F(baseline))|`` of integrated gradients, in units of the logit; 0 when complete."""
    x = jnp.asarray(x)
    start, _ = _line(x, baseline)
    return _gap(maps, of_classes(logits_of(x), classes) - of_classes(logits_of(start), classes))


def _line(x: AnyArray, baseline: Baseline) -> tuple[Array, Array]:
    start = jnp.broadcast_to(jnp.asarray(baseline, x.dtype), x.shape)
    return start, jnp.asarray(x) - start


def _gap(maps: AnyArray, change: AnyArray) -> Array:
    return jnp.abs(maps.sum(tuple(range(1, maps.ndim))) - change)
