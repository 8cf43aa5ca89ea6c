"""Asking every model of a group about every example: logits and scaled logits, under one or several views."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from miajax.errors import UserError
from miajax.signals.passes import Passes, block_of, go_on
from miajax.signals.scaled_logit import scaled_logit
from miajax.training.parallel import OverModels, Placement
from miajax.training.trainer import Trainer, TrainState

QueryMode = Literal["evaluation", "batch_stats"]
QUERY_COUNTS = (1, 2, 18, 50)


class Answers(NamedTuple):
    """What a group of models says of the queried examples.

    Attributes:
      scaled_logit: ``float32[G, N, Q]``.
      correct: ``bool[G, N]``, whether the unmodified view (query 0) is classified right.
      logits: ``float32[G, N, Q, C]``, or None where they were not asked for.
    """

    scaled_logit: Float[np.ndarray, "models examples queries"]
    correct: Bool[np.ndarray, "models examples"]
    logits: Float[np.ndarray, "models examples queries classes"] | None


class _Pass(NamedTuple):
    """What one forward pass says of a block under one view: ``[B]``, ``[B]``, ``[B, C]`` or None."""

    scaled_logit: Any
    correct: Any
    logits: Any


def views(queries: int) -> np.ndarray:
    """The augmented views that all models are asked about: ``int32[Q, 3]`` of (flip, row shift, column shift).

    1 is the image itself; 2, 18 and 50 are {unflipped, flipped} x (2s+1)^2 shifts for s = 0, 1, 2, the image itself
    first (Carlini et al. 2022, "Membership Inference Attacks From First Principles", and its published code).
    """
    if queries == 1:
        return np.zeros((1, 3), np.int32)
    if queries not in QUERY_COUNTS:
        raise UserError(f"--queries {queries}", expected="one of " + ", ".join(map(str, QUERY_COUNTS)))
    reach = {2: 0, 18: 1, 50: 2}[queries]
    shifts = sorted(range(-reach, reach + 1), key=lambda s: (abs(s), s))
    return np.array([(f, dy, dx) for f in (0, 1) for dy in shifts for dx in shifts], np.int32)


def check_queries(queries: int, example_shape: tuple[int, ...]) -> None:
    """Refuses view sets that do not exist, and several views of what is no image.

    Raises:
      UserError: see above.
    """
    views(queries)
    if queries > 1 and len(example_shape) != 3:
        raise UserError(
            f"--queries {queries} on rows of shape {example_shape}",
            expected="images [height, width, channels]",
            remedy="Use --queries 1 for tables",
        )


def untrained_answers(trainer: Trainer, features: np.ndarray, mode: QueryMode) -> Float[np.ndarray, "examples classes"]:
    """What an untrained network of the trainer answers, to see of what kind its answers are before it is trained.

    Args:
      trainer: whose network.
      features: ``[K, ...]`` as stored, a few.
      mode: as models will be asked.
    """

    def answer(key, x):
        x = trainer.scaling(x)
        params, state = trainer.model.init(key, x[:1])
        train = mode == "batch_stats"
        return trainer.model.apply(params, state, x, train, key if train else None)[0]

    return np.asarray(jax.jit(answer)(jax.random.key(0), jnp.asarray(features)))


def _view(images: jax.Array, view: jax.Array, reach: int) -> jax.Array:
    padded = jnp.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)), mode="reflect")
    shifted = jax.lax.dynamic_slice(padded, (0, reach + view[1], reach + view[2], 0), images.shape)
    return jnp.where(view[0] > 0, shifted[:, :, ::-1], shifted)


class Querier:
    """The compiled query of a trainer's models over one set of examples.

    Args:
      trainer: whose models are asked.
      features, labels: ``[N, ...]`` as stored, ``int32[N]``; put on every device once.
      placement: how models share the machine.
      block: examples of one forward pass.
      queries: Q, one of 1, 2, 18, 50; more than one needs images ``[N, H, W, K]``.
      keep_logits: whether logits come back too.
      mode: ``evaluation`` uses running statistics; ``batch_stats`` those of the block, as published code once did.

    Raises:
      UserError: several queries on data that has no image axes.
    """

    def __init__(
        self,
        trainer: Trainer,
        features: np.ndarray,
        labels: np.ndarray,
        placement: Placement,
        *,
        block: int,
        queries: int = 1,
        keep_logits: bool = True,
        mode: QueryMode = "evaluation",
    ):
        check_queries(queries, features.shape[1:])
        self.num_examples, self.keep_logits = len(labels), keep_logits
        self.block = min(block, self.num_examples)
        blocks = -(-self.num_examples // self.block)
        rows = np.arange(blocks * self.block) % self.num_examples  # a batch's statistics want no copies of one row
        shared = (
            jnp.asarray(features[rows].reshape(blocks, self.block, *features.shape[1:])),
            jnp.asarray(labels[rows].reshape(blocks, self.block)),
            jnp.asarray(views(queries)),
        )
        reach = int(np.abs(views(queries)[:, 1:]).max())

        def forward(params, state, x):
            if mode == "evaluation":
                return trainer.model.apply(params, state, trainer.scaling(x), False, None)[0]
            return trainer.model.apply(params, state, trainer.scaling(x), True, jax.random.key(0))[0]

        self._evaluated = trainer.evaluated

        def of_pass(model: tuple[Any, Any], shared, number):
            features, labels, all_views = shared
            # Else XLA:CPU would work the slice, and what is done to it, off once for each of its readers.
            x, y = jax.lax.optimization_barrier(block_of((features, labels), number // queries))
            logits = forward(*model, _view(x, all_views[number % queries], reach) if queries > 1 else x)
            return _Pass(scaled_logit(logits, y), jnp.argmax(logits, -1) == y, logits if keep_logits else None)

        self._queries = queries
        self._passes = Passes(of_pass, blocks * queries, shared, placement)

    @property
    def program(self) -> OverModels:
        """The compiled program, for its memory."""
        return self._passes.program

    def compile(self, state: TrainState) -> None:
        """Compiles for the shapes of ``state`` (leaves ``[G, ...]``) without running."""
        self._passes.compile(self._evaluated(state))

    def __call__(self, state: TrainState, between: Callable[[], None] = go_on) -> Answers:
        """What the models of ``state`` (leaves ``[G, ...]``) answer, on the host.

        ``between`` is called between two calls of the program, each of about a second; what it raises ends the
        query.
        """
        answers = None
        for number, seen in self._passes(self._evaluated(state), between):
            if answers is None:
                answers = self._unanswered(seen)
            block, view = divmod(number, self._queries)
            rows = slice(block * self.block, min((block + 1) * self.block, self.num_examples))
            real = slice(rows.stop - rows.start)
            answers.scaled_logit[:, rows, view] = seen.scaled_logit[:, real]
            if view == 0:
                answers.correct[:, rows] = seen.correct[:, real]
            if answers.logits is not None:
                answers.logits[:, rows, view] = seen.logits[:, real]
        assert answers is not None
        return answers

    def _unanswered(self, seen: "_Pass") -> Answers:
        cells = (len(seen.correct), self.num_examples)
        logits = None
        if seen.logits is not None:
            logits = np.empty((*cells, self._queries, seen.logits.shape[-1]), np.float32)
        return Answers(np.empty((*cells, self._queries), np.float32), np.empty(cells, bool), logits)
