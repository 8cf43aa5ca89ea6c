"""Means and deviations that a model's inputs are standardised by, released once from its own members with noise.

Each member contributes, for every column (a table's column of numbers, a picture's channel), ``u`` and ``u^2 - 1/2``,
where u in [-1, 1] is its value after scaling by public bounds and cutting to them (of pictures: both averaged over the
pixels). The sums get Gaussian noise (Dwork et al. 2006) of a standard deviation that is a multiple of the farthest that
one member moves them. Of G columns:

    add or remove one example   sqrt(3 G / 2): a member adds its entries, u^2 + (u^2 - 1/2)^2 <= 5/4 a column, and
                                sqrt(G) / 2 to a count that is released as well, since it tells one more from one less
    replace one example         2 sqrt(G): from u = -1 to u = 1; the count is the same and public

All that follows reads nothing but what was released. Host code, float64.
"""

import dataclasses
import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from miajax.models.model import Model
from miajax.training.dp.accounting import ADD_OR_REMOVE_ONE
from miajax.training.dp.noise import gaussian_like
from miajax.training.dp.threefry import step_key

_NO_STEP = 2**32 - 1  # whose key is that of the statistics: no training has so many steps
_ROWS = 1024  # read at a time

Sums = Float[np.ndarray, "models entries"]


def sensitivity(columns: int, adjacency: str) -> float:
    """How far neighbouring sets of members move the sums (and the count) of so many columns, in Euclidean norm."""
    return math.sqrt(1.5 * columns) if adjacency == ADD_OR_REMOVE_ONE else 2 * math.sqrt(columns)


def count_weight(columns: int, adjacency: str) -> float:
    """What a member adds to the count that is released; 0 where the count is public."""
    return math.sqrt(columns) / 2 if adjacency == ADD_OR_REMOVE_ONE else 0.0


@dataclasses.dataclass(frozen=True)
class Statistics:
    """The release, for the models of one campaign.

    Attributes:
      column_of: the column of each entry of a row, -1 for what stays as it is, such as 0/1 features.
      shape: of a row.
      noise_multiplier: standard deviation of the noise over `sensitivity`.
      adjacency: as the accountant of the training has it.
    """

    column_of: tuple[int, ...]
    shape: tuple[int, ...]
    noise_multiplier: float
    adjacency: str

    @classmethod
    def of(cls, column_of: Int[np.ndarray, "..."], noise_multiplier: float, adjacency: str) -> "Statistics":
        return cls(tuple(int(c) for c in column_of.ravel()), column_of.shape, noise_multiplier, adjacency)

    @property
    def columns(self) -> int:
        return max(self.column_of, default=-1) + 1

    def contributions(self, scaled: Float[np.ndarray, "examples ..."]) -> Float[np.ndarray, "examples entries"]:
        """What each example adds, ``[N, 1 + 2 G]``: its weight in the count, then u, then u^2 - 1/2, by column.

        Args:
          scaled: inputs whose public bounds are -1 and 1; cut to them here, whatever was read.
        """
        found = np.empty((len(scaled), 1 + 2 * self.columns))
        found[:, 0] = count_weight(self.columns, self.adjacency)
        columns = np.array(self.column_of)
        taken = columns >= 0
        averaged = np.zeros((int(taken.sum()), self.columns))
        averaged[np.arange(len(averaged)), columns[taken]] = 1.0
        averaged /= averaged.sum(0)
        for first in range(0, len(scaled), _ROWS):
            rows = slice(first, first + _ROWS)
            flat = np.asarray(scaled[rows], np.float64).reshape(len(scaled[rows]), -1)[:, taken]
            u = np.clip(np.nan_to_num(flat), -1.0, 1.0)
            found[rows, 1 : 1 + self.columns] = u @ averaged
            found[rows, 1 + self.columns :] = (u**2 - 0.5) @ averaged
        return found

    def noise(self, key: np.ndarray, model_ids: Sequence[int]) -> Sums:
        """The noise on the sums of each model, ``[G, 1 + 2 columns]``; 0 on a count that is public.

        Args:
          key: the run's secret, ``uint32[2]``.
          model_ids: whose.
        """
        deviation = self.noise_multiplier * sensitivity(self.columns, self.adjacency)
        blank, secret, no_step = jnp.zeros(1 + 2 * self.columns), jnp.asarray(key), jnp.uint32(_NO_STEP)
        drawn = [
            np.asarray(gaussian_like(step_key(secret, jnp.uint32(model), no_step), [blank], 1.0)[0], np.float64)
            for model in model_ids
        ]
        noise = deviation * np.stack(drawn)
        if not count_weight(self.columns, self.adjacency):
            noise[:, 0] = 0.0
        return noise

    def read(
        self, released: Sums, members: Int[np.ndarray, " models"]
    ) -> tuple[Float[np.ndarray, "models columns"], ...]:
        """Means and deviations in units of u, of released sums alone.

        A variance is at least what the noise on it amounts to: below, it is noise.

        Args:
          released: sums of `contributions` with `noise`.
          members: how many each model has; read only where that is public.
        """
        weight, columns = count_weight(self.columns, self.adjacency), self.columns
        count = np.maximum(released[:, :1] / weight, 1.0) if weight else np.asarray(members, np.float64)[:, None]
        mean = np.clip(released[:, 1 : 1 + columns] / count, -1.0, 1.0)
        variance = released[:, 1 + columns :] / count + 0.5 - mean**2
        least = np.minimum(2 * self.noise_multiplier * sensitivity(columns, self.adjacency) / count, 1.0)
        return mean, np.sqrt(np.clip(variance, least, 1.0))


def standardising(model: Model, statistics: Statistics) -> Model:
    """The network behind a standardisation whose means and deviations are part of its state: ``[columns]`` each.

    Until they are set they change nothing. The network itself has no state.
    """
    columns = np.array(statistics.column_of).reshape(statistics.shape)
    taken, place = columns >= 0, np.maximum(columns, 0)

    def init(key, x):
        params, _ = model.init(key, x)
        return params, {"mean": jnp.zeros(statistics.columns), "deviation": jnp.ones(statistics.columns)}

    def apply(params, state, x, train, key):
        mean = jnp.where(taken, state["mean"][place], 0.0)
        deviation = jnp.where(taken, state["deviation"][place], 1.0)
        logits, _ = model.apply(params, {}, ((x - mean) / deviation).astype(x.dtype), train, key)
        return logits, state

    return model._replace(init=init, apply=apply)
