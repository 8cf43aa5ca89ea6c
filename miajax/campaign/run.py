"""The shadow campaign, and its models if they are networks: groups trained, queried and stored, or gone on with."""

import dataclasses
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from miajax.campaign.config import Setup
from miajax.campaign.epochs import Records
from miajax.campaign.failures import DoesNotFit, TooLarge, exhausts_memory, nothing_of, refusal
from miajax.campaign.gathered import EXAMPLES_TO_JUDGE, Campaign
from miajax.campaign.interrupt import Stopped
from miajax.campaign.made import group_record
from miajax.campaign.plan_effect import effect_of_plan
from miajax.campaign.planning import planned
from miajax.campaign.privacy import noise_key, private_line
from miajax.campaign.programs import Finished, Programs
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.runner import Runner
from miajax.campaign.storing import arrays_of
from miajax.errors import UserError
from miajax.estimators.elsewhere import ELSEWHERE
from miajax.models.registry import MODELS
from miajax.notes import noted
from miajax.parsing import reason
from miajax.runs.content_notes import note_on_answers
from miajax.runs.folder import RunFolder
from miajax.runs.integrity import array_hash
from miajax.signals.query import untrained_answers
from miajax.training.devices import free_memory
from miajax.training.ensemble import Group
from miajax.training.parallel import CALL_SECONDS
from miajax.training.plan import ExecutionPlan

_STEP_SECONDS = 5.0  # how long one step of a whole group may, which no call can be shorter than


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
    kind: type[Runner] = NetworkRunner
    if setup.estimator is not None and setup.estimator.reference == ELSEWHERE:
        from miajax.campaign.elsewhere import ElsewhereRunner

        kind = ElsewhereRunner
    elif setup.estimator is not None:
        from miajax.campaign.estimators import EstimatorRunner

        kind = EstimatorRunner
    return kind(setup, path, reporter or Silent()).run()


class _TooSlow(TooLarge):
    """A step of a group takes so many seconds that Ctrl-C and SIGTERM would wait for it."""

    def __init__(self, models: int, seconds: float):
        super().__init__(models, seconds)
        self.models, self.seconds = models, seconds


