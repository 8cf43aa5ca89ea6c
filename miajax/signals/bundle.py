"""What an ensemble reveals about the pool: the one thing that attacks read."""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int

from miajax.arrays import AnyArray as AnyArray


class Signals(NamedTuple):
    """Signals of M models on N examples; an attack names the fields it needs, the rest may be None.

    Rows of models that failed are NaN. Any field may be a NumPy array, a memory map or a JAX array.

    Attributes:
      scaled_logit: ``float32[M, N, Q]``, ``log(p_y / (1 - p_y))`` of every query; query 0 is the unmodified example;
        None where models answer with classes alone.
      correct: ``bool[M, N]``, whether query 0 is classified as its label.
      labels: ``int32[N]``.
      logits: ``float32[M, N, Q, C]``.
      losses: ``float32[M, E, N]``, every example's loss after every epoch, in nats.
      gradient_norm: ``float32[M, N]``, norm of the loss's gradient by the parameters.
      input_gradient_norm: ``float32[M, N]``, norm of the loss's gradient by the input.
      features: ``float32[N, F]``, what describes the examples themselves: inputs or a fixed embedding of them.
      population_logits, population_labels: ``float32[M, P, C]``, ``int32[P]``: reference examples outside the pool that
        no model trained on; without them the pool's non-members of each target stand in.

    Example:
      >>> import numpy as np
      >>> probability = np.array([[0.9, 0.5, 0.99], [0.6, 0.5, 0.7]])  # of the label, [M, N]
      >>> signals = Signals(scaled_logit=np.log(probability / (1 - probability))[..., None])
      >>> signals.scaled_logit.shape, signals.logits is None
      ((2, 3, 1), True)
    """

    scaled_logit: Float[AnyArray, "models examples queries"] | None
    correct: Bool[AnyArray, "models examples"] | None = None
    labels: Int[AnyArray, " examples"] | None = None
    logits: Float[AnyArray, "models examples queries classes"] | None = None
    losses: Float[AnyArray, "models epochs examples"] | None = None
    gradient_norm: Float[AnyArray, "models examples"] | None = None
    input_gradient_norm: Float[AnyArray, "models examples"] | None = None
    features: Float[AnyArray, "examples features"] | None = None
    population_logits: Float[AnyArray, "models population classes"] | None = None
    population_labels: Int[AnyArray, " population"] | None = None
