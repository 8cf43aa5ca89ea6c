"""What every campaign goes through, whatever its models are: groups missing, locked, trained, stored, gathered."""

import abc
import concurrent.futures
import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from miajax.campaign.config import Setup
from miajax.campaign.failures import TooLarge, notes_on, refuse_failed
from miajax.campaign.gathered import Campaign, Timing, gathered
from miajax.campaign.interrupt import Stopped, asked_to_stop
from miajax.campaign.log import Logged, log_file
from miajax.campaign.plan_effect import notes_on_effect
from miajax.campaign.privacy import calibration_note, private_facts, taken_up
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.storing import file_sizes, kept, small_kinds, store_inputs
from miajax.campaign.together import own_share, speaks
from miajax.errors import UserError
from miajax.notes import noted
from miajax.parsing import reason
from miajax.runs.checkpoints import load_library
from miajax.runs.folder import RunFolder
from miajax.runs.integrity import Damaged
from miajax.runs.mounts import publish, shown
from miajax.runs.names import range_name
from miajax.runs.space import with_space_for
from miajax.training.devices import machine_name
from miajax.training.plan import ExecutionPlan


class Incomplete(Exception):
    """This process has done its part (``--models``, ``--distributed``), and the campaign is for others to finish."""


def _continued(setup: Setup, path: Path) -> Setup:
    """The campaign under the noise of the run that lies in its folder already."""
    if not setup.privacies or not (path / "manifest.json").is_file():
        return setup
    identity = RunFolder.open(path).manifest.get("identity", {})
    privacies, mechanisms = taken_up(setup.privacies, setup.mechanisms, identity)
    return dataclasses.replace(setup, privacies=privacies, mechanisms=mechanisms)


