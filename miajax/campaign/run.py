"""The shadow campaign, and its models if they are networks: groups trained, queried and stored, or gone on with."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from miajax.campaign.cluster.flags import connection
from miajax.campaign.config import Setup
from miajax.campaign.failures import exhausts_memory, refusal
from miajax.campaign.gathered import EXAMPLES_TO_JUDGE, Campaign
from miajax.campaign.group_trainer import GroupTrainer, StoredGroup, TooSlow
from miajax.campaign.interrupt import Stopped
from miajax.campaign.plan_effect import effect_of_plan
from miajax.campaign.planning import planned
from miajax.campaign.privacy import noise_key, private_line
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.runner import Runner
from miajax.errors import UserError
from miajax.estimators.elsewhere import ELSEWHERE
from miajax.models.registry import MODELS
from miajax.notes import noted
from miajax.parsing import reason
from miajax.runs.content_notes import note_on_answers
from miajax.runs.folder import RunFolder
from miajax.runs.unfinished import Progress
from miajax.signals.query import untrained_answers
from miajax.training.plan import ExecutionPlan


def run_campaign(setup: Setup, path: Path, reporter: Reporter | None = None) -> Campaign:
    """Trains and queries what is missing of a campaign and gathers the whole.

    Args:
      setup: what to do.
      path: the run folder, new or begun by the same configuration.
      reporter: listens; silent by default.

    Raises:
      UserError: the folder belongs to another configuration, is damaged, or the disk is full.
      Stopped: Ctrl-C or SIGTERM; what was finished is kept.
      Incomplete: ``config.models`` named a part, and other parts are still missing.
    """
    if setup.estimator is not None and setup.estimator.reference == ELSEWHERE:
        from miajax.campaign.elsewhere import ElsewhereRunner

        return ElsewhereRunner(setup, path, reporter or Silent()).run()
    cluster = connection()
    if cluster is not None:
        from miajax.campaign.cluster.runners import runner_on

        return runner_on(cluster, setup, path, reporter or Silent()).run()
    kind: type[Runner] = NetworkRunner
    if setup.estimator is not None:
        from miajax.campaign.estimators import EstimatorRunner

        kind = EstimatorRunner
    return kind(setup, path, reporter or Silent()).run()


class NetworkRunner(Runner):
    """A campaign whose models are networks, a group of which is one program."""

    failed_are = "Diverged"

    def __init__(self, setup: Setup, path: Path, reporter: Reporter):
        super().__init__(setup, path, reporter)
        self._trainer = GroupTrainer(self.setup, self.plan, self.keep, self._noise_key, self.device)
        self._trainer.timing = self.timing

    def _planned(self, path: Path, facts: dict[str, Any]) -> tuple[ExecutionPlan, RunFolder, str | None]:
        return planned(self.setup, path, facts, self.reporter.say)

    def _execution(self) -> str:
        return (
            f"{self.config.recipe.epochs} epochs of {self.setup.trainer.steps_per_epoch} steps; "
            f"{self.plan.num_devices} devices x chunks of {self.plan.chunk}"
        )

    def _introduced(self) -> None:
        setup, reporter = self.setup, self.reporter
        if (step := setup.trainer.private) is not None:
            reporter.say("; ".join(map(private_line, setup.mechanisms)))
            if step.plan.fallback is not None:
                reporter.say(f"clipping: {step.plan.lines()[0]}")
        if setup.trainer.model.name not in MODELS:
            some = setup.dataset.features[:EXAMPLES_TO_JUDGE]
            self.no_logits = note_on_answers(untrained_answers(setup.trainer, some, self.config.query_mode))
            for note in self.no_logits:
                reporter.say(f"warning: {note}")

    def _smaller_group(self, error: Exception, group: int) -> int:
        # The chunk decides bits and stays; the group does not.
        unit = self.plan.placement().width
        if isinstance(error, TooSlow):
            group = error.smaller(unit)
            self.plan = self._trainer.plan = dataclasses.replace(self.plan, group=group)
            self.folder.update_manifest(plan={**self.folder.manifest["plan"], "group": group})
            self.reporter.say(f"groups of {group}: a step of more takes {error.seconds:.0f} seconds")
        else:
            if not exhausts_memory(error) or group <= unit:
                raise refusal(self.setup, unit, error) from error
            group = max(unit, group // 2 // unit * unit)
            self.notes.append(f"Groups were cut to {group} models to fit the memory.")
        self._trainer.forget()
        return group

    def _effect_of_plan(self, models: range, stop: Callable[[], bool]) -> dict[str, Any]:
        def give_way() -> None:
            if stop():
                raise Stopped

        some = models[: self.plan.placement().width]
        return effect_of_plan(self._trainer.programs_for(len(some)), self.folder, some, self.member, give_way)

    def _given_up(self, models: range, group: int, error: Exception) -> tuple[range, Callable[[], None]]:
        """A group as small as groups get that cannot be trained, though others were: its models count as failed.

        Raises:
          Exception: the error itself, where a smaller group may succeed or nothing has been trained yet.
        """
        smaller = exhausts_memory(error) and group > self.plan.placement().width
        if smaller or isinstance(error, TooSlow) or self._trainer.programs is None or not self._finished:
            raise error
        why = "no memory for it" if exhausts_memory(error) else reason(error)
        listed = f"{models.start} to {models.stop - 1}"
        self.reporter.say(f"warning: models {listed} cannot be trained and are left out ({reason(error)})")
        return models, functools.partial(
            self._store, models, self._trainer.given_up(models, self._member_of(models), why)
        )

    def show_progress(self, share: float, size: int, loss: float, accuracy: float) -> None:
        """Shows how far models are beside the finished ones: ``share`` of ``size`` that are being trained."""
        total = max(self.config.num_shadows, self._finished + size)
        self.reporter.advance(self._finished + share, total, loss, accuracy)

    def _noise_key(self) -> np.ndarray | None:
        mechanisms = self.setup.mechanisms
        return noise_key(mechanisms, self.folder.path, self.config.seed) if mechanisms else None

    def _member_of(self, models: range) -> np.ndarray:
        return self.member[models.start : models.stop]

    def _one_group(self, models: range, width: int, stop: Callable[[], bool]) -> tuple[range, Callable[[], None]]:
        progress = self.folder.load_progress(models, *self._trainer.forms(len(models), width))
        self._tell_progress(models, progress)
        watch = _Here(self, models, stop)
        group = self._trainer.train(models, self._member_of(models), width, progress, watch)
        return models, functools.partial(self._store, models, group)

    def _tell_progress(self, models: range, progress: Progress) -> None:
        """Notes what is known of a state that a group goes on from."""
        if progress.note:
            told = noted("Models {} to {}: training {note}.", models.start, models.stop - 1, note=progress.note)
            self.notes.append(told)
            self.reporter.say(f"warning: {told}")

    def _store(self, models: range, group: StoredGroup) -> None:
        self.folder.save_group(models, group.arrays, group.beside, group.parameters, group.facts)
        self._checked.add(models)
        self._refuse_failed(models, group.arrays["valid"], group.facts.get("failures", {}))

    def _all_failed(self) -> UserError:
        return UserError(
            f"all {self.config.num_shadows} models diverged",
            expected="at least one that trains",
            remedy="Lower --learning_rate and choose another --out",
        )


class _Here:
    """A group that this process trains: shown by the runner's reporter, its state saved in the run folder."""

    def __init__(self, runner: NetworkRunner, models: range, stop: Callable[[], bool]):
        self._runner, self._models, self.stop = runner, models, stop

    def seen(self, share: float, loss: float, accuracy: float) -> None:
        self._runner.show_progress(share * len(self._models), len(self._models), loss, accuracy)

    def save(self, state: Any, seconds: float) -> None:
        self._runner.folder.save_progress(self._models, state, seconds)
