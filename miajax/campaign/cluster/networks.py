"""Networks on a cluster: groups go to workers as these are free, and come back to this process, which stores them.

The run folder is what one machine writes: locks, groups and saved states are this process's, so that it can be gone on
with anywhere. A worker that dies costs what its group trained since it was saved last.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from miajax.campaign.cluster.connection import Connection
from miajax.campaign.cluster.crew import Crew, Member
from miajax.campaign.cluster.worker import Job, News, Outcome
from miajax.campaign.config import Setup
from miajax.campaign.failures import refusal
from miajax.campaign.group_trainer import StoredGroup
from miajax.campaign.plan_effect import effect_of_signals, notes_on_effect
from miajax.campaign.planning import folder_of_run, note_on_change, on_this_machine
from miajax.campaign.progress import Reporter
from miajax.campaign.run import NetworkRunner
from miajax.campaign.stored import stored_plan
from miajax.runs.folder import RunFolder
from miajax.runs.unfinished import Progress
from miajax.training.plan import ExecutionPlan

_POLL_SECONDS = 0.2
_ASK_SECONDS = 0.3  # between two questions to one worker
_SAVE_SECONDS = 6.0  # that workers are given to hand their states back when all is to end
_DEATHS = 5  # of workers over one group, before its models count as failed
_DIED = f"{_DEATHS} workers died over it, one after another, perhaps for want of memory"
_UNSTORED = 2  # groups that wait to be written


@dataclasses.dataclass(eq=False)
class _Task:
    """A group in a worker's hands.

    Attributes:
      member: the worker.
      models: ids.
      held: their lock.
      forms: the call that says what a saved state looks like, until it has.
      result: the call that trains, once it is under way; or one that gives the models up.
      question: how far is it, until that is answered.
      news: the answer before.
      asked: when the last question was answered.
      again: the models are trained already, and are trained under another plan to see what that changes.
    """

    member: Member
    models: range
    held: contextlib.ExitStack
    forms: Any = None
    result: Any = None
    question: Any = None
    news: News = dataclasses.field(default_factory=News)
    asked: float = 0.0
    again: bool = False

    @property
    def calls(self) -> list[Any]:
        return [call for call in (self.forms, self.result, self.question) if call is not None]


class ClusterNetworkRunner(NetworkRunner):
    """A campaign of networks that workers of a cluster train."""

    def __init__(self, setup: Setup, path: Path, reporter: Reporter, connection: Connection):
        self._connection, self._served = connection, False
        self._deaths: collections.Counter[int] = collections.Counter()
        self._doomed: list[range] = []  # groups that killed too many workers
        self._others: list[ExecutionPlan] = []  # plans of workers whose bits may differ from the run's
        self._tasks: list[_Task] = []
        self._todo: list[range] = []
        self._left = 0  # models that were to be trained when this pass began
        self._pending: collections.deque[concurrent.futures.Future[None]] = collections.deque()
        super().__init__(setup, path, reporter)

    @property
    def _crew(self) -> Crew:
        if self._connection.crew is None:
            self._connection.crew = Crew(self._connection)
        return self._connection.crew

    def _planned(self, path: Path, facts: dict[str, Any]) -> tuple[ExecutionPlan, RunFolder, str | None]:
        if (path / "manifest.json").is_file():
            folder = folder_of_run(self.setup, path, facts)
        else:
            folder = folder_of_run(self.setup, path, facts, *self._new_plan())
        stored = stored_plan(folder)
        if stored.platform == "cpu" and self._connection.flags.gpus_per_task is None:
            self._connection.gpus_per_task = 0.0  # what a CPU began, CPUs end
        # Nobody trains here: workers whose bits may differ are told of when they come.
        return on_this_machine(self.setup, stored), folder, None

    def _new_plan(self) -> tuple[ExecutionPlan, list[dict[str, Any]]]:
        """The plan of a new run, as the first worker that is there chooses it."""
        crew = self._crew
        crew.listen(self.reporter.say)
        setup = self._connection.ray.put(self.setup)
        while True:
            member = crew.first()
            try:
                plan, trials, said = crew.get(member.actor.plan.remote(setup))
            except crew.died:
                crew.lose(member)
                continue
            for line in said:
                self.reporter.say(line)
            return plan, trials

    def _execution(self) -> str:
        return (
            f"{self.config.recipe.epochs} epochs of {self.setup.trainer.steps_per_epoch} steps; "
            f"workers of the cluster ({self._connection.flags.cluster}) x chunks of {self.plan.chunk}"
        )

    def _serve(self) -> Crew:
        """The crew, which takes this campaign up the first time."""
        crew = self._crew
        if not self._served:
            self._served = True
            crew.listen(self.reporter.say)
            job = Job(self.setup, self.keep, stored_plan(self.folder), self._noise_key())
            crew.serve(self._connection.ray.put(job))
        return crew

    def _train(
        self, missing: list[range], group: int, writer: concurrent.futures.Executor, stop: Callable[[], bool]
    ) -> int:
        crew = self._serve()
        self._writer, self._todo, self._left = writer, [*missing], sum(map(len, missing))
        before = self.trained
        try:
            while (self._todo or self._doomed or self._tasks) and not stop():
                self._turn(crew)
            self._save(crew)
            while self._pending:
                self._pending.popleft().result()
        finally:
            for task in self._tasks:  # whatever ended this: their workers are at work for nobody
                crew.lose(task.member)
                task.held.close()
            self._tasks = []
        return self.trained - before

    def _turn(self, crew: Crew) -> None:
        """Hands groups to workers that are free, and looks what became of those under way."""
        for member in crew.refresh():
            for task in [task for task in self._tasks if task.member is member]:
                self._died(crew, task)
        busy = {id(task.member) for task in self._tasks}
        for member in crew.ready():
            if id(member) not in busy and (self._todo or self._doomed):
                self._hand_out(crew, member)
        calls = [call for task in self._tasks for call in task.calls]
        if calls:
            self._connection.ray.wait(calls, timeout=_POLL_SECONDS)
        else:
            time.sleep(_POLL_SECONDS)
        for task in [*self._tasks]:
            try:
                self._look(crew, task)
            except crew.died:
                self._died(crew, task)
        if self._tasks:
            self._show()
        while self._pending and (self._pending[0].done() or len(self._pending) > _UNSTORED):
            self._pending.popleft().result()

    def _hand_out(self, crew: Crew, member: Member) -> None:
        """Gives a worker its next group, if any is left that no other process has."""
        if self._looks_again(member):
            return
        while self._doomed:
            task = _Task(member, self._doomed.pop(), contextlib.ExitStack())
            if task.held.enter_context(self.folder.lock(task.models)):
                self._give_up(task, _DIED)
                return
        while self._todo:
            models = self._cut(member, max(1, len(crew.members)))
            held = contextlib.ExitStack()
            if not held.enter_context(self.folder.lock(models)):
                continue
            if any(other.start < models.stop and models.start < other.stop for other in self.folder.done()):
                held.close()  # another process finished some of them in the meantime
                continue
            task = _Task(member, models, held)
            self._tasks.append(task)
            if models in self.folder.unfinished():
                task.forms = member.actor.forms.remote(len(models), len(models))
            else:
                self._begin(task, Progress())
            return

    def _cut(self, member: Member, workers: int) -> range:
        """Takes a worker's next group off what is left: one that was begun before, else no more than its share."""
        assert member.plan is not None
        unit, most = member.plan.chunk * member.plan.num_devices, member.plan.group
        share = -(-self._left // (workers * unit)) * unit
        first = self._todo[0]
        models = first[: min(len(first), most, share)]
        for begun in self.folder.unfinished():
            if len(begun) <= most and any(part.start <= begun.start and begun.stop <= part.stop for part in self._todo):
                models = begun
                break
        whole = next(part for part in self._todo if models.start in part)
        rest = [range(whole.start, models.start), range(models.stop, whole.stop)]
        place = self._todo.index(whole)
        self._todo[place : place + 1] = [part for part in rest if part]
        return models

    def _begin(self, task: _Task, progress: Progress) -> None:
        models = task.models
        task.result = task.member.actor.train.remote(models, self._member_of(models), len(models), progress)

    def _looks_again(self, member: Member) -> bool:
        """Has a worker whose bits may differ from the run's train some finished models, once for each such plan."""
        plan, stored = member.plan, stored_plan(self.folder)
        assert plan is not None
        note = note_on_change(plan, stored)
        if note is None or any(not plan.differing_bits(other) for other in self._others):
            return False
        self._others.append(plan)
        self.notes.append(note)
        self.reporter.say(f"worker on {member.label}: {note}")
        known = [each["effect"] for each in self._effects() if each["plan"] == dataclasses.asdict(plan)]
        if known and known[0] is not None:
            self.notes += notes_on_effect(known[0])
        elif done := self.folder.done():
            self.folder.fetch(done[0])
            task = _Task(member, done[0][: plan.chunk * plan.num_devices], contextlib.ExitStack(), again=True)
            self._begin(task, Progress())
            self._tasks.append(task)
            return True
        return False

    def _effects(self) -> list[dict[str, Any]]:
        return self.folder.manifest.get("changed_plans", [])

    def _record_effect(self, task: _Task, group: StoredGroup) -> None:
        plan = task.member.plan
        assert plan is not None
        effect = effect_of_signals(group.arrays["signals"], self.folder, task.models, self.member)
        entry = {"plan": dataclasses.asdict(plan), "effect": effect}
        self.folder.update_manifest(changed_plans=[*self._effects(), entry])
        self.notes += notes_on_effect(effect)

    def _look(self, crew: Crew, task: _Task) -> None:
        """Goes on with a group whose worker answered."""
        ready, _ = self._connection.ray.wait(task.calls, num_returns=len(task.calls), timeout=0)
        if task.forms is not None:
            if task.forms in ready:
                forms, task.forms = crew.get(task.forms), None
                progress = Progress() if forms is None else self.folder.load_progress(task.models, *forms)
                self._tell_progress(task.models, progress)
                self._begin(task, progress)
            return
        if task.result in ready:
            found = crew.get(task.result)
            self._tasks.remove(task)
            self._came_back(task, found)
            return
        if task.question in ready:
            task.news, task.question, task.asked = crew.get(task.question), None, time.monotonic()
            if task.news.state is not None:
                self.folder.save_progress(task.models, task.news.state, task.news.seconds)
                self._deaths.pop(task.models.start, None)  # it gets on
                task.news = dataclasses.replace(task.news, state=None)
        if task.question is None and time.monotonic() - task.asked > _ASK_SECONDS:
            task.question = task.member.actor.ask.remote()

    def _came_back(self, task: _Task, found: Outcome | StoredGroup) -> None:
        """Stores a group, or finds out what is to become of it."""
        member, models = task.member, task.models
        if isinstance(found, Outcome):
            for part, seconds in dataclasses.asdict(found.timing).items():
                setattr(self.timing, part, getattr(self.timing, part) + seconds)
        group = found if isinstance(found, StoredGroup) else found.group
        if task.again:
            if group is not None:
                self._record_effect(task, group)
        elif group is not None:
            self.trained += len(models)
            self._finished += len(models)
            self._deaths.pop(models.start, None)
            store = functools.partial(self._store, models, group)
            self._pending.append(self._writer.submit(self._stored, store, task.held))
            return
        elif isinstance(found, Outcome) and found.what == "stopped":
            self.folder.save_progress(models, found.state, found.seconds)
        elif isinstance(found, Outcome) and found.what == "too_large":
            assert found.size is not None and member.plan is not None
            member.plan = dataclasses.replace(member.plan, group=found.size)
            self.reporter.say(f"worker on {member.label}: groups of {found.size} from now on ({found.why})")
            self._todo.insert(0, models)
        elif isinstance(found, Outcome):
            self._give_up(task, "no memory for it" if found.for_memory else found.why, found.for_memory)
            return
        task.held.close()

    def _give_up(self, task: _Task, why: str, for_memory: bool = False) -> None:
        """Has a group's models count as failed.

        Raises:
          UserError: nothing has been trained yet: the next group would fail like this one.
        """
        models = task.models
        if not self._finished:
            task.held.close()
            raise refusal(self.setup, len(models), RuntimeError(why), for_memory)
        self.reporter.say(
            f"warning: models {models.start} to {models.stop - 1} cannot be trained and are left out ({why})"
        )
        task.result = task.member.actor.given_up.remote(models, self._member_of(models), why)
        task.question = None
        self._tasks.append(task)

    def _died(self, crew: Crew, task: _Task) -> None:
        """Puts a group back whose worker is gone."""
        models = task.models
        crew.lose(task.member)
        self._tasks.remove(task)
        task.held.close()
        what = f"a worker on {task.member.label} is gone"
        if task.again:
            self.reporter.say(what)
            return
        self._deaths[models.start] += 1
        if self._deaths[models.start] < _DEATHS:
            self.reporter.say(f"{what}: models {models.start} to {models.stop - 1} are trained elsewhere")
            self._todo.insert(0, models)
        else:
            self._doomed.append(models)

    def _show(self) -> None:
        """One view over all groups under way."""
        told = [(task.news, len(task.models)) for task in self._tasks if not task.again]
        if not any(news.share for news, _ in told):
            return  # workers compile
        models = sum(size for _, size in told)
        share = sum(news.share * size for news, size in told)
        sound = [(news, size) for news, size in told if np.isfinite(news.loss)]
        seen = sum(size for _, size in sound)
        loss = sum(news.loss * size for news, size in sound) / seen if seen else float("nan")
        accuracy = sum(news.accuracy * size for news, size in sound) / seen if seen else 0.0
        self.show_progress(share, models, loss, accuracy)

    def _save(self, crew: Crew) -> None:
        """Has the groups under way end, and keeps their states; what does not answer in time is given up."""
        for task in self._tasks:
            if task.result is not None:
                task.member.actor.end.remote()
        end = time.monotonic() + _SAVE_SECONDS
        while (waited := [task for task in self._tasks if task.result is not None]) and time.monotonic() < end:
            calls = [task.result for task in waited]
            ready, _ = self._connection.ray.wait(calls, num_returns=1, timeout=max(0.0, end - time.monotonic()))
            for task in waited:
                if task.result in ready:
                    self._tasks.remove(task)
                    try:
                        self._came_back(task, crew.get(task.result))
                    except crew.died:
                        crew.lose(task.member)
                        task.held.close()
