"""What every model says after every epoch: recorded while a group trains, read back when its campaign is done.

Kinds of records, as ``--keep`` names them, and the files of the run folder that hold them:

    losses      losses/<range>.npy                        float32[G, E, N]  loss of every example, in nats
    margins     margins/<range>.npy                       float32[G, E, N]  label's logit minus the largest other
    early       early_logits/<range>.npy                  float32[G, N, C]  logits after the early epoch
                groups/<range>/early_gradient_norm.npy    float32[G, N]     norm of the loss's gradient by parameters
    (any)       groups/<range>/validation_loss.npy        float32[G, E]     means over the validation part, if any
                groups/<range>/validation_accuracy.npy    float32[G, E]

A model is asked as it would be handed out after that epoch: its moving average or, under early stopping, its best so
far. Whatever it did not train for, because early stopping had ended its training, is NaN, whoever trains on beside it.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from miajax.campaign.config import Setup
from miajax.errors import UserError
from miajax.runs.folder import RunFolder
from miajax.runs.names import range_name
from miajax.signals.gradients import GradientQuerier
from miajax.signals.passes import go_on
from miajax.signals.query import Answers, Querier
from miajax.signals.scaled_logit import hinge
from miajax.training.ensemble import Group
from miajax.training.parallel import OverModels
from miajax.training.plan import ExecutionPlan
from miajax.typed import jit

EPOCH_KINDS = ("losses", "margins", "early")
LARGE = ("losses", "margins", "early_logits")
_CAP = 103.6  # the scaled logit at which a float32 loss becomes 0

Records = dict[str, np.ndarray]


def early_epoch(epochs: int) -> int:
    """The epoch (the first is 1) that counts as early: a tenth of the training, at least one epoch.

    Paul et al. 2021 (arXiv 2107.07075) score examples after 10 or 20 of 200 epochs.
    """
    return max(1, epochs // 10)


def scaled_logit_of_loss(losses: np.ndarray) -> np.ndarray:
    """The scaled logit of a cross-entropy in nats: the inverse of ``signals.scaled_logit.loss``, at most 103.6."""
    losses = np.asarray(losses, np.float64)
    with np.errstate(divide="ignore"):  # a loss of 0 is infinite, and capped
        return np.minimum(-(losses + np.log(-np.expm1(-losses))), _CAP).astype(np.float32)


class EpochQueries:
    """The compiled queries that follow each epoch of a group; none where no kind of record is kept.

    Args:
      setup: the campaign.
      plan: how it is executed.
      keep: kinds of files to keep, others than ``EPOCH_KINDS`` among them.
      pool: the query of finished models; taken for the epochs' too where it answers what they ask.
    """

    def __init__(self, setup: Setup, plan: ExecutionPlan, keep: Sequence[str], pool: Querier):
        self.setup, self.placement = setup, plan.placement()
        self.kinds = tuple(kind for kind in EPOCH_KINDS if kind in keep)
        self.queriers: list[Querier] = []
        self._validation = self._gradients = None
        if not self.kinds:
            return
        dataset, mode = setup.dataset, setup.config.query_mode
        logits = "margins" in self.kinds or "early" in self.kinds

        def ask(x: np.ndarray, y: np.ndarray, logits: bool) -> Querier:
            return Querier(setup.trainer, x, y, self.placement, block=plan.query_block, keep_logits=logits, mode=mode)

        fits = setup.config.queries == 1 and (pool.keep_logits or not logits)
        self._pool = pool if fits else ask(dataset.features, dataset.labels, logits)
        self.queriers.append(self._pool)
        if dataset.validation_features is not None and dataset.validation_labels is not None:
            self._validation = ask(dataset.validation_features, dataset.validation_labels, False)
            self.queriers.append(self._validation)
        labels = jnp.asarray(dataset.labels)

        def margins(logits: Array) -> Array:
            return hinge(logits[:, :, 0], labels)

        self._margins = jit(margins)

    @property
    def programs(self) -> list[OverModels]:
        """The compiled programs, for their memory."""
        return [querier.program for querier in self.queriers]

    def empty(self, size: int) -> Records:
        """Records of ``size`` models that have trained no epoch."""
        dataset, epochs = self.setup.dataset, self.setup.config.recipe.epochs
        traces = {kind: (size, epochs, dataset.num_examples) for kind in ("losses", "margins") if kind in self.kinds}
        shapes: dict[str, tuple[int, ...]] = dict(traces)
        if "early" in self.kinds:
            shapes["early_logits"] = (size, dataset.num_examples, dataset.num_classes)
            shapes["early_gradient_norm"] = (size, dataset.num_examples)
        if self._validation is not None:
            shapes["validation_loss"] = shapes["validation_accuracy"] = (size, epochs)
        return {name: np.full(shape, np.nan, np.float32) for name, shape in shapes.items()}

    def record(self, group: Group, records: Records, between: Callable[[], None] = go_on) -> None:
        """Writes what the group's models say now into the rows of its last epoch; twice is as good as once.

        ``between`` is called between two calls of the program, as in `Querier`; where it raises, some rows lack.
        """
        if not self.kinds:
            return
        epoch, recipe = group.epoch - 1, self.setup.config.recipe
        trained = np.flatnonzero(_trained_last_epoch(group, recipe.early_stopping))
        answers = self._pool(group.state, between)
        if "losses" in records:
            records["losses"][trained, epoch] = _losses(answers)[trained]
        if "margins" in records:
            records["margins"][trained, epoch] = np.asarray(self._margins(jnp.asarray(answers.logits)))[trained]
        if "early" in self.kinds and group.epoch == early_epoch(recipe.epochs):
            assert answers.logits is not None
            records["early_logits"][trained] = answers.logits[trained, :, 0]
            records["early_gradient_norm"][trained] = self._gradient_norms(group, between)[trained]
        if self._validation is not None:
            seen = self._validation(group.state, between)
            records["validation_loss"][trained, epoch] = _losses(seen)[trained].mean(1)
            records["validation_accuracy"][trained, epoch] = seen.correct[trained].mean(1)

    def _gradient_norms(self, group: Group, between: Callable[[], None]) -> np.ndarray:
        trainer, dataset = self.setup.trainer, self.setup.dataset
        models = trainer.evaluated(group.state)
        if self._gradients is None:

            def first(leaf: Array) -> Array:
                return jnp.asarray(np.asarray(leaf[0]))

            one = jax.tree.map(first, models)
            self._gradients = GradientQuerier(trainer, one, dataset.features, dataset.labels, self.placement)
        return np.asarray(self._gradients(models, between).parameters)


def _trained_last_epoch(group: Group, patience: int) -> Bool[np.ndarray, " models"]:
    """Which of the group's real models trained its last epoch: those that early stopping had not ended before."""
    best = group.state.best
    # ``waited`` reaches the patience in a model's last epoch, and goes past it in those that it does not train.
    return np.ones(group.size, bool) if best is None else np.asarray(best.waited)[: group.size] <= patience


