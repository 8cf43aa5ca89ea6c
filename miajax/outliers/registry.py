"""All outlier metrics by name, with what they read."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from miajax.errors import UserError
from miajax.outliers import density, dynamics, geometry, memorisation, neighbours
from miajax.plugins import Registry
from miajax.signals.bundle import AnyArray


class Evidence(NamedTuple):
    """What metrics may read of N examples; a metric names its fields, the others may be None.

    Attributes:
      labels: ``int32[N]``.
      vectors: ``float32[N, F]``, the space that geometry is measured in: pixels, features or logits.
      member: ``bool[M, N]``, who trained on what.
      valid: ``bool[M]``.
      correct: ``bool[M, N]``, of the finished models.
      probability: ``float32[M, N]``, of the label, of the finished models.
      early_logits: ``float32[M, N, C]``, after an early epoch.
      gradient_norm: ``float32[M, N]``, of the loss by the parameters, after an early epoch.
      margins: ``float32[M, E, N]``, label's logit minus the largest other, after every epoch; NaN once it had stopped.
      losses: ``float32[M, E, N]``, after every epoch, in nats; NaN once it had stopped.
    """

    labels: Int[AnyArray, " examples"]
    vectors: Float[AnyArray, "examples features"] | None = None
    member: Bool[AnyArray, "models examples"] | None = None
    valid: Bool[AnyArray, " models"] | None = None
    correct: Bool[AnyArray, "models examples"] | None = None
    probability: Float[AnyArray, "models examples"] | None = None
    early_logits: Float[AnyArray, "models examples classes"] | None = None
    gradient_norm: Float[AnyArray, "models examples"] | None = None
    margins: Float[AnyArray, "models epochs examples"] | None = None
    losses: Float[AnyArray, "models epochs examples"] | None = None


@dataclasses.dataclass(frozen=True)
class Metric:
    """One number for how unusual an example is. **Higher = more outlying**, for every metric.

    Attributes:
      name: what tables call it.
      score: ``(evidence, num_classes) -> float[N]``; ``num_classes`` is static under ``jit``.
      family: ``geometry`` (one value for each space of vectors), ``ensemble`` or ``dynamics``.
      needs: the fields of ``Evidence`` that it reads, besides the labels.
      meaning: what a high value says, in a few words.
      source: paper that the formula comes from.
      per_model: of a metric that is a mean over the models that trained on each example, what it averages:
        ``evidence -> float[M, N]``; else None.
      pure: False where scikit-learn computes it: NumPy in and out, no ``jit``.
    """

    name: str
    score: Callable[[Evidence, int], Float[AnyArray, " examples"]]
    family: str
    needs: tuple[str, ...]
    meaning: str
    source: str
    per_model: Callable[[Evidence], Float[AnyArray, "models examples"]] | None = None
    pure: bool = True

    def missing(self, evidence: Evidence) -> tuple[str, ...]:
        """The fields that it needs and does not find."""
        return tuple(field for field in self.needs if getattr(evidence, field) is None)


def _over_members(values: AnyArray, evidence: Evidence) -> Array:
    return dynamics.mean_over_members(values, jnp.asarray(evidence.member), jnp.asarray(evidence.valid))


def _geometry(name: str, score, meaning: str, source: str, pure: bool = True) -> Metric:
    return Metric(name, score, "geometry", ("vectors",), meaning, source, pure=pure)


def _ensemble(name: str, outcome: str, score, meaning: str, source: str) -> Metric:
    return Metric(name, score, "ensemble", ("member", "valid", outcome), meaning, source)


def _dynamics(name: str, trace: str, per_model, meaning: str, source: str) -> Metric:
    def score(evidence: Evidence, num_classes: int):
        return _over_members(per_model(evidence), evidence)

    return Metric(name, score, "dynamics", ("member", "valid", trace), meaning, source, per_model)


_PAPER = "Khalil et al. 2025 (arXiv 2511.16792)"
_FELDMAN = "Feldman and Zhang 2020 (arXiv 2008.03703)"

_OURS = (
    metric
    for metric in (
        _geometry(
            "centroid_distance", lambda e, c: geometry.centroid_distance(e.vectors, e.labels, c),
            "far from its class's centroid", _PAPER,
        ),
        _geometry(
            "centroid_angle", lambda e, c: geometry.centroid_angle(e.vectors, e.labels, c),
            "points another way than its class's centroid", _PAPER,
        ),
        _geometry(
            "centroid_ratio", lambda e, c: geometry.centroid_ratio(e.vectors, e.labels, c),
            "nearer to another class's centroid", _PAPER,
        ),
        _geometry(
            "knn_distance", lambda e, c: neighbours.knn_distance(e.vectors),
            "far from its nearest neighbours", "Ramaswamy et al. 2000",
        ),
        _geometry(
            "knn_disagreement", lambda e, c: neighbours.knn_disagreement(e.vectors, e.labels),
            "its neighbours have other labels", "Cover and Hart 1967",
        ),
        _geometry(
            "mahalanobis", lambda e, c: geometry.mahalanobis(e.vectors, e.labels, c),
            "far from its class's centroid in units of the common spread", "Lee et al. 2018 (arXiv 1807.03888)",
        ),
        _geometry(
            "leverage", lambda e, c: geometry.leverage(e.vectors),
            "a linear layer's fit of it rests on itself", "Hoaglin and Welsch 1978",
        ),
        _geometry(
            "local_outlier_factor", lambda e, c: density.local_outlier_factor(e.vectors, e.labels),
            "less dense than its neighbours within the class", "Breunig et al. 2000", pure=False,
        ),
        _geometry(
            "isolation_forest", lambda e, c: density.isolation_score(e.vectors, e.labels),
            "few random cuts isolate it within the class", "Liu et al. 2008", pure=False,
        ),
        _ensemble(
            "memorisation", "correct", lambda e, c: memorisation.memorisation(e.correct, e.member, e.valid).memorised,
            "only right when trained on", _FELDMAN,
        ),
        _ensemble(
            "probability_memorisation", "probability",
            lambda e, c: memorisation.memorisation_of_probability(e.probability, e.member, e.valid).memorised,
            "its probability rises when trained on", _FELDMAN,
        ),
        _ensemble(
            "inconsistency", "correct",
            lambda e, c: 1.0 - memorisation.memorisation(e.correct, e.member, e.valid).unseen,
            "wrong unless trained on: one minus the consistency score", "Jiang et al. 2021 (arXiv 2002.03206)",
        ),
        _ensemble(
            "influence", "probability",
            lambda e, c: memorisation.strongest_influence(e.probability, e.member, e.valid)[0],
            "its presence raises another example's probability", _FELDMAN,
        ),
        _dynamics(
            "el2n", "early_logits", lambda e: dynamics.el2n(e.early_logits, e.labels),
            "large error early in training", "Paul et al. 2021 (arXiv 2107.07075)",
        ),
        _dynamics(
            "grand", "gradient_norm", lambda e: e.gradient_norm,
            "large gradient early in training", "Paul et al. 2021 (arXiv 2107.07075)",
        ),
        _dynamics(
            "forgetting", "margins", lambda e: dynamics.forgetting_events(e.margins),
            "learnt and forgotten again, or never learnt", "Toneva et al. 2019 (arXiv 1812.05159)",
        ),
        _dynamics(
            "negative_margin", "margins", lambda e: -dynamics.area_under_margin(e.margins),
            "small or negative margin throughout training", "Pleiss et al. 2020 (arXiv 2001.10528)",
        ),
        _dynamics(
            "loss_trace_iqr", "losses", lambda e: dynamics.loss_trace_iqr(e.losses),
            "its loss falls late or keeps moving", "Pollock et al. 2024 (arXiv 2411.05743)",
        ),
    )
)  # fmt: skip


def _as_metric(thing: Any, name: str, origin: Mapping[str, str]) -> Metric:
    if isinstance(thing, Metric):
        return thing if thing.name == name else dataclasses.replace(thing, name=name)
    if not callable(thing):
        raise UserError(
            f"outlier metric {name} is a {type(thing).__name__}",
            expected="a Metric, or a function of (vectors [N, F], labels [N]) that returns a number an example",
            remedy="CONTRIBUTING.md shows both",
        )
    meaning = (thing.__doc__ or "not described").strip().splitlines()[0]
    return _geometry(name, lambda e, c: thing(e.vectors, e.labels), meaning, "added from outside miajax", pure=False)


METRICS: Registry[Metric] = Registry(
    "outlier metric", "--outlier_metric", ((metric.name, metric) for metric in _OURS), _as_metric
)


def register_outlier_metric(name: str, metric: Metric | Callable[[AnyArray, AnyArray], AnyArray]) -> Metric:
    """Adds an outlier metric from outside the package: it then stands in the table, the report and the slices.

    Args:
      name: of its own.
      metric: a ``Metric``, or a function of ``(vectors float32[N, F], labels int32[N])`` that returns ``float[N]``,
        higher = more outlying; it is measured on inputs, features and logits, as all geometry is.

    Raises:
      UserError: the name is taken.

    Example:
      >>> def norm(vectors, labels):
      ...     "far from the origin"
      ...     return (vectors**2).sum(1) ** 0.5
      >>> register_outlier_metric("my_norm", norm).meaning
      'far from the origin'
    """
    return METRICS.register(name, metric)
