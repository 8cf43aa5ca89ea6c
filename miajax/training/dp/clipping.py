"""The sum of clipped per-example gradients, at the work of a plain step wherever the network allows it."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from miajax.training.dp.gradients import LayerGradient, cheaper_method
from miajax.training.dp.layer_rules import RULES
from miajax.training.dp.per_example import clip_factors, explicit_clipped_sum
from miajax.training.dp.taps import Apply, Path, Recording, tapped_gradient

ExampleLoss = Callable[[jax.Array, jax.Array], jax.Array]  # (logits [B, C], labels [B]) -> losses [B]

_MICROBATCH_BYTES = 16 << 20  # explicit per-example gradients that exist at a time


class Clipped(NamedTuple):
    """What clipping a batch yields.

    Attributes:
      total: sum of the clipped gradients over real examples, float32, shaped like the parameters.
      norms: ``float32[B]``, gradient norms before clipping; 0 for padding.
      losses: ``float32[B]``, mean over views; 0 for padding.
      hits: ``float32[B]``, share of views classified right; 0 for padding.
    """

    total: Any
    norms: jax.Array
    losses: jax.Array
    hits: jax.Array


@dataclasses.dataclass(frozen=True)
class LayerPlan:
    """How one layer is clipped.

    Attributes:
      path: its place in the parameters.
      layer: its type.
      method: ``product``, ``ghost`` or ``explicit``; ``explicit`` for normalisation layers.
      reason: the count that decided it.
    """

    path: Path
    layer: str
    method: str
    reason: str


@dataclasses.dataclass(frozen=True)
class ClippingPlan:
    """How a network is clipped, decided once from its layers.

    Attributes:
      layers: one entry a layer; empty where the network falls back.
      views: K, views of an example whose gradients are averaged before clipping.
      fallback: why the whole network is clipped from explicit per-example gradients, or None.
      microbatch: of the fallback, explicit gradients at a time.
    """

    layers: tuple[LayerPlan, ...]
    views: int
    fallback: str | None
    microbatch: int

    def lines(self) -> list[str]:
        """The plan for people, one line a layer."""
        if self.fallback is not None:
            return [f"whole network: explicit gradients, {self.microbatch} examples at a time; {self.fallback}"]
        return [f"{'/'.join(layer.path)} ({layer.layer}): {layer.method}; {layer.reason}" for layer in self.layers]


def plan_clipping(
    apply: Apply, params: Any, example_shape: tuple[int, ...], views: int = 1, check: ExampleLoss | None = None
) -> ClippingPlan:
    """Reads the network's layers and says how each is clipped.

    Args:
      apply: the network in training.
      params: some parameters; their values matter to ``check`` alone.
      example_shape: of one input.
      views: K.
      check: a loss; where given, tapped norms and their clipped sum are compared with explicit ones on three random
        examples, and a network for which they differ (examples that see each other, parameters read outside their
        layer) falls back.
    """
    size = sum(leaf.size for leaf in jax.tree.leaves(params))
    microbatch = int(np.clip(_MICROBATCH_BYTES // (4 * size), 1, 64))
    fall_back = ClippingPlan((), views, None, microbatch)
    found: list[LayerPlan] = []
    reasons: list[str] = []
    dtypes: set[Any] = set()

    def read(params, x, key):
        recording = Recording(views)
        recording.run(apply, params, x, key)
        layers, reason = _layers(recording, params)
        found.extend(layers)
        reasons.extend(reason)
        dtypes.update(call.outputs.dtype for call in recording.calls.values())

    batch = jax.ShapeDtypeStruct((2 * views, *example_shape), jnp.float32)
    jax.eval_shape(read, params, batch, jax.random.key(0, impl="threefry2x32"))
    if reasons:
        return dataclasses.replace(fall_back, fallback="; ".join(reasons))
    plan = dataclasses.replace(fall_back, layers=tuple(found))
    exact = dtypes == {jnp.dtype("float32")}
    if check is not None and not _agrees(plan, apply, check, params, example_shape, exact):
        return dataclasses.replace(fall_back, fallback="tapped gradients differ from explicit ones")
    return plan


def _layers(recording: Recording, params: Any) -> tuple[list[LayerPlan], list[str]]:
    layers, reasons, covered = [], [], set()
    for path, count in recording.counts.items():
        name = "/".join(path)
        call = recording.calls.get(path)
        if call is None or path in recording.unread:
            reasons.append(f"{name} is {recording.unread[path]}")
            continue
        rule = RULES[type(call.module)]
        refused = rule.refused(call.module)
        if count > 1:
            reasons.append(f"{name} is called {count} times")
        elif refused is not None:
            reasons.append(f"{name}: {refused}")
        positions, fan_in, fan_out = rule.shape(call)
        covered |= {(*path, leaf) for leaf in rule.parameters(call.module)}
        kind = type(call.module).__name__
        if "kernel" not in rule.parameters(call.module):
            layers.append(LayerPlan(path, kind, "explicit", f"{fan_out} channels"))
            continue
        method = cheaper_method(positions, fan_in, fan_out)
        sizes = f"T = {positions}, p d = {fan_in * fan_out}"
        compared = {"product": "T = 1", "ghost": f"2 T^2 <= p d: {sizes}", "explicit": f"2 T^2 > p d: {sizes}"}
        layers.append(LayerPlan(path, kind, method, compared[method]))
    for keys, _ in jax.tree_util.tree_flatten_with_path(params)[0]:
        leaf = tuple(str(getattr(k, "key", k)) for k in keys)
        if leaf not in covered:
            reasons.append(f"{'/'.join(leaf)} belongs to no layer that can be tapped")
    return layers, reasons


def clipped_sum(
    plan: ClippingPlan,
    apply: Apply,
    loss: ExampleLoss,
    params: Any,
    x: Float[Array, "batch views ..."],
    y: Int[Array, "..."],
    mask: Bool[Array, " batch"],
    clip_norm: Float[Array, ""] | float,
    key: jax.Array,
    weights: Float[Array, "batch views"] | None = None,
) -> Clipped:
    """Sums gradients of a batch, each scaled down to the clipping norm where it is longer.

    An example's gradient is that of its mean loss over views (De et al. 2022). Where the unit is a group of rows, these
    are its views, each with its own label and weight, and the group's gradient is clipped once. Examples whose squared
    norm float32 can't hold count as 0, so that one example can't decide whether the sum is finite.

    Args:
      plan: of this network.
      apply: the network, parameters in any precision; sums and norms are float32.
      loss: of each row; must not mix rows.
      params: parameters.
      x: inputs, all views of an example together.
      y: labels, one an example, or one a view where there are weights.
      mask: false for padded slots.
      clip_norm: C, may be traced.
      key: PRNG key of dropout.
      weights: of each view in its example's loss, 0 for padding; None for the mean.
    """
    views = plan.views
    if plan.fallback is not None:

        def of_one(logits, labels):
            if weights is None:
                return loss(logits, jnp.broadcast_to(labels, logits.shape[:1])).mean()
            return loss(logits, labels[0]) @ labels[1]

        total, squares, losses, logits = explicit_clipped_sum(
            apply, of_one, params, x, y if weights is None else (y, weights), mask, clip_norm, key, plan.microbatch
        )
    else:
        losses, logits, gradients = _tapped(plan, apply, loss, params, x, y, key, weights)
        squares = _squared_norms(gradients)
        total = _weighted_sum(params, gradients, clip_factors(squares, mask, clip_norm))
    right = jnp.argmax(logits.reshape(len(y), views, -1), -1) == (y[:, None] if weights is None else y)
    hits = right.mean(1, dtype=jnp.float32) if weights is None else (right * weights).sum(1) / weights.sum(1)
    real = lambda values: jnp.where(mask, values, 0.0)  # noqa: E731
    return Clipped(total, real(jnp.sqrt(squares)), real(losses), real(hits))


def _tapped(plan: ClippingPlan, apply: Apply, loss: ExampleLoss, params, x, y, key, weights=None):
    """Losses ``[B]``, logits and every layer's gradients."""
    views, rows = plan.views, x.reshape(-1, *x.shape[2:])

    def objective(logits):
        if weights is None:
            losses = loss(logits, jnp.repeat(y, views)).reshape(-1, views).mean(1)
        else:
            losses = (loss(logits, y.reshape(-1)).reshape(-1, views) * weights).sum(1)
        return losses.sum(), (losses, logits)

    paths = tuple(layer.path for layer in plan.layers)
    (losses, logits), calls = tapped_gradient(objective, apply, params, rows, key, paths, views)
    return losses, logits, {path: RULES[type(call.module)].gradient(call) for path, call in calls.items()}


