"""Everything that a finished campaign recorded, as the signals that attacks read."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from miajax.campaign.epochs import has_kind
from miajax.campaign.gathered import Campaign
from miajax.campaign.saturated import clip_of_run, clipped_logits
from miajax.runs.checkpoints import load_tree
from miajax.runs.names import range_name
from miajax.signals.bundle import Signals
from miajax.signals.gradients import gradient_norms
from miajax.signals.passes import in_groups
from miajax.signals.query import Querier
from miajax.training.trainer import Members, TrainState
from miajax.typed import eval_shape


def recorded_signals(campaign: Campaign, *, gradients: bool = True) -> Signals:
    """What the run folder holds; a field that was not kept is None.

    Logits and losses are read into memory. Gradient norms, and logits of the data set's own population, are computed
    from the kept parameters.

    Args:
      campaign: a finished one.
      gradients: whether to compute gradient norms.
    """
    dataset = campaign.setup.dataset
    signals = Signals(
        scaled_logit=campaign.signals,
        correct=campaign.correct,
        labels=dataset.labels,
        logits=_logits(campaign),
        losses=_gathered(campaign, "losses"),
        features=np.asarray(dataset.features, np.float32).reshape(dataset.num_examples, -1),
    )
    population = dataset.population_features
    models = kept_models(campaign) if gradients or population is not None else None
    if models is None:
        return signals
    placement, trainer = campaign.plan.placement(), campaign.setup.trainer
    if gradients:
        norms = gradient_norms(trainer, models, dataset.features, dataset.labels, placement)
        signals = signals._replace(gradient_norm=norms.parameters, input_gradient_norm=norms.inputs)
    if population is not None:
        signals = signals._replace(
            population_logits=logits_on(campaign, models, population), population_labels=dataset.population_labels
        )
    return signals


def _logits(campaign: Campaign) -> np.ndarray | None:
    clip, logits = clip_of_run(campaign.folder), _gathered(campaign, "logits")
    return logits if clip is None or logits is None else clipped_logits(logits, clip.clip)


def _gathered(campaign: Campaign, kind: str) -> np.ndarray | None:
    folder, num_models = campaign.folder, len(campaign.valid)
    return folder.gather(kind, num_models) if has_kind(folder, kind, num_models) else None


def kept_models(campaign: Campaign) -> tuple[Any, Any] | None:
    """Parameters and state ``[M, ...]`` of every model as it is evaluated, on the host; None if they were not kept."""
    folder, num_models = campaign.folder, len(campaign.valid)
    wanted = [models for models in folder.done() if models.start < num_models]
    paths = [folder.path / "checkpoints" / range_name(models) for models in wanted]
    if not all(path.is_dir() for path in paths):
        return None
    parts = [load_tree(path, _shapes(campaign, len(models))) for path, models in zip(paths, wanted, strict=True)]
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:num_models], *parts)


def _shapes(campaign: Campaign, size: int) -> tuple[Any, Any]:
    trainer, shape = campaign.setup.trainer, jax.ShapeDtypeStruct
    members = Members(shape((size,), np.int32), shape((size, trainer.capacity), np.int32), shape((size,), np.int32))
    return trainer.evaluated(eval_shape(jax.vmap(trainer.init), members)[0])


def logits_on(
    campaign: Campaign, models: tuple[Any, Any], features: np.ndarray
) -> Float[np.ndarray, "models inputs classes"]:
    """What every model says of other inputs than the pool, as they are.

    Args:
      campaign: whose models they are.
      models: from ``kept_models``.
      features: ``[P, ...]``, as the data set's own are stored.
    """
    placement = campaign.plan.placement()
    querier = Querier(
        campaign.setup.trainer,
        features,
        np.zeros(len(features), np.int32),  # logits do not depend on labels
        placement,
        block=campaign.plan.query_block,
        mode=campaign.setup.config.query_mode,
    )

    def asked(group: tuple[Any, Any]) -> Any:
        return querier(TrainState(*group, None)).logits

    return in_groups(asked, models, placement)[:, :, 0]
