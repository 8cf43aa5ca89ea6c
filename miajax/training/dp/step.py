"""The gradient of one private step: sample, clip, sum, noise."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from miajax.errors import UserError
from miajax.models.model import Model
from miajax.training.dp.clipping import Clipped, ClippingPlan, ExampleLoss, clipped_sum, plan_clipping
from miajax.training.dp.mechanism import Mechanism
from miajax.training.dp.noise import gaussian_like
from miajax.training.dp.sampling import Sample, fixed_size_sample, poisson_sample
from miajax.training.dp.taps import Apply
from miajax.training.dp.threefry import Words, step_key

_CPU_ROWS = 8
"""Images that a CPU clips at a time: activations, patches and gradients of so few stay in its cache, and a sample is
not filled up to all its places. Private steps a second of the CNN on 28x28, mean batch 64, two cores: 112 at a time
29, 56: 36, 32: 54, 16: 66, 8: 68. Dense layers lose by it (Purchase MLP: 112 at a time 196, 32: 189, 16: 168)."""


class PrivateInputs(NamedTuple):
    """What is private to one model, or may differ between the models of a sweep. Never part of a checkpoint.

    Attributes:
      key: ``uint32[2]``, the run's secret; a step's key is made of it, the model's id and the step's number.
      clip_norm, noise_multiplier: ``float32[]``.
    """

    key: Any
    clip_norm: Any
    noise_multiplier: Any


class PrivateGradient(NamedTuple):
    """One step's yield.

    Attributes:
      gradient: noisy sum of clipped gradients over the expected batch size, float32.
      loss, hit: means over the sample, for people; they are not private.
    """

    gradient: Any
    loss: jax.Array
    hit: jax.Array


@dataclasses.dataclass(frozen=True)
class PrivateStep:
    """A mechanism with the way that a network is clipped.

    Attributes:
      mechanism: sampling, clipping, noise and accounting; of the noisiest models, where they differ.
      plan: how this network's gradients are clipped.
      block: examples clipped at a time; a sample is worked off in as many blocks as it fills.
    """

    mechanism: Mechanism
    plan: ClippingPlan
    block: int

    @classmethod
    def of(
        cls, mechanism: Mechanism, model: Model, apply: Apply, loss: ExampleLoss, example_shape: tuple[int, ...]
    ) -> "PrivateStep":
        """Reads the network's layers.

        Raises:
          UserError: the network keeps statistics of the batch, which carry examples past the clipping norm.
        """
        example = jnp.zeros((1, *example_shape), jnp.float32)
        params, state = jax.jit(model.init)(jax.random.key(0, impl="threefry2x32"), example)
        if jax.tree.leaves(state):
            raise UserError(
                f"--model {model.name} keeps running statistics of its batches, as BatchNorm does",
                expected="a network without model state under differential privacy",
                remedy="Use GroupNorm: statistics of a batch pass from example to example around the clipping norm",
            )
        views = mechanism.views * mechanism.rows
        plan = plan_clipping(apply, params, example_shape, views, check=loss)
        block = mechanism.block
        if jax.default_backend() == "cpu" and any(layer.method != "product" for layer in plan.layers):
            block = min(block, max(1, _CPU_ROWS // views))
        return cls(mechanism, plan, block)

    @property
    def noisy(self) -> bool:
        """Whether any model adds noise; where none does, none is drawn."""
        return self.mechanism.step.noise_multiplier > 0

    def gradient(
        self,
        apply: Apply,
        loss: ExampleLoss,
        params: Any,
        inputs: PrivateInputs,
        members: tuple[jax.Array, jax.Array, int],
        number: jax.Array,
        batch_of: Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array, jax.Array | None]],
        key: jax.Array,
    ) -> PrivateGradient:
        """The step's gradient.

        Args:
          apply, loss, params: the network, as ``clipped_sum`` takes them.
          inputs: of this model.
          members: ``(model id, number of members, upper bound of that number)``.
          number: of this step since the beginning of training; every step has noise of its own.
          batch_of: ``(places in the list of members [B], key) -> (x [B, K, ...], y [B], None)``; where members are
            groups, ``(x [B, K, ...], y [B, K], weights [B, K])`` of their rows.
          key: of augmentation and dropout, not secret.
        """
        mechanism = self.mechanism
        model_id, count, capacity = members
        secret = step_key(inputs.key, model_id, number)
        sample = self._sample(secret, count, capacity)

        def clipped(rows, mask, key):
            draws, dropout = jax.random.split(key)
            x, y, weights = batch_of(rows, draws)
            return clipped_sum(self.plan, apply, loss, params, x, y, mask, inputs.clip_norm, dropout, weights)

        total, losses, hits = self._over_blocks(clipped, sample, params, key)
        if self.noisy:
            deviation = inputs.noise_multiplier * inputs.clip_norm
            total = jax.tree.map(jnp.add, total, gaussian_like(secret, params, deviation))
        # The expected size, not the sample's own: a division by the latter would tell how many were sampled.
        gradient = jax.tree.map(lambda t: t / mechanism.step.batch_size, total)
        seen = jnp.maximum(sample.used, 1)
        return PrivateGradient(gradient, losses / seen, hits / seen)

    def _sample(self, key: Words, count: jax.Array, capacity: int) -> Sample:
        mechanism = self.mechanism
        if mechanism.step.sampling == "fixed_size":
            return fixed_size_sample(key, capacity, mechanism.width)
        return poisson_sample(key, capacity, count, mechanism.step.rate, mechanism.width)

    def _over_blocks(self, clipped: Callable[..., Clipped], sample: Sample, params: Any, key: jax.Array):
        """Sums over the sample, ``block`` examples at a time: as many blocks as are in use."""
        width, block = self.mechanism.width, self.block
        blocks = -(-width // block)
        rows = jnp.pad(sample.rows, (0, blocks * block - width))

        def sums(number):
            here = jax.lax.dynamic_slice_in_dim(rows, number * block, block)
            mask = number * block + jnp.arange(block) < sample.used
            out = clipped(here, mask, jax.random.fold_in(key, number))
            return out.total, out.losses.sum(), out.hits.sum()

        if blocks == 1:
            return sums(0)
        zero = jax.tree.map(lambda p: jnp.zeros(p.shape, jnp.float32), params), jnp.float32(0), jnp.float32(0)
        used = -(-sample.used // block)
        return jax.lax.fori_loop(0, used, lambda i, so_far: jax.tree.map(jnp.add, so_far, sums(i)), zero)