def _losses(answers: Answers) -> np.ndarray:
    return np.logaddexp(0.0, -answers.scaled_logit[:, :, 0])


class EpochTraces:
    """What a finished campaign recorded after every epoch, read from its folder an epoch at a time.

    Args:
      folder: of the campaign, whose groups kept losses and margins.
      num_models: M.

    Raises:
      UserError: some group kept none.
    """

    def __init__(self, folder: RunFolder, num_models: int):
        for kind in ("losses", "margins"):
            if not has_kind(folder, kind, num_models):
                raise UserError(
                    f"{folder.path} holds models without the {kind} of their epochs",
                    expected="a run made with --keep losses margins",
                    remedy="Choose another --out",
                )
        self._losses, self._margins = (
            [part for _, part in folder.parts(kind, num_models)] for kind in ("losses", "margins")
        )
        self.num_epochs = self._losses[0].shape[1]

    def scaled_logit(self, epoch: int) -> Float[np.ndarray, "models examples"]:
        """After an epoch, counted from 1."""
        return scaled_logit_of_loss(_stacked(self._losses, epoch))

    def correct(self, epoch: int) -> Bool[np.ndarray, "models examples"]:
        """After an epoch, counted from 1; a tie between the label and another class counts as wrong."""
        return _stacked(self._margins, epoch) > 0

    def each_at(self, epochs: Int[np.ndarray, " models"]) -> tuple[np.ndarray, np.ndarray]:
        """Scaled logits and correctness ``[M, N]`` of models that each stop after an epoch of their own."""
        found = {int(epoch): (self.scaled_logit(int(epoch)), self.correct(int(epoch))) for epoch in np.unique(epochs)}
        phi, correct = (
            np.stack([found[int(epoch)][which][model] for model, epoch in enumerate(epochs)]) for which in (0, 1)
        )
        return phi, correct


def has_kind(folder: RunFolder, kind: str, num_models: int) -> bool:
    """Whether every group of the first ``num_models`` models kept a large file of that kind."""
    wanted = [models for models in folder.done() if models.start < num_models]
    return all((folder.path / kind / f"{range_name(models)}.npy").exists() for models in wanted)


def _stacked(parts: Sequence[np.ndarray], epoch: int) -> np.ndarray:
    return np.concatenate([part[:, epoch - 1] for part in parts])