class NetworkRunner(Runner):
    """A campaign whose models are networks, a group of which is one program."""

    failed_are = "Diverged"

    def __init__(self, setup: Setup, path: Path, reporter: Reporter):
        self._programs: Programs | None = None
        self._judged = False  # whether a step's time has been looked at
        self._compiled = 0.0  # seconds of compiling that stored groups account for
        super().__init__(setup, path, reporter)

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
        if isinstance(error, _TooSlow):
            group = max(unit, int(error.models * _STEP_SECONDS / error.seconds) // unit * unit)
            self.plan = dataclasses.replace(self.plan, group=group)
            self.folder.update_manifest(plan={**self.folder.manifest["plan"], "group": group})
            self.reporter.say(f"groups of {group}: a step of more takes {error.seconds:.0f} seconds")
        else:
            if not exhausts_memory(error) or group <= unit:
                raise refusal(self.setup, unit, error) from error
            group = max(unit, group // 2 // unit * unit)
            self.notes.append(f"Groups were cut to {group} models to fit the memory.")
        self._programs = None
        return group

    def _effect_of_plan(self, models: range, stop: Callable[[], bool]) -> dict[str, Any]:
        def give_way() -> None:
            if stop():
                raise Stopped

        some = models[: self.plan.placement().width]
        return effect_of_plan(self._programs_for(len(some)), self.folder, some, self.member, give_way)

    def _given_up(self, models: range, group: int, error: Exception) -> tuple[range, Callable[[], None]]:
        """A group as small as groups get that cannot be trained, though others were: its models count as failed.

        Raises:
          Exception: the error itself, where a smaller group may succeed or nothing has been trained yet.
        """
        smaller = exhausts_memory(error) and group > self.plan.placement().width
        if smaller or isinstance(error, _TooSlow) or self._programs is None or not self._finished:
            raise error
        why = "no memory for it" if exhausts_memory(error) else reason(error)
        listed = f"{models.start} to {models.stop - 1}"
        self.reporter.say(f"warning: models {listed} cannot be trained and are left out ({reason(error)})")
        finished, records = nothing_of(self.setup, self._programs, models, self.keep)
        facts = {
            "plan": dataclasses.asdict(self.plan),
            "membership_sha256": array_hash(self.member[models.start : models.stop]),
            "training_s": None,
            "made": group_record(self.device, compile_s=0.0, train_s=0.0, query_s=0.0),
            "failures": {str(model): why for model in models},
        }
        return models, functools.partial(self._store, models, finished, records, facts)

    def _programs_for(self, models: int) -> Programs:
        unit = self.plan.placement().width
        width = -(-models // unit) * unit
        if self._programs is None or self._programs.width < width:
            begin = time.perf_counter()
            mechanisms = self.setup.mechanisms
            key = noise_key(mechanisms, self.folder.path, self.config.seed) if mechanisms else None
            self._programs = Programs(self.setup, self.plan, width, self.keep, key)
            self.timing.compile_s += time.perf_counter() - begin
            need, free = self._programs.device_bytes(), free_memory(jax.local_devices()[0])
            if need > free:
                self._programs = None
                raise DoesNotFit(need, free)
        return self._programs

    def _one_group(self, models: range, width: int, stop: Callable[[], bool]) -> tuple[range, Callable[[], None]]:
        programs = self._programs_for(width)
        ensemble, epochs = programs.ensemble, self.config.recipe.epochs
        ids, member = np.arange(models.start, models.stop), self.member[models.start : models.stop]
        records = programs.epochs.empty(len(ids))
        recorded = {name: jax.ShapeDtypeStruct(a.shape, a.dtype) for name, a in records.items()}
        whole = (ensemble.abstract_snapshot(len(ids)), recorded)
        within = [(*whole, ensemble.abstract_within_epoch(len(ids)))]
        if self.config.recipe.early_stopping:
            within.append((*whole, ensemble.abstract_within_steps(len(ids))))
        begin = stored = time.perf_counter()
        progress, before, note = self.folder.load_progress(models, whole, *within)
        if note:
            told = noted("Models {} to {}: training {note}.", models.start, models.stop - 1, note=note)
            self.notes.append(told)
            self.reporter.say(f"warning: {self.notes[-1]}")
        if progress is not None:
            group = ensemble.resume(ids, member, progress[0], programs.width, *progress[2:])
            records = jax.tree.map(np.array, progress[1])
        else:
            group = ensemble.start(ids, member, programs.width)

        def save() -> None:
            spent = before + time.perf_counter() - begin
            within = (ensemble.within_epoch(group),) if group.step else ()
            self.folder.save_progress(models, (ensemble.snapshot(group), records, *within), spent)

        def give_way() -> None:
            if stop():
                save()
                raise Stopped

        training = 0.0
        if records and group.epoch and not group.step:  # its records may be what was interrupted
            programs.epochs.record(group, records, give_way)
        for stages, took in ensemble.calls(group, CALL_SECONDS, one_epoch=bool(records)):
            self._report(models, group, ensemble.stages_per_epoch)
            training += took
            self._cut_if_slow(stages, took, begun=progress is not None)
            if records and not group.step:
                programs.epochs.record(group, records, give_way)
            overdue = time.perf_counter() - stored >= 60 * self.config.checkpoint_minutes
            if group.epoch < epochs:
                give_way()
                if overdue:
                    save()
                    stored = time.perf_counter()
            if not group.step and ensemble.stopped(group):
                break
        train_s = time.perf_counter() - begin
        self.timing.train_s += train_s
        asked = time.perf_counter()
        finished = programs.finish(group, give_way)
        query_s = time.perf_counter() - asked
        self.timing.query_s += query_s
        compile_s, self._compiled = self.timing.compile_s - self._compiled, self.timing.compile_s
        facts = {
            "plan": dataclasses.asdict(self.plan),
            "membership_sha256": array_hash(member),
            "training_s": training if progress is None else None,  # unknown where it was resumed
            "made": group_record(self.device, compile_s=compile_s, train_s=before + train_s, query_s=query_s),
        }
        return models, functools.partial(self._store, models, finished, records, facts)

    def _cut_if_slow(self, steps: int, seconds: float, begun: bool) -> None:
        """Gives up the first step of a group too large to be interrupted, unless its size was asked for.

        Nothing else is lost: a group that was ``begun`` by another process stays what it is.
        """
        judged, self._judged = self._judged, True
        slow = steps == 1 and seconds > 2 * _STEP_SECONDS
        width = 0 if self._programs is None else self._programs.width
        if slow and width > self.plan.placement().width and not (judged or begun) and self.config.group is None:
            raise _TooSlow(width, seconds)

    def _report(self, models: range, group: Group, stages: int) -> None:
        epochs, total = self.config.recipe.epochs, max(self.config.num_shadows, self._finished + len(models))
        if group.step:
            seen = (group.so_far.loss, group.so_far.hit)
            loss, accuracy = (np.asarray(a)[: group.size, : group.step].mean(1) for a in seen)
        else:
            seen = (group.history.loss, group.history.accuracy)
            loss, accuracy = (np.asarray(a)[: group.size, group.epoch - 1] for a in seen)
        good = np.isfinite(loss)
        done = group.epoch + group.step / stages
        self.reporter.advance(
            self._finished + len(models) * done / epochs,
            total,
            float(loss[good].mean()) if good.any() else float("nan"),
            float(accuracy[good].mean()) if good.any() else 0.0,
        )

    def _store(self, models: range, finished: Finished, records: Records, facts: dict[str, Any]) -> None:
        arrays, beside = arrays_of(finished, records)
        parameters = self.setup.trainer.evaluated(finished.snapshot.state) if "parameters" in self.keep else None
        self.folder.save_group(models, arrays, beside, parameters, facts)
        self._checked.add(models)
        self._refuse_failed(models, arrays["valid"], facts.get("failures", {}))

    def _all_failed(self) -> UserError:
        return UserError(
            f"all {self.config.num_shadows} models diverged",
            expected="at least one that trains",
            remedy="Lower --learning_rate and choose another --out",
        )
