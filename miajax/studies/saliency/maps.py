"""Saliency maps of a campaign's kept models: any method, any examples, models shared between the devices."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from miajax.campaign.gathered import Campaign
from miajax.campaign.recorded import kept_models
from miajax.errors import UserError
from miajax.saliency.blocks import CAM_BLOCK, DEFAULT_BLOCK, in_blocks
from miajax.saliency.cam import convolutions, grad_cam
from miajax.saliency.gradients import LogitsOf, gradient, gradient_times_input, of_classes, smooth_grad
from miajax.saliency.integrated import completeness_gap, integrated_gradients_within
from miajax.saliency.relevance import (
    area_under_curve,
    background_mass,
    class_probability,
    deletion_curve,
    pixel_relevance,
)
from miajax.signals.features import penultimate_features
from miajax.training.parallel import OverModels
from miajax.typed import tree_map

METHODS = ("gradient", "gradient_times_input", "smooth_grad", "integrated_gradients", "grad_cam")
FROM_NOTHING = ("gradient_times_input", "integrated_gradients")
"""Maps that multiply by the way from an empty input: 0 on empty pixels by their definition."""
LEAST_EMPTY = 0.1
"""Share of a data set's pixels that must be empty before they count as background: dark pixels of photographs don't."""
TOLERANCE = 1e-3
"""Of integrated gradients: the gap to completeness, as a share of the logit, at which no more points are added."""
LEAST_STEPS = 32
FRACTIONS = np.linspace(0.0, 0.5, 11)
"""Shares of pixels deleted along a deletion curve."""

_BLOCK_ROWS = 256  # examples a block where a row is small
_MOST_STEPS = 2592  # completes every map of a dense network in a few seconds
_MOST_STEPS_CONVOLUTIONAL = 96  # where complete maps would take longer than all others together


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Some examples of the pool as maps take them.

    Attributes:
      ids: rows of the pool.
      features: as stored.
      classes: ``int32[n]``, the class that is explained: the label.
    """

    ids: Int[np.ndarray, " chosen"]
    features: np.ndarray
    classes: Int[np.ndarray, " chosen"]

    @classmethod
    def of(cls, campaign: Campaign, ids: Sequence[int] | np.ndarray) -> "Examples":
        rows, dataset = np.asarray(ids, np.int64), campaign.setup.dataset
        return cls(rows, dataset.features[rows], dataset.labels[rows])


@dataclasses.dataclass(frozen=True, eq=False)
class Relevance:
    """What maps say of each example under each model.

    Attributes:
      maps: ``float32[M, n, ...]``, of the stored rows' shape (``grad_cam``: without channels).
      deletion: ``float32[M, n, fractions]``, the class's probability as the most relevant pixels go.
      background: ``bool[n, pixels]``, where nothing is drawn; None where that is not known (``Mapper.background``).
      background_mass: ``float32[M, n]``, share of the map on the background, or None.
      gap: ``float32[M, n]``, of integrated gradients: what is missing to completeness, over the logit; else None.
    """

    maps: Float[np.ndarray, "models chosen *input"]
    deletion: Float[np.ndarray, "models chosen fractions"]
    background: Bool[np.ndarray, "chosen pixels"] | None
    background_mass: Float[np.ndarray, "models chosen"] | None
    gap: Float[np.ndarray, "models chosen"] | None