class Runner(abc.ABC):
    """Whose turn it is, group by group, whatever its models are; kinds of models train, query and store a group.

    Attributes:
      failed_are: what models without answers are called in notes.
    """

    failed_are: str

    def __init__(self, setup: Setup, path: Path, reporter: Reporter):
        setup = _continued(setup, path)
        reporter = reporter if speaks() else Silent()
        self.setup, self.config, self.reporter = setup, setup.config, reporter
        self.keep = kept(setup)
        self.timing = Timing()
        self.notes: list[str] = [*setup.notes]
        self.trained: int = 0  # models that this process trained, or had trained
        self._finished = 0  # models that this process trained or found
        sizes = {k: v for k, v in file_sizes(setup).items() if k in (*self.keep, "signals")}
        with_space_for(path, sum(sizes.values()), lambda: ", ".join(sizes))
        self.device = machine_name(jax.local_devices()[0])
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
        self.folder.tell(reporter.say)
        self.folder.enter()
        self.reporter = reporter = self._log = Logged(reporter, self.folder.path / log_file(self.folder.path))
        self.folder.tell(reporter.say)
        self._checked: set[range] = set()  # groups that this process verified or stored itself
        self._waited = False
        store_inputs(self.folder.path, setup, self.member)
        publish()
        listed = ", ".join(f"{kind} {size / 1e6:.1f} MB" for kind, size in sizes.items())
        reporter.say(
            f"{setup.dataset.name}: {setup.dataset.num_examples} examples, {self.config.num_shadows} models of "
            f"{setup.trainer.model.name}, {self._execution()}, groups of {self.plan.group}; keeping {listed}"
        )
        self.no_logits: tuple[str, ...] = ()
        self._introduced()

    @abc.abstractmethod
    def _planned(self, path: Path, facts: dict[str, Any]) -> tuple[ExecutionPlan, RunFolder, str | None]:
        """The plan, the run folder, and a note where the folder holds models of another plan."""

    @abc.abstractmethod
    def _execution(self) -> str:
        """How models train, for the line that a run begins with."""

    @abc.abstractmethod
    def _introduced(self) -> None:
        """What else is said, and looked at, before the first model trains."""

    @abc.abstractmethod
    def _one_group(self, models: range, width: int, stop: Callable[[], bool]) -> tuple[range, Callable[[], None]]:
        """Trains and queries a group of at most ``width``; returns its models and the function that stores it."""

    @abc.abstractmethod
    def _effect_of_plan(self, models: range, stop: Callable[[], bool]) -> dict[str, Any]:
        """As `effect_of_plan`, of some of a stored group's models."""

    def _smaller_group(self, error: Exception, group: int) -> int:
        """The group to go on with after ``error``, which is raised again where a smaller one is no remedy."""
        raise error

    def _given_up(self, models: range, group: int, error: Exception) -> tuple[range, Callable[[], None]]:
        """As ``_one_group``, of a group whose models count as failed; raises ``error`` where they do not."""
        raise error

    @abc.abstractmethod
    def _all_failed(self) -> UserError:
        """What a run without a single sound model ends with."""

    def _only_a_part(self) -> bool:
        """Whether this process leaves the gathering to another."""
        return self.config.models is not None or not speaks()

    def _set_damage_aside(self) -> None:
        """Verifies every finished group once; a damaged one is named, moved away, and counts as missing."""
        for models in self.folder.done():
            if models in self._checked or (self._only_a_part() and not self.folder.is_here(models)):
                continue
            try:
                self.folder.fetch(models)
                self.folder.verify(models, small_kinds(self.setup))
            except Damaged as damage:
                with self.folder.lock(models) as ours:
                    if not ours:
                        continue  # another process has it in hand
                    where = self.folder.set_aside(models)
                note = noted(
                    "Models {} to {} were damaged and are trained again: {reason}. What was there lies in {where}.",
                    models.start, models.stop - 1, reason=damage.reason, where=shown(str(where)),
                )  # fmt: skip
                self.notes.append(note)
                self.reporter.say(f"warning: {note}")
                continue
            self._checked.add(models)

    def run(self) -> Campaign:
        """Trains what is missing, and gathers the whole.

        Raises:
          Stopped, Incomplete, UserError: as `run_campaign`.
        """
        try:
            campaign = self._run()
        except BaseException as error:
            self._log.note(f"ended by {type(error).__name__}: {reason(error)}")
            raise
        self._log.note(f"{len(campaign.valid)} models are here, {self.trained} of them trained by this process")
        return campaign

    def _run(self) -> Campaign:
        wanted = self.config.model_range()
        self._set_damage_aside()
        self._finished = sum(map(len, self.folder.done()))
        group = self.plan.group
        with concurrent.futures.ThreadPoolExecutor(1) as writer, asked_to_stop() as stop:
            if self.folder.missing(wanted, group):
                writer.submit(load_library)  # where no signal of the main thread's can break into the import
            if self.plan_changed and self.folder.missing(wanted, group):
                self._record_changed_plan(stop)
            while missing := own_share(self._still_missing(wanted, group), group):
                try:
                    trained = self._train(missing, group, writer, stop)
                except (jax.errors.JaxRuntimeError, TooLarge) as error:
                    group = self._smaller_group(error, group)
                    continue
                if not trained:
                    if stop():
                        raise Stopped
                    if not self._waited:
                        self._waited = True
                        listed = ", ".join(map(range_name, missing[:8]))
                        self.reporter.say(f"waiting: another process trains the models that are left ({listed})")
                    time.sleep(self.folder.patience)
        self.reporter.close()
        if not speaks():
            raise Incomplete(f"process {jax.process_index()} has trained its groups")
        if left := self.folder.missing(range(self.config.num_shadows), self.plan.group):
            raise Incomplete(
                f"Models {self.config.models} are finished. {sum(map(len, left))} of {self.config.num_shadows} models "
                f"of {shown(str(self.folder.path))} are still missing: train them with other --models ranges, then run "
                "without --models."
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
            self.folder.fetch(self.folder.done()[0])
            effect = self._effect_of_plan(self.folder.done()[0], stop)
            self.folder.update_manifest(changed_plans=[*history, {"plan": mine, "effect": effect}])
        if effect is not None:
            self.notes += notes_on_effect(effect)

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
                except (jax.errors.JaxRuntimeError, TooLarge) as error:
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

    @staticmethod
    def _stored(store: Callable[[], None], held: contextlib.ExitStack) -> None:
        with held:
            store()

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

    def _gathered(self) -> Campaign:
        valid = self.folder.gather("valid", self.config.num_shadows)
        if not valid.any():
            raise self._all_failed()
        failures = self._recorded("failures")
        self._refuse_failed(range(self.config.num_shadows), valid, failures)
        # What is judged already: a network by its untrained answers, an estimator by its class.
        found = self.no_logits if self.no_logits or self.setup.estimator is not None else None
        campaign = gathered(
            self.setup,
            self.folder,
            self.plan,
            self.member,
            self.notes,
            self.timing,
            self.trained,
            found,
            self.failed_are,
        )
        return dataclasses.replace(campaign, notes=(*campaign.notes, *notes_on(failures)))
