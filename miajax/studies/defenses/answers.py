"""What the models of a campaign answer, as they are or after something was done to their logits."""

import dataclasses
import time
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from miajax.arrays import AnyArray
from miajax.campaign.gathered import Campaign
from miajax.campaign.recorded import kept_models, logits_on
from miajax.defenses.hamp import borrowed_scores
from miajax.defenses.inversion import undo_reweighting
from miajax.defenses.reweighting import logit_centroids, reweight_logits
from miajax.errors import UserError
from miajax.metrics.accuracy import share_by_model
from miajax.metrics.figures import Figure
from miajax.metrics.paired import mean_rate
from miajax.signals.scaled_logit import scaled_logit
from miajax.studies.defenses.figures import Answered
from miajax.typed import jit

_REPEATS = 5


def logits_of_models(campaign: Campaign) -> Iterator[tuple[int, Float[np.ndarray, "examples queries classes"]]]:
    """Every model's id and kept logits, one model in memory at a time.

    Raises:
      UserError: the campaign did not keep them.
    """
    if not (campaign.folder.path / "logits").is_dir():
        raise UserError(
            f"{campaign.folder.path} kept no logits", expected="a run with --keep logits", remedy="Make another run"
        )
    for models, part in campaign.folder.parts("logits", len(campaign.valid)):
        yield from zip(models, part, strict=True)


def plain_answers(campaign: Campaign) -> Answered:
    """What the models said."""
    return Answered(
        campaign.member, campaign.valid, campaign.signals, campaign.correct, groups=campaign.setup.dataset.groups
    )


def asked_about(
    campaign: Campaign, labels: Int[np.ndarray, " examples"]
) -> Float[np.ndarray, "models examples queries"]:
    """Scaled logits of other labels than the data set's, from the kept logits."""

    @jit
    def of_labels(logits: AnyArray) -> Array:
        return scaled_logit(logits, jnp.asarray(labels)[:, None])

    return np.stack([np.asarray(of_labels(logits)) for _, logits in logits_of_models(campaign)])


def reweighted_answers(
    campaign: Campaign, weight: float, flagged: Bool[np.ndarray, " examples"] | None = None
) -> tuple[Answered, float]:
    """The models' answers after logit reweighting, and the seconds it takes for all answers about the pool, by model.

    Who knows the centroids and a weight above 0 undoes it: ``known`` holds the scaled logits of what comes back.

    Args:
      campaign: with kept logits.
      weight: how much of an answer is kept.
      flagged: examples whose answers are reweighted, members or not; all if None.

    Raises:
      UserError: the campaign did not keep its logits.
    """
    labels = jnp.asarray(campaign.setup.dataset.labels)
    touched = np.ones(len(labels), bool) if flagged is None else flagged
    known = np.full(campaign.signals.shape, np.nan, np.float32)

    @jit
    def centroids_of(logits: Array, member: np.ndarray) -> Array:
        return logit_centroids(logits[:, 0], labels, member)

    @jit
    def scaled(logits: AnyArray) -> Array:
        return scaled_logit(logits, labels[:, None])

    @jit
    def reweighted(logits: Array, centroids: Array) -> Array:
        return jnp.where(touched[:, None, None], reweight_logits(logits, centroids, weight), logits)

    def defence(model: int, logits: jax.Array) -> Callable[[], jax.Array]:
        centroids = centroids_of(logits, campaign.member[model])
        if weight > 0 and campaign.valid[model]:
            answers = np.array(reweighted(logits, centroids))
            answers[touched] = undo_reweighting(answers[touched], np.asarray(centroids), weight)
            known[model] = scaled(answers)
        return lambda: reweighted(logits, centroids)

    answered, seconds = _after(campaign, defence)
    return (dataclasses.replace(answered, known=known) if weight > 0 else answered), seconds


def share_recovered(
    answered: Answered,
    signals: Float[np.ndarray, "models examples queries"],
    flagged: Bool[np.ndarray, " examples"] | None = None,
) -> float | None:
    """Share of the reweighted answers whose scaled logit comes back to within .01; None where nothing is undone."""
    if answered.known is None:
        return None
    right = np.abs(answered.known - signals)[answered.valid] < 0.01
    return float((right if flagged is None else right[:, flagged]).mean())


def borrowed_answers(campaign: Campaign) -> tuple[Answered, float]:
    """HAMP's answers: scores borrowed from the model's answers to random inputs, one for each example of the pool.

    Returns:
      The answers, and the seconds of handing out the scores, by model; the models' answers to the random inputs, which
      double the cost of a question, are not in it.

    Raises:
      UserError: the campaign did not keep its logits and parameters.
    """
    models, features = kept_models(campaign), campaign.setup.dataset.features
    if models is None:
        raise UserError(
            f"{campaign.folder.path} kept no parameters", expected="a run with --keep logits parameters",
            remedy="Make another run",
        )  # fmt: skip
    rng = np.random.default_rng(campaign.setup.config.seed)
    low, high = float(features.min()), float(features.max())
    if features.dtype == np.uint8:
        inputs = rng.integers(int(low), int(high) + 1, features.shape, dtype=np.uint8)
    else:
        inputs = rng.uniform(low, high, features.shape).astype(features.dtype)
    strangers = logits_on(campaign, models, inputs)

    @jit
    def borrowed(logits: Array, scores: AnyArray) -> Array:
        return borrowed_scores(logits, scores[:, None])

    return _after(campaign, lambda model, logits: lambda: borrowed(logits, strangers[model]))


def _after(campaign: Campaign, defence: Callable[[int, jax.Array], Callable[[], jax.Array]]) -> tuple[Answered, float]:
    """Answers after something was done to the logits of every model, and the seconds of doing it once.

    Args:
      campaign: with kept logits.
      defence: a model's id and its logits ``[N, Q, C]`` to what gives the defended ones.
    """
    labels = jnp.asarray(campaign.setup.dataset.labels)

    @jit
    def judged(logits: Array) -> tuple[Array, Array]:
        return scaled_logit(logits, labels[:, None]), jnp.argmax(logits[:, 0], -1) == labels

    signals, correct, seconds = np.empty(campaign.signals.shape, np.float32), np.empty_like(campaign.correct), None
    for model, logits in logits_of_models(campaign):
        defended = defence(model, jnp.asarray(logits))
        signals[model], correct[model] = (np.asarray(each) for each in judged(defended()))
        if seconds is None:
            seconds = _median_seconds(defended)
    signals[~campaign.valid] = np.nan
    correct[~campaign.valid] = False
    return Answered(
        campaign.member, campaign.valid, signals, correct, groups=campaign.setup.dataset.groups
    ), seconds or 0.0


def _median_seconds(work: Callable[[], jax.Array]) -> float:
    spent: list[float] = []
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        work().block_until_ready()
        spent.append(time.perf_counter() - begin)
    return float(np.median(spent))


def accuracies(answered: Answered, others: Bool[np.ndarray, "models examples"]) -> tuple[Figure, Figure]:
    """Mean accuracy over models on members, and on ``others``, who were no members before the defence either."""
    inside, outside = (
        mean_rate([share_by_model(answered.correct, side, answered.valid, answered.groups)])
        for side in (answered.member, others)
    )
    return inside, outside
