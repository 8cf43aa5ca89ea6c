"""The compiled programs of a campaign, and what it takes to run a group through them."""

import concurrent.futures
import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from miajax.campaign.config import Setup
from miajax.campaign.epochs import EpochQueries
from miajax.signals.passes import go_on
from miajax.signals.query import Answers, Querier
from miajax.training.ensemble import Ensemble, Group, Snapshot
from miajax.training.plan import ExecutionPlan
from miajax.training.private import private_inputs


class Finished(NamedTuple):
    """A group on the host, trained and queried; leaves start with its real models.

    Attributes:
      snapshot: state and history.
      pool: answers about the pool.
      official_test_accuracy: ``float64[G]``, or None where the data set has no test split.
    """

    snapshot: Snapshot
    pool: Answers
    official_test_accuracy: np.ndarray | None


class Programs:
    """The compiled programs of a campaign for groups of up to ``width`` models.

    Args:
      setup: the campaign.
      plan: how it is executed.
      width: models of a group.
      keep: kinds of large files to keep.
      noise_key: ``uint32[2]`` that the noise of private models is drawn from, else None.
    """

    def __init__(
        self,
        setup: Setup,
        plan: ExecutionPlan,
        width: int,
        keep: Sequence[str],
        noise_key: np.ndarray | None = None,
    ):
        dataset, trainer, config, placement = setup.dataset, setup.trainer, setup.config, plan.placement()
        self.width, self.keep = width, tuple(keep)
        private = None if noise_key is None else private_inputs(setup.mechanisms, noise_key)
        self.ensemble = Ensemble(trainer, setup.training_set, placement, private, setup.weights)
        ask = functools.partial(Querier, trainer, placement=placement, block=plan.query_block, mode=config.query_mode)
        logits = "logits" in keep or (config.queries == 1 and not {"margins", "early"}.isdisjoint(keep))
        self.pool = ask(features=dataset.features, labels=dataset.labels, queries=config.queries, keep_logits=logits)
        self.epochs = EpochQueries(setup, plan, keep, self.pool)
        self.test = None
        if dataset.test_features is not None and dataset.test_labels is not None:
            self.test = ask(features=dataset.test_features, labels=dataset.test_labels, keep_logits=False)
        state = self.ensemble.abstract_snapshot(width).state
        queriers = {id(q): q for q in (self.pool, *self.epochs.queriers, self.test) if q is not None}
        # The compiler leaves the interpreter lock alone: programs compile side by side.
        with concurrent.futures.ThreadPoolExecutor() as pool:
            jobs = [
                pool.submit(self.ensemble.compile, width),
                *(pool.submit(q.compile, state) for q in queriers.values()),
            ]
            for job in jobs:
                job.result()

    def device_bytes(self) -> int:
        """What the largest program holds on one device, by the compiler's own account."""
        queriers = (self.pool, *self.epochs.queriers, self.test)
        asked = [querier.program for querier in queriers if querier is not None]
        return max(program.device_bytes() for program in (*self.ensemble.programs.values(), *asked))

    def finish(self, group: Group, between: Callable[[], None] = go_on) -> Finished:
        """Queries a trained group and brings it to the host; ``between`` two calls as in `Querier`."""
        answers = self.pool(group.state, between)
        if "logits" not in self.keep:
            answers = answers._replace(logits=None)

        def real(array: np.ndarray) -> np.ndarray:
            return array[: group.size]

        pool: Answers = jax.tree.map(real, answers)
        official = None
        if self.test is not None:
            official = self.test(group.state, between).correct[: group.size].mean(1)
        return Finished(self.ensemble.snapshot(group), pool, official)
