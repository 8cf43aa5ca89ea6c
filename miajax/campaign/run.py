"""The shadow campaign: every model trained, queried and stored, in groups, from whatever a run folder already holds."""

import concurrent.futures
import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from miajax.campaign.config import Setup
from miajax.campaign.epochs import Records
from miajax.campaign.failures import (
    DoesNotFit,
    exhausts_memory,
    notes_on,
    nothing_of,
    refusal,
    refuse_failed,
)
from miajax.campaign.interrupt import Stopped, asked_to_stop
from miajax.campaign.made import group_record
from miajax.campaign.plan_effect import effect_of_plan, notes_on_effect
from miajax.campaign.planning import planned
from miajax.campaign.privacy import calibration_note, noise_key, private_facts, private_line, taken_up
from miajax.campaign.programs import Finished, Programs
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.storing import arrays_of, file_sizes, kept, small_kinds, store_inputs
from miajax.errors import UserError
from miajax.estimators.elsewhere import ELSEWHERE
from miajax.models.registry import MODELS
from miajax.notes import noted
from miajax.parsing import reason
from miajax.runs.checkpoints import load_library
from miajax.runs.content_notes import note_on_answers
from miajax.runs.folder import RunFolder, range_name
from miajax.runs.integrity import Damaged, array_hash
from miajax.runs.space import with_space_for
from miajax.signals.query import untrained_answers
from miajax.training.devices import free_memory, machine_name
from miajax.training.ensemble import Group
from miajax.training.parallel import CALL_SECONDS
from miajax.training.plan import ExecutionPlan

_EXAMPLES_TO_JUDGE = 1000  # whose answers tell logits from probabilities
_STEP_SECONDS = 5.0  # how long one step of a whole group may, which no call can be shorter than


@dataclasses.dataclass
class Timing:
    """Seconds spent, by what they were spent on."""

    compile_s: float = 0.0
    train_s: float = 0.0
    query_s: float = 0.0


@dataclasses.dataclass(frozen=True)
class Campaign:
    """A finished campaign.

    Attributes:
      setup: its configuration and data.
      folder: where it lies.
      plan: how its models were executed.
      member: ``bool[M, N]``.
      valid: ``bool[M]``, false for diverged models.
      signals: ``float32[M, N, Q]`` scaled logits, read-only from disk; NaN rows for diverged models.
      correct: ``bool[M, N]``.
      train_accuracy, test_accuracy: ``float64[M]`` on each model's members and non-members.
      official_test_accuracy: ``float64[M]`` on the data set's own test split, or None.
      private_steps: ``int32[M]``, private steps that each model ran, or None where training is not private.
      timing: of this process.
      trained: how many models this process trained; the others were there.
      notes: what a reader of the results should know.
    """

    setup: Setup
    folder: RunFolder
    plan: ExecutionPlan
    member: np.ndarray
    valid: np.ndarray
    signals: np.ndarray
    correct: np.ndarray
    train_accuracy: np.ndarray
    test_accuracy: np.ndarray
    official_test_accuracy: np.ndarray | None
    private_steps: np.ndarray | None
    timing: Timing
    trained: int
    notes: tuple[str, ...]


class _TooSlow(Exception):
    """A step of a group takes so many seconds that Ctrl-C and SIGTERM would wait for it."""

    def __init__(self, models: int, seconds: float):
        super().__init__(models, seconds)
        self.models, self.seconds = models, seconds


class Incomplete(Exception):
    """This process has done its part (``--models``), and other models of the campaign are still missing."""


def training_seconds(folder: RunFolder, num_models: int) -> float | None:
    """Seconds of training a model, all cores together on one group at a time; None where a group has no record.

    Neither compilation nor what was recorded between epochs is in it. A group that was begun by another process has no
    record, nor do runs of earlier versions.
    """
    groups = [models for models in folder.done() if models.start < num_models]
    spent = [folder.group_facts(models).get("training_s") for models in groups]
    known = [seconds for seconds in spent if seconds is not None]
    return sum(known) / sum(map(len, groups)) if len(known) == len(groups) else None


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
    kind = Runner
    if setup.estimator is not None and setup.estimator.reference == ELSEWHERE:
        from miajax.campaign.elsewhere import ElsewhereRunner  # which is a Runner itself

        kind = ElsewhereRunner
    elif setup.estimator is not None:
        from miajax.campaign.estimators import EstimatorRunner  # which is a Runner itself

        kind = EstimatorRunner
    return kind(setup, path, reporter or Silent()).run()