class Mapper:
    """Maps of the models of a campaign.

    Args:
      campaign: a finished one.
      most_steps: points of integrated gradients at most (``integrated_gradients_within``); what the network's cost
        allows if None.

    Attributes:
      methods: those of ``METHODS`` that the network allows.
      nothing: what an empty picture, or the mean row of a table, is to the network.
      empty_share: of the data set's pixels, those that are 0 as stored; None for tables.

    Raises:
      UserError: it kept no parameters.
    """

    def __init__(self, campaign: Campaign, most_steps: int | None = None):
        models = kept_models(campaign)
        if models is None:
            raise UserError(
                f"{campaign.folder.path} kept no parameters",
                expected="a run with --keep parameters",
                remedy="Make another run: maps are taken from the models themselves",
            )
        self.campaign, self._models = campaign, models
        self.placement = campaign.plan.placement()
        self.trainer = campaign.setup.trainer
        rows = campaign.setup.dataset.features
        self.images = campaign.setup.dataset.image_shape is not None
        nothing = np.zeros_like(rows[:1]) if self.images else rows.mean(0, keepdims=True).astype(rows.dtype)
        self.nothing = np.asarray(self.trainer.scaling(jnp.asarray(nothing)))
        self.methods = tuple(name for name in METHODS if name != "grad_cam" or self._convolutional(rows[:1]))
        self.most_steps = most_steps or (_MOST_STEPS_CONVOLUTIONAL if "grad_cam" in self.methods else _MOST_STEPS)
        self.empty_share = float(self._empty(rows).mean()) if self.images else None

    def _empty(self, features: np.ndarray) -> Bool[np.ndarray, "chosen pixels"]:
        return (features.reshape(len(features), -1, features.shape[-1] if features.ndim == 4 else 1) == 0).all(-1)

    def background(self, examples: Examples) -> Bool[np.ndarray, "chosen pixels"] | None:
        """Pixels that are 0 in all channels as stored; None unless a ``LEAST_EMPTY`` share of the data set's are."""
        if self.empty_share is None or self.empty_share < LEAST_EMPTY:
            return None
        return self._empty(examples.features)

    def _convolutional(self, row: np.ndarray) -> bool:
        if row.ndim != 4:
            return False
        first = tree_map(lambda leaf: jnp.asarray(leaf[0]), self._models)
        return bool(convolutions(self._logits_of(first), self.trainer.scaling(jnp.asarray(row))))

    def _logits_of(self, model: tuple[Any, Any]) -> LogitsOf:
        return lambda x: self.trainer.model.apply(*model, x, False, None)[0]

    def _map(self, method: str, logits_of: LogitsOf, x: jax.Array, classes: jax.Array, keys: jax.Array) -> jax.Array:
        nothing = jnp.asarray(self.nothing)
        if method == "smooth_grad":
            return smooth_grad(logits_of, x, classes, keys)
        if method == "integrated_gradients":
            return integrated_gradients_within(
                logits_of, x, classes, nothing, tolerance=TOLERANCE, steps=LEAST_STEPS, most_steps=self.most_steps
            )[0]
        if method == "gradient_times_input":
            return gradient_times_input(logits_of, x, classes, nothing)
        return (grad_cam if method == "grad_cam" else gradient)(logits_of, x, classes)

    def _over(self, models: Sequence[int], fn: Callable[..., Any], shared: Any) -> Iterator[tuple[np.ndarray, Any]]:
        """``fn(model, shared)`` of the chosen models, a group at a time: ``(ids, results)``."""
        width = self.placement.width
        program = OverModels(lambda _, model, shared: fn(model, shared), self.placement)
        shared = self.placement.share(shared)
        for first in range(0, len(models), width):
            ids = np.asarray(models[first : first + width])
            padded = ids[np.minimum(np.arange(width), len(ids) - 1)]
            results = program((), tree_map(lambda leaf: leaf[padded], self._models), shared)  # noqa: B023
            yield ids, tree_map(lambda a: np.asarray(a)[: len(ids)], results)  # noqa: B023

    def _shared(self, examples: Examples) -> tuple[jax.Array, jax.Array, jax.Array]:
        root = jax.random.key(self.campaign.setup.config.seed, impl="threefry2x32")
        keys = jax.vmap(jax.random.fold_in, (None, 0))(root, jnp.asarray(examples.ids, jnp.int32))
        return jnp.asarray(examples.features), jnp.asarray(examples.classes), keys

    def _block(self, method: str) -> int:
        if not (self.images and len(self.trainer.example_shape) == 3):
            return _BLOCK_ROWS
        return CAM_BLOCK if method == "grad_cam" else DEFAULT_BLOCK

    def maps(self, method: str, models: Sequence[int], examples: Examples) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Maps of the examples by groups of models: ``(ids, float32[G, n, ...])``."""

        def of_model(model: Any, shared: Any) -> Any:
            def of_block(rows: Array, classes: Array, keys: Array) -> Array:
                return self._map(method, self._logits_of(model), self.trainer.scaling(rows), classes, keys)

            return in_blocks(of_block, self._block(method), *shared)

        yield from self._over(models, of_model, self._shared(examples))

    def relevance(self, method: str, models: Sequence[int], examples: Examples) -> Relevance:
        """Maps of the examples under each model, and what they rest on."""
        background, integrated = self.background(examples), method == "integrated_gradients"
        hidden = np.zeros((len(examples.ids), 1), bool) if background is None else background

        def of_model(model: Any, shared: Any) -> Any:
            logits_of, nothing = self._logits_of(model), jnp.asarray(self.nothing)

            def of_block(rows: Array, classes: Array, keys: Array, empty: Array) -> tuple[Array, ...]:
                x = self.trainer.scaling(rows)
                maps = self._map(method, logits_of, x, classes, keys)
                relevance = pixel_relevance(maps)
                curve = deletion_curve(
                    lambda inputs: class_probability(logits_of(inputs), classes), x, relevance,
                    nothing, jnp.asarray(FRACTIONS),
                )  # fmt: skip
                mass = jnp.zeros(len(x)) if background is None else background_mass(relevance, empty)
                gap = jnp.zeros(len(x))
                if integrated:
                    missing = completeness_gap(logits_of, x, classes, maps, nothing)
                    gap = missing / jnp.abs(of_classes(logits_of(x), classes))
                return maps, curve, mass, gap

            return in_blocks(of_block, self._block(method), *shared)

        parts = [found for _, found in self._over(models, of_model, (*self._shared(examples), jnp.asarray(hidden)))]
        maps, deletion, mass, gap = (np.concatenate([part[k] for part in parts]) for k in range(4))
        return Relevance(maps, deletion, background, None if background is None else mass, gap if integrated else None)

    def space(self, model: int) -> tuple[str, Float[np.ndarray, "examples features"]]:
        """Where one model sees every example of the pool: ``feature`` (penultimate layer), else ``logit``."""
        features = self.campaign.setup.dataset.features
        picked = tree_map(lambda leaf: leaf[[model]], self._models)
        try:
            return "feature", penultimate_features(self.trainer, picked, features, self.placement)[0]
        except UserError:  # its network has no last dense layer to look into

            def of_model(model: Any, rows: Array) -> Any:
                def of_block(x: Array) -> Array:
                    return self._logits_of(model)(self.trainer.scaling(x))

                return in_blocks(of_block, _BLOCK_ROWS, rows)

            [(_, logits)] = self._over([model], of_model, jnp.asarray(features))
            return "logit", logits[0]


def deletion_share(deletion: Float[np.ndarray, "*any fractions"]) -> Float[np.ndarray, "*any"]:
    """Mean height of a deletion curve over its start: what is left of the probability while pixels go; NaN at 0."""
    flat = deletion.reshape(-1, deletion.shape[-1])
    area = np.asarray(area_under_curve(jnp.asarray(flat), jnp.asarray(FRACTIONS))).reshape(deletion.shape[:-1])
    start = deletion[..., 0]
    return np.where(start > 1e-6, area / np.maximum(start, 1e-6), np.nan)
