"""What many models answer in forward passes over one set of examples, in calls that time bounds."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from miajax.training.parallel import OverModels, Placement

_MOST = 16  # passes of one call: what its answers take on a device
_CALL_SECONDS = 1.0  # each call has its scratch from the system anew: .04 s of CPU time for 86 MB


def go_on() -> None:
    """Between two calls: nothing."""


def block_of(shared: Any, number: jax.Array) -> Any:
    """Block ``number`` of arrays ``[blocks, ...]``, as a slice: XLA:CPU would work a gather off once a reader."""
    return jax.tree.map(lambda a: jax.lax.dynamic_index_in_dim(a, number, keepdims=False), shared)


def in_groups(ask: Callable[[Any], Any], models: Any, placement: Placement) -> Any:
    """What any number of models answer, joined on the host (leaves ``[M, ...]``).

    The smallest groups there are, since all models at once would make one pass longer than a call should be.

    Args:
      ask: of a group, leaves ``[placement.width, ...]``, all of whose answers start with that axis.
      models: leaves ``[M, ...]``.
      placement: how models share the machine.
    """
    total = len(jax.tree.leaves(models)[0])

    def group(first: int) -> Any:
        rows = np.minimum(np.arange(first, first + placement.width), total - 1)

        def picked(leaf: Any) -> np.ndarray:
            return np.asarray(leaf)[rows]

        return jax.tree.map(picked, models)

    def joined(*groups: np.ndarray) -> np.ndarray:
        return np.concatenate(groups)[:total]

    return jax.tree.map(joined, *[ask(group(first)) for first in range(0, total, placement.width)])


class Passes:
    """Passes that are alike, any number of them in a call of one compiled program.

    A call takes about a second, or one pass where that takes longer. How passes are cut into calls does not change
    bits.

    Args:
      of_pass: ``(model, shared, number) -> answers`` of one model.
      total: how many passes there are.
      shared: what all models and passes read; put on every device once.
      placement: how models share the machine.
    """

    def __init__(self, of_pass: Callable[[Any, Any, jax.Array], Any], total: int, shared: Any, placement: Placement):
        self.total, self._placement, self._shared = total, placement, placement.share(shared)
        self._most = min(_MOST, total)
        self._rate = 0.0  # passes a second, by the last call

        def of_model(_, model, shared):
            data, first, count = shared
            answer = jax.eval_shape(of_pass, model, data, first)
            nothing = jax.tree.map(lambda a: jnp.zeros((self._most, *a.shape), a.dtype), answer)

            def one(place, answers):
                now = of_pass(model, data, first + place)
                put = lambda all_passes, a: jax.lax.dynamic_update_index_in_dim(all_passes, a, place, 0)  # noqa: E731
                return jax.tree.map(put, answers, now)

            return jax.lax.fori_loop(0, count, one, nothing)

        self.program = OverModels(of_model, placement)

    def compile(self, models: Any) -> None:
        """Compiles for the shapes of ``models`` (leaves ``[G, ...]``) without running."""
        bound = jax.ShapeDtypeStruct((), jnp.int32)
        self.program.compile((), models, (self._shared, bound, bound))

    def __call__(self, models: Any, between: Callable[[], None] = go_on) -> Iterator[tuple[int, Any]]:
        """Every pass by number, in order, with its answers on the host (leaves ``[G, ...]``).

        ``between`` is called between two calls of the program; what it raises ends the passes.
        """
        models = self._placement.split(models)
        self.compile(models)
        first = 0
        while first < self.total:
            if first:
                between()
            count = min(max(1, int(self._rate * _CALL_SECONDS)), self._most, self.total - first)
            bounds = self._placement.share((np.int32(first), np.int32(count)))
            begin = time.perf_counter()
            answers = jax.block_until_ready(self.program((), models, (self._shared, *bounds)))
            self._rate = count / max(time.perf_counter() - begin, 1e-9)
            found = jax.tree.map(np.asarray, answers)
            for place in range(count):
                yield first + place, jax.tree.map(lambda a, place=place: a[:, place], found)
            first += count