def _continued(setup: Setup, path: Path) -> Setup:
    """The campaign under the noise of the run that lies in its folder already."""
    if not setup.privacies or not (path / "manifest.json").is_file():
        return setup
    identity = RunFolder.open(path).manifest.get("identity", {})
    privacies, mechanisms = taken_up(setup.privacies, setup.mechanisms, identity)
    return dataclasses.replace(setup, privacies=privacies, mechanisms=mechanisms)


class Runner:
    failed_are = "Diverged"

    def __init__(self, setup: Setup, path: Path, reporter: Reporter):
        setup = _continued(setup, path)
        self.setup, self.config, self.reporter = setup, setup.config, reporter
        self.keep = kept(setup)
        self.timing = Timing()
        self.notes: list[str] = [*setup.notes]
        self.trained = 0
        self._programs: Programs | None = None
        self._judged = False  # whether a step's time has been looked at
        self._finished = 0  # models that this process trained or found
        self._compiled = 0.0  # seconds of compiling that stored groups account for
        sizes = {k: v for k, v in file_sizes(setup).items() if k in (*self.keep, "signals")}
        with_space_for(path, sum(sizes.values()), lambda: ", ".join(sizes))
        self.device = machine_name(jax.devices()[0])
        facts = {
            "device": self.device,
            "provenance": dict(setup.dataset.provenance),
            **private_facts(setup.mechanisms, setup.trainer.private),
        }
        self.plan, self.folder, changed = self._planned(path, facts)
        self.plan_changed = changed is not None
        self.notes += [changed] if changed else []
        overspent = calibration_note(setup.privacies, setup.mechanisms)
        self.notes += [overspent] if overspent else []
        self.member = setup.membership()
        self.folder.enter()
        self._checked: set[range] = set()  # groups that this process verified or stored itself
        self._waited = False
        store_inputs(self.folder.path, setup, self.member)
        listed = ", ".join(f"{kind} {size / 1e6:.1f} MB" for kind, size in sizes.items())
        reporter.say(
            f"{setup.dataset.name}: {setup.dataset.num_examples} examples, {self.config.num_shadows} models of "
            f"{setup.trainer.model.name}, {self._execution()}, groups of {self.plan.group}; keeping {listed}"
        )
        self.no_logits: tuple[str, ...] = ()
        self._introduced()

    def _planned(self, path: Path, facts: dict[str, Any]) -> tuple[ExecutionPlan, RunFolder, str | None]:
        """As `planned`."""
        return planned(self.setup, path, facts, self.reporter.say)

    def _execution(self) -> str:
        """How models train, for the line that a run begins with."""
        return (
            f"{self.config.recipe.epochs} epochs of {self.setup.trainer.steps_per_epoch} steps; "
            f"{self.plan.num_devices} devices x chunks of {self.plan.chunk}"
        )

    def _introduced(self) -> None:
        """What else is said, and looked at, before the first model trains."""
        setup, reporter = self.setup, self.reporter
        if (step := setup.trainer.private) is not None:
            reporter.say("; ".join(map(private_line, setup.mechanisms)))
            if step.plan.fallback is not None:
                reporter.say(f"clipping: {step.plan.lines()[0]}")
        if setup.trainer.model.name not in MODELS:
            some = setup.dataset.features[:_EXAMPLES_TO_JUDGE]
            self.no_logits = note_on_answers(untrained_answers(setup.trainer, some, self.config.query_mode))
            for note in self.no_logits:
                reporter.say(f"warning: {note}")

    def _set_damage_aside(self) -> None:
        """Verifies every finished group once; a damaged one is named, moved away, and counts as missing."""
        for models in self.folder.done():
            if models in self._checked:
                continue
            try:
                self.folder.verify(models, small_kinds(self.setup))
            except Damaged as damage:
                with self.folder.lock(models) as ours:
                    if not ours:
                        continue  # another process has it in hand
                    where = self.folder.set_aside(models)
                note = noted(
                    "Models {} to {} were damaged and are trained again: {reason}. What was there lies in {where}.",
                    models.start, models.stop - 1, reason=damage.reason, where=str(where),
                )  # fmt: skip
                self.notes.append(note)
                self.reporter.say(f"warning: {note}")
                continue
            self._checked.add(models)

    def run(self) -> Campaign:
        wanted = self.config.model_range()
        self._set_damage_aside()
        self._finished = sum(map(len, self.folder.done()))
        group = self.plan.group
        with concurrent.futures.ThreadPoolExecutor(1) as writer, asked_to_stop() as stop:
            if self.folder.missing(wanted, group):
                writer.submit(load_library)  # where no signal of the main thread's can break into the import
            if self.plan_changed and self.folder.missing(wanted, group):
                self._record_changed_plan(stop)
            while missing := self._still_missing(wanted, group):
                try:
                    trained = self._train(missing, group, writer, stop)
                except _TooSlow as slow:
                    # The chunk decides bits and stays; the group does not.
                    unit = self.plan.placement().width
                    group = max(unit, int(slow.models * _STEP_SECONDS / slow.seconds) // unit * unit)
                    self._programs, self.plan = None, dataclasses.replace(self.plan, group=group)
                    self.folder.update_manifest(plan={**self.folder.manifest["plan"], "group": group})
                    self.reporter.say(f"groups of {group}: a step of more takes {slow.seconds:.0f} seconds")
                    continue
                except (jax.errors.JaxRuntimeError, DoesNotFit) as error:
                    unit = self.plan.placement().width
                    if not exhausts_memory(error) or group <= unit:
                        raise refusal(self.setup, unit, error) from error
                    # The chunk decides bits and stays; the group does not.
                    group = max(unit, group // 2 // unit * unit)
                    self._programs = None
                    self.notes.append(f"Groups were cut to {group} models to fit the memory.")
                    continue
                if not trained:
                    if stop():
                        raise Stopped
                    if not self._waited:
                        self._waited = True
                        listed = ", ".join(map(range_name, missing[:8]))
                        self.reporter.say(f"waiting: another process trains the models that are left ({listed})")
                    time.sleep(0.5)
        self.reporter.close()
        if left := self.folder.missing(range(self.config.num_shadows), self.plan.group):
            raise Incomplete(
                f"Models {self.config.models} are finished. {sum(map(len, left))} of {self.config.num_shadows} models "
                f"of {self.folder.path} are still missing: train them with other --models ranges, then run without "
                "--models."
            )
        return self._gathered()

    def _still_missing(self, wanted: range, group: int) -> list[range]:
        """As ``RunFolder.missing``, what other processes stored meanwhile verified first."""
        self._set_damage_aside()
        return self.folder.missing(wanted, group)

    def _record_changed_plan(self, stop: Callable[[], bool]) -> None:
        """Trains a few finished models again under the new plan and writes down how far their signals move."""
        history = self.folder.manifest.get("changed_plans", [])
        mine = dataclasses.asdict(self.plan)
        effect = next((entry["effect"] for entry in history if entry["plan"] == mine), None)
        if effect is None and self.folder.done():
            effect = self._effect_of_plan(self.folder.done()[0], stop)
            self.folder.update_manifest(changed_plans=[*history, {"plan": mine, "effect": effect}])
        if effect is not None:
            self.notes += notes_on_effect(effect)

    def _effect_of_plan(self, models: range, stop: Callable[[], bool]) -> dict[str, Any]:
        """As `effect_of_plan`, of some of a stored group's models."""

        def give_way() -> None:
            if stop():
                raise Stopped

        some = models[: self.plan.placement().width]
        return effect_of_plan(self._programs_for(len(some)), self.folder, some, self.member, give_way)

    def _train(
        self, missing: list[range], group: int, writer: concurrent.futures.Executor, stop: Callable[[], bool]
    ) -> int:
        """Trains those of the missing ranges that no other process has; returns how many models it trained."""
        trained, pending = 0, None
        for models in missing:
            with contextlib.ExitStack() as held:
                if not held.enter_context(self.folder.lock(models)):
                    continue
                if self.folder.missing(models, group) != [models]:
                    continue  # another process finished some of them in the meantime
                try:
                    done, store = self._one_group(models, min(group, max(map(len, missing))), stop)
                except (jax.errors.JaxRuntimeError, DoesNotFit) as error:
                    done, store = self._given_up(models, group, error)
                if pending is not None:
                    pending.result()
                pending = writer.submit(self._stored, store, held.pop_all())
                trained += len(done)
                self._finished += len(done)
        if pending is not None:
            pending.result()
        self.trained += trained
        return trained

    def _given_up(self, models: range, group: int, error: Exception) -> tuple[range, Callable[[], None]]:
        """A group as small as groups get that cannot be trained, though others were: its models count as failed.

        Raises:
          Exception: the error itself, where a smaller group may succeed or nothing has been trained yet.
        """
        smaller = exhausts_memory(error) and group > self.plan.placement().width
        if smaller or self._programs is None or not self._finished:
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

    @staticmethod
    def _stored(store: Callable[[], None], held: contextlib.ExitStack) -> None:
        with held:
            store()

    def _programs_for(self, models: int) -> Programs:
        unit = self.plan.placement().width
        width = -(-models // unit) * unit
        if self._programs is None or self._programs.width < width:
            begin = time.perf_counter()
            mechanisms = self.setup.mechanisms
            key = noise_key(mechanisms, self.folder.path, self.config.seed) if mechanisms else None
            self._programs = Programs(self.setup, self.plan, width, self.keep, key)
            self.timing.compile_s += time.perf_counter() - begin
            need, free = self._programs.device_bytes(), free_memory(jax.devices()[0])
            if need > free:
                self._programs = None
                raise DoesNotFit(need, free)
        return self._programs

    def _one_group(self, models: range, width: int, stop: Callable[[], bool]) -> tuple[range, Callable[[], None]]:
        """Trains and queries a group of at most ``width``; returns its models and the function that stores it."""
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

    def _refuse_failed(self, models: range, valid: np.ndarray, told: Mapping[str, str]) -> None:
        """As `refuse_failed`, where ``--strict`` asks for it."""
        if self.config.strict:
            refuse_failed([models[place] for place in np.flatnonzero(~valid)], told)

    def _recorded(self, kind: str) -> dict[str, Any]:
        """A record of single models, of all groups together, by id."""
        found: dict[str, Any] = {}
        for models in self.folder.done():
            found |= self.folder.group_facts(models).get(kind, {})
        return {name: value for name, value in found.items() if int(name) < self.config.num_shadows}

    def _all_failed(self) -> UserError:
        return UserError(
            f"all {self.config.num_shadows} models diverged",
            expected="at least one that trains",
            remedy="Lower --learning_rate and choose another --out",
        )

    def _gathered(self) -> Campaign:
        folder, num_models = self.folder, self.config.num_shadows
        signals = folder.assemble("signals", num_models)
        correct, valid = folder.gather("correct", num_models), folder.gather("valid", num_models)
        diverged = [int(i) for i in np.flatnonzero(~valid)]
        if diverged:
            self.notes.append(
                f"{self.failed_are} models, left out of every figure: {', '.join(map(str, diverged[:20]))}"
                f"{' and more' if len(diverged) > 20 else ''} ({len(diverged)} of {num_models})."
            )
        if not valid.any():
            raise self._all_failed()
        failures = self._recorded("failures")
        self._refuse_failed(range(num_models), valid, failures)
        stored = sum(map(len, folder.done()))
        if stored > num_models:
            self.notes.append(f"The run folder holds {stored} models; these figures rest on the first {num_models}.")
        judged = self.no_logits or self.setup.estimator is not None
        if not judged and (models := next(folder.kept("logits", num_models), None)) is not None:
            sound = np.flatnonzero(valid[models[0].start : models[0].stop])
            self.no_logits = note_on_answers(models[1][sound[0], :_EXAMPLES_TO_JUDGE]) if len(sound) else ()
        self.notes += self.no_logits
        inside = np.where(self.member, correct, False).sum(1) / self.member.sum(1)
        outside = np.where(self.member, False, correct).sum(1) / (~self.member).sum(1)
        chance = 1.5 / self.setup.dataset.num_classes
        if idle := [int(i) for i in np.flatnonzero(valid & (inside <= chance))]:
            self.notes.append(f"Models at chance accuracy on their own members: {', '.join(map(str, idle[:20]))}.")
        official = None
        if self.setup.dataset.test_labels is not None:
            official = folder.gather("official_test_accuracy", num_models)
        return Campaign(
            setup=self.setup,
            folder=folder,
            plan=self.plan,
            member=self.member,
            valid=valid,
            signals=signals,
            correct=correct,
            train_accuracy=np.where(valid, inside, np.nan),
            test_accuracy=np.where(valid, outside, np.nan),
            official_test_accuracy=official,
            private_steps=folder.gather("private_steps", num_models) if self.setup.mechanisms else None,
            timing=self.timing,
            trained=self.trained,
            notes=(*self.notes, *notes_on(failures)),
        )
