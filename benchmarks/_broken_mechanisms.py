"""Private training as it goes wrong in practice, under the promise of the right one. No option of the product."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from miajax.campaign.config import Setup
from miajax.data.canaries import canary_ids
from miajax.signals.query import Querier
from miajax.training.dp.mechanism import Mechanism
from miajax.training.dp.noise import public_key
from miajax.training.dp.step import PrivateInputs
from miajax.training.ensemble import Ensemble
from miajax.training.plan import choose_plan

_UNCLIPPED = 1e6  # a clipping norm that no gradient reaches


class Broken(NamedTuple):
    """A training that claims the epsilon of a mechanism.

    Attributes:
      clip_norm: what gradients are really cut to, over the mechanism's.
      noise: standard deviation of the noise that is really added, over the mechanism's.
    """

    clip_norm: float
    noise: float


def versions(microbatches: int) -> Mapping[str, Broken]:
    """The right mechanism and three broken ones; the last divides its noise by the number of microbatches."""
    return {
        "correct": Broken(1.0, 1.0),
        "noise_forgotten": Broken(1.0, 0.0),
        "clipping_forgotten": Broken(_UNCLIPPED, 1.0),
        "noise_scaled_by_microbatch": Broken(1.0, 1.0 / microbatches),
    }


def private_inputs_of(mechanism: Mechanism, broken: Sequence[Broken], models: int, seed: int):
    """What ``Ensemble`` gives each model: the first ``models`` ids train by the first version, and so on."""
    clip_norm = np.array([b.clip_norm * mechanism.clip_norm for b in broken], np.float32)
    deviation = np.array([b.noise * mechanism.step.noise_multiplier * mechanism.clip_norm for b in broken])
    key = public_key(seed)

    def of(model_ids: np.ndarray) -> PrivateInputs:
        version = np.asarray(model_ids) // models
        multiplier = (deviation[version] / clip_norm[version]).astype(np.float32)
        return PrivateInputs(np.broadcast_to(key, (len(version), 2)), clip_norm[version], multiplier)

    return of


def canary_signals(setup: Setup, broken: Mapping[str, Broken], models: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """``{version: (signal [models, canaries], member [models, canaries])}``, trained as one ensemble.

    Args:
      setup: a private campaign whose data holds canaries.
      broken: the versions.
      models: of each.
    """
    config, dataset, (mechanism,) = setup.config, setup.dataset, setup.mechanisms
    total = models * len(broken)
    plan = choose_plan(setup.trainer, dataset.num_examples, 1, dataset.num_classes)
    placement = plan.placement()
    inputs = private_inputs_of(mechanism, list(broken.values()), models, config.seed)
    ensemble = Ensemble(setup.trainer, dataset, placement, inputs)
    member = setup.membership(total)
    group = ensemble.start(np.arange(total), member)
    ensemble.advance(group, config.recipe.epochs)
    ask = Querier(setup.trainer, dataset.features, dataset.labels, placement, block=plan.query_block, keep_logits=False)
    answers = jax.tree.map(lambda a: np.asarray(a)[:total], ask(group.state))
    ids = canary_ids(dataset.num_examples, config.data.canaries, config.data.canary_seed)
    signal, coins = answers.scaled_logit[:, ids, 0], member[:, ids]
    rows = {name: slice(k * models, (k + 1) * models) for k, name in enumerate(broken)}
    return {name: (signal[part], coins[part]) for name, part in rows.items()}
