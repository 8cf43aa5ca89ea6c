"""What the models of a campaign answer, as they are or after something was done to their logits."""

import time
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from miajax.defenses.reweighting import logit_centroids, reweight_logits
from miajax.errors import UserError
from miajax.signals.scaled_logit import scaled_logit
from miajax.studies.campaign import Campaign
from miajax.studies.defense_figures import Answered

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
    return Answered(campaign.member, campaign.valid, campaign.signals, campaign.correct)


def asked_about(
    campaign: Campaign, labels: Int[np.ndarray, " examples"]
) -> Float[np.ndarray, "models examples queries"]:
    """Scaled logits of other labels than the data set's, from the kept logits."""
    of_labels = jax.jit(lambda logits: scaled_logit(logits, jnp.asarray(labels)[:, None]))
    return np.stack([np.asarray(of_labels(logits)) for _, logits in logits_of_models(campaign)])


def reweighted_answers(
    campaign: Campaign, weight: float, flagged: Bool[np.ndarray, " examples"] | None = None
) -> tuple[Answered, float]:
    """The models' answers after logit reweighting, and the seconds it takes for all answers about the pool, by model.

    Args:
      campaign: with kept logits.
      weight: how much of an answer is kept.
      flagged: examples whose answers are reweighted, members or not; all if None.

    Raises:
      UserError: the campaign did not keep its logits.
    """
    labels = jnp.asarray(campaign.setup.dataset.labels)
    touched = jnp.asarray(np.ones(len(labels), bool) if flagged is None else flagged)

    @jax.jit
    def defend(logits, centroids):
        return jnp.where(touched[:, None, None], reweight_logits(logits, centroids, weight), logits)

    @jax.jit
    def judged(logits):
        return scaled_logit(logits, labels[:, None]), jnp.argmax(logits[:, 0], -1) == labels

    centroids_of = jax.jit(lambda logits, member: logit_centroids(logits[:, 0], labels, member))
    signals, correct, seconds = np.empty(campaign.signals.shape, np.float32), np.empty_like(campaign.correct), None
    for model, logits in logits_of_models(campaign):
        logits = jnp.asarray(logits)
        centroids = centroids_of(logits, jnp.asarray(campaign.member[model]))
        defended = defend(logits, centroids)
        if seconds is None:
            seconds = _median_seconds(lambda z=logits, mu=centroids: defend(z, mu))
        signals[model], correct[model] = (np.asarray(each) for each in judged(defended))
    signals[~campaign.valid] = np.nan
    correct[~campaign.valid] = False
    return Answered(campaign.member, campaign.valid, signals, correct), seconds or 0.0


def _median_seconds(work: Callable[[], jax.Array]) -> float:
    spent = []
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        jax.block_until_ready(work())
        spent.append(time.perf_counter() - begin)
    return float(np.median(spent))


def accuracies(answered: Answered, others: Bool[np.ndarray, "models examples"]) -> tuple[float, float]:
    """Mean accuracy over models on members, and on ``others``, who were no members before the defence either."""
    of_models = [
        (answered.correct & side).sum(1)[answered.valid] / side.sum(1)[answered.valid]
        for side in (answered.member, others)
    ]
    return float(of_models[0].mean()), float(of_models[1].mean())