def _squared_norms(gradients: dict[Path, LayerGradient]) -> jax.Array:
    return jnp.stack([g.squared_norm() for g in gradients.values()]).sum(0)


def _weighted_sum(params: Any, gradients: dict[Path, LayerGradient], factors: jax.Array) -> Any:
    """The layers' sums in the places of the parameters."""
    layers = {path: gradient.weighted_sum(factors) for path, gradient in gradients.items()}

    def place(keys, leaf):
        *path, name = (str(getattr(k, "key", k)) for k in keys)
        return layers[tuple(path)][name].reshape(leaf.shape)

    return jax.tree_util.tree_map_with_path(place, params)


def _agrees(plan: ClippingPlan, apply: Apply, loss: ExampleLoss, params, example_shape, exact: bool) -> bool:
    """Whether tapped norms and a clipped sum are those of explicit gradients, at random parameters and inputs."""
    examples, clip_norm = 3, 1.0
    keys = jax.random.split(jax.random.key(0, impl="threefry2x32"), 3)
    # Fresh networks have zeros (biases, last scales of residual branches) that would hide a wrong norm.
    leaves, tree = jax.tree.flatten(params)
    noise = [jax.random.normal(jax.random.fold_in(keys[0], i), p.shape) for i, p in enumerate(leaves)]
    params = jax.tree.unflatten(tree, [p + 0.1 * n for p, n in zip(leaves, noise, strict=True)])
    x = jax.random.normal(keys[1], (examples, plan.views, *example_shape))
    y = jnp.arange(examples, dtype=jnp.int32) % 2

    def both(params, x, key):
        losses = lambda p: (  # noqa: E731
            loss(apply(p, x.reshape(-1, *example_shape), key), jnp.repeat(y, plan.views)).reshape(examples, -1).mean(1)
        )
        jacobian = jax.tree.map(lambda j: j.astype(jnp.float32), jax.jacrev(losses)(params))
        squares = sum(jnp.sum(j.reshape(examples, -1) ** 2, 1) for j in jax.tree.leaves(jacobian))
        # Each example cut to another share of its length, so that none can stand for another in the sum.
        factors = clip_norm * jnp.array([1.0, 0.5, 0.25]) / jnp.maximum(jnp.sqrt(squares), 1e-12)
        explicit = jnp.sqrt(squares), jax.tree.map(lambda j: jnp.tensordot(factors, j, 1), jacobian)
        gradients = _tapped(plan, apply, loss, params, x, y, key)[2]
        return (jnp.sqrt(_squared_norms(gradients)), _weighted_sum(params, gradients, factors)), explicit

    cheap = {"xla_backend_optimization_level": "1"} if jax.default_backend() == "cpu" else {}
    with jax.default_matmul_precision("highest"):  # accelerators round to 10 bits, each side otherwise
        tapped, explicit = jax.jit(both, compiler_options=cheap)(params, x, keys[2])
    tolerance = 1e-4 if exact else 0.03  # bfloat16 gradients differ by 1 %
    close = lambda a, b, unit: bool(np.allclose(a, b, rtol=tolerance, atol=unit))  # noqa: E731
    sums = jax.tree.leaves(jax.tree.map(lambda a, b: close(a, b, tolerance * clip_norm), tapped[1], explicit[1]))
    return close(tapped[0], explicit[0], 1e-6) and all(sums)
