"""The engine of estimators: a group's models train side by side in processes; the run folder is that of every run."""

import collections
import concurrent.futures
import contextlib
import dataclasses
import functools
import os
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from joblib.externals.loky.process_executor import BrokenProcessPool, ProcessPoolExecutor

from miajax.campaign.config import Setup
from miajax.campaign.estimator_settings import without_records
from miajax.campaign.gathered import Campaign
from miajax.campaign.interrupt import Stopped
from miajax.campaign.made import group_record
from miajax.campaign.plan_effect import effect_of_signals
from miajax.campaign.planning import note_on_change
from miajax.campaign.progress import Reporter
from miajax.campaign.runner import Runner
from miajax.campaign.stored import stored_plan
from miajax.errors import UserError
from miajax.estimators.answers import Clip, clip_of, clipped, logits_of, unclipped_logit
from miajax.estimators.reference import Estimator
from miajax.estimators.worker import Job, Trained, leave_interrupts_to_parent, train
from miajax.runs.folder import RunFolder
from miajax.runs.integrity import array_hash
from miajax.training.devices import instruction_set
from miajax.training.plan import ExecutionPlan

_ROUNDS = 8  # models of a group for each process: what a kill may cost, and how rarely processes wait for the slowest
_STREAM = 3  # of a model's key; networks use those below (training/trainer.py)
_POLL_SECONDS = 0.2
_CLIP_OF_PROGRESS = 1e-6  # in the loss that progress and histories show, which no figure rests on
_PROBES = 8  # first models of a run, one of which has to train before its answers' clip is known
_DIED = "its process was killed, or died, perhaps for want of memory"
ONE_THREAD = {
    f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "VECLIB_MAXIMUM")
}


def random_state(seed: int, model: int) -> int:
    """The ``random_state`` of a shadow model, 31 bits, from the run's seed and its id in any company."""
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), model), _STREAM)
    return int(jax.random.key_data(key)[0]) & 0x7FFFFFFF


def plan_of(setup: Setup, estimator: Estimator, workers: int | None = None) -> ExecutionPlan:
    """How estimators are executed: by so many processes of one thread each, one for each core here if None."""
    if workers is None:
        workers = max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    return ExecutionPlan(
        platform="cpu",
        device_kind="processes",
        instruction_set=instruction_set(),
        num_devices=workers,
        parallel=setup.config.parallel,
        chunk=1,
        group=setup.config.group or _ROUNDS * workers,
        query_block=setup.dataset.num_examples,
        precision="",
        jax="",
        jaxlib="",
        lowering="",
        packages=estimator.packages,
    )


def _means(seen: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean loss and accuracy of the models that did not fail; NaN and 0 while there are none."""
    sound = [each for each in seen if np.isfinite(each).all()]
    return (float(np.mean([loss for loss, _ in sound])), float(np.mean([hit for _, hit in sound]))) if sound else (
        float("nan"), 0.0
    )  # fmt: skip


class EstimatorRunner(Runner):
    """A campaign whose models are estimators."""

    failed_are = "Failed"

    def __init__(self, setup: Setup, path: Path, reporter: Reporter):
        config, _ = without_records(setup.config)  # which studies ask for that take them where they are
        super().__init__(dataclasses.replace(setup, config=config), path, reporter)
        self._pool: ProcessPoolExecutor | None = None

    def run(self) -> Campaign:
        with tempfile.TemporaryDirectory(prefix="miajax-") as place:
            self._place = Path(place)
            try:
                return super().run()
            finally:
                self._end_processes()

    @property
    def _estimator(self) -> Estimator:
        assert self.setup.estimator is not None
        return self.setup.estimator

    def _planned(self, path: Path, facts: dict[str, Any]) -> tuple[ExecutionPlan, RunFolder, str | None]:
        return self._folder_for(plan_of(self.setup, self._estimator), path, facts)

    def _folder_for(
        self, here: ExecutionPlan, path: Path, facts: dict[str, Any]
    ) -> tuple[ExecutionPlan, RunFolder, str | None]:
        """As ``_planned``, of a plan for where the models train."""
        facts = {**facts, "plan": dataclasses.asdict(here), "labels_sha256": array_hash(self.setup.dataset.labels)}
        folder = RunFolder.create(path, self.setup.identity(), facts)
        stored = stored_plan(folder)
        if self.config.group is None:
            here = dataclasses.replace(here, group=stored.group)
        return here, folder, note_on_change(here, stored)

    def _execution(self) -> str:
        return f"{self.plan.num_devices} processes of one thread ({self.plan.packages})"

    def _introduced(self) -> None:
        """Nothing is asked before it is trained."""

    def _effect_of_plan(self, models: range, stop: Callable[[], bool]) -> dict[str, Any]:
        some = models[: self.plan.num_devices]
        again = {one.model: one for one in self._each(some, stop)}
        if len(again) < len(some):
            raise Stopped
        clip = self._clip(again)
        phi = np.stack([self._signals(again[model], clip)[1] for model in some])
        return effect_of_signals(phi[:, :, None], self.folder, some, self.member)

    def _one_group(self, models: range, width: int, stop: Callable[[], bool]) -> tuple[range, Callable[[], None]]:
        begin = time.perf_counter()
        finished: dict[int, Trained] = {}
        seen: list[tuple[float, float]] = []
        whole = self._finished + len(models)
        total = max(self.config.num_shadows, whole)
        with contextlib.closing(self._each(models, stop)) as each:
            for one in each:
                finished[one.model] = one
                seen.append(self._seen(one))
                loss, accuracy = _means(seen)
                self.reporter.advance(self._finished + len(finished), total, loss, accuracy)
        done = range(models.start, next((m for m in models if m not in finished), models.stop))
        if not done:
            raise Stopped
        group = [finished[model] for model in done]
        if all(one.failure for one in group) and not self._finished:
            raise self._all_failed(group)
        clip = self._clip(finished)
        wall = time.perf_counter() - begin
        fit, ask = (sum(getattr(one, part) for one in group) for part in ("fit_s", "ask_s"))
        asking = wall * ask / (fit + ask) if fit + ask else 0.0
        self.timing.train_s += wall - asking
        self.timing.query_s += asking
        facts: dict[str, Any] = {
            "plan": dataclasses.asdict(self.plan),
            "membership_sha256": array_hash(self.member[done.start : done.stop]),
            "training_s": wall - asking,
            "made": group_record(self.device, compile_s=0.0, train_s=wall - asking, query_s=asking),
            "failures": {str(one.model): one.failure for one in group if one.failure},
            "absent_classes": {str(one.model): list(one.absent) for one in group if one.absent},
        }
        return done, functools.partial(self._store_group, done, group, clip, facts)

    def _each(self, models: Sequence[int], stop: Callable[[], bool]) -> Generator[Trained, None, None]:
        """Models as they finish; ends early when asked to stop, and ends the processes that are still at work.

        Where a process dies, the models that were at work are trained one by one, and the one at which it dies again
        has failed.
        """
        todo, width = collections.deque(models), 2 * self.plan.num_devices  # what processes can have at hand, no more
        alone: collections.deque[int] = collections.deque()  # one of these ended the processes
        at_work: dict[concurrent.futures.Future[Trained], int] = {}
        try:
            while (todo or alone or at_work) and not stop():
                finished: list[Trained] = []
                try:
                    while (alone and not at_work) or (todo and not alone and len(at_work) < width):
                        model = (alone or todo)[0]
                        at_work[self._begun(model)] = model
                        (alone or todo).popleft()
                    done, _ = concurrent.futures.wait(at_work, _POLL_SECONDS, concurrent.futures.FIRST_COMPLETED)
                    for future in done:
                        finished.append(future.result())
                        del at_work[future]
                except BrokenProcessPool:
                    self._end_processes()
                    if len(at_work) == 1:
                        finished.append(Trained(at_work.popitem()[1], failure=_DIED))
                    alone.extend(at_work.values())
                    at_work.clear()
                yield from finished
        finally:
            if at_work:
                self._end_processes()

    def _begun(self, model: int) -> "concurrent.futures.Future[Trained]":
        if self._pool is None:  # of our own: joblib's shared one would be spoilt for the caller's joblib.Parallel
            self._pool = ProcessPoolExecutor(
                max_workers=self.plan.num_devices, initializer=leave_interrupts_to_parent, env=ONE_THREAD
            )
        pool: Any = self._pool
        return pool.submit(train, self._job(model, self._files))

    def _end_processes(self) -> None:
        """Ends them whatever they do: nothing of theirs is wanted any more."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, kill_workers=True)
            self._pool = None

    @functools.cached_property
    def _files(self) -> dict[str, str]:
        """What processes read, written once and mapped by each."""
        arrays = self._arrays()
        for name, array in arrays.items():
            np.save(self._place / f"{name}.npy", array)
        return {name: str(self._place / f"{name}.npy") for name in arrays}

    def _arrays(self) -> dict[str, np.ndarray]:
        """What every model is fitted on and asked about, by the name of the job's field."""
        dataset = self.setup.dataset
        labels = self.setup.training_set.labels
        if dataset.tree_features is not None:
            arrays = {"pool": self._filled(dataset.tree_features), "labels": labels}
        else:
            arrays = {"pool": self._rows(dataset.features), "labels": labels}
        if dataset.tree_features is None and dataset.test_features is not None and dataset.test_labels is not None:
            arrays |= {"test": self._rows(dataset.test_features), "test_labels": dataset.test_labels}
        return arrays

    def _filled(self, codes: np.ndarray) -> np.ndarray:
        """Missing values as NaN where the estimator takes it, else as a code below all others of their column."""
        return codes if self._estimator.takes_nan else np.where(np.isnan(codes), np.nanmin(codes, 0) - 1, codes)

    def _rows(self, features: np.ndarray) -> np.ndarray:
        return np.asarray(self.setup.trainer.scaling(jax.numpy.asarray(features))).reshape(len(features), -1)

    def _job(self, model: int, inputs: Mapping[str, str]) -> Job:
        estimator = self._estimator
        return Job(
            model=model,
            reference=estimator.reference,
            args=estimator.args,
            members=np.flatnonzero(self.member[model]),
            num_classes=self.setup.dataset.num_classes,
            state=random_state(self.config.seed, model),
            **inputs,
        )

    def _clip(self, finished: dict[int, Trained]) -> Clip:
        """What the run's first sound model says that answers can express, from the manifest where it was looked at."""
        if (known := self.folder.manifest.get("answers")) is not None:
            return Clip(known["clip"], known["rule"], known["votes"])
        for model in range(min(_PROBES, len(self.member))):
            one = finished.get(model) or next(self._each([model], lambda: False))
            if one.answers is not None:
                break
        else:
            sound = [one for one in finished.values() if one.answers is not None]
            if not sound:
                return Clip(None, "none")
            one = sound[0]
        assert one.answers is not None
        clip = clip_of(one.kind, one.answers, self._estimator.voters)
        self.folder.update_manifest(answers={"kind": one.kind, **dataclasses.asdict(clip)})
        return clip

    def _signals(self, one: Trained, clip: Clip) -> tuple[np.ndarray, np.ndarray]:
        """Scaled logits ``[N]`` of a model before and after clipping; NaN where it failed."""
        labels = self.setup.dataset.labels
        if one.answers is None:
            failed = np.full(len(labels), np.nan, np.float32)
            return failed, failed
        raw = unclipped_logit(one.kind, one.answers, labels)
        return raw.astype(np.float32), clipped(raw, clip.clip)

    def _seen(self, one: Trained) -> tuple[float, float]:
        """Mean loss and accuracy of a model on its members; NaN where it failed."""
        if one.answers is None:
            return float("nan"), float("nan")
        rows = np.flatnonzero(self.member[one.model])
        answers, labels = one.answers[rows], self.setup.dataset.labels[rows]
        phi = clipped(unclipped_logit(one.kind, answers, labels), _CLIP_OF_PROGRESS)
        return float(np.logaddexp(0.0, -phi).mean()), float((answers.argmax(1) == labels).mean())

    def _store_group(self, models: range, group: list[Trained], clip: Clip, facts: dict[str, Any]) -> None:
        labels, shape = self.setup.dataset.labels, (len(group), self.setup.dataset.num_examples)
        raw, phi = (np.stack(rows) for rows in zip(*(self._signals(one, clip) for one in group), strict=True))
        correct = np.zeros(shape, bool)
        logits = np.full((*shape, 1, self.setup.dataset.num_classes), np.nan, np.float32)
        seen = np.full((len(group), 2), np.nan, np.float32)
        for place, one in enumerate(group):
            if one.answers is not None:
                correct[place] = one.answers.argmax(1) == labels
                logits[place, :, 0] = logits_of(one.kind, one.answers)
                seen[place] = self._seen(one)
        arrays = {
            "signals": phi[:, :, None],
            "unclipped_signals": raw,
            "correct": correct,
            "valid": np.array([one.answers is not None for one in group]),
            "training_loss": seen[:, :1],
            "training_accuracy": seen[:, 1:],
        }
        if self.setup.dataset.test_labels is not None:
            arrays["official_test_accuracy"] = np.array([one.official for one in group])
        beside = {"logits": logits} if "logits" in self.keep else {}
        self.folder.save_group(models, arrays, beside, None, facts)
        self._refuse_failed(models, arrays["valid"], facts["failures"])

    def _all_failed(self, group: Sequence[Trained] = ()) -> UserError:
        failures = [one.failure for one in group] or self._recorded("failures").values()
        return UserError(
            f"no model of {self._estimator.label} trained ({next(iter(failures), 'no reason known')})",
            expected="an estimator that fits the pool",
            remedy="Mend --model_args or the data; where the data hold missing values, take an estimator for them",
        )

    def _gathered(self) -> Campaign:
        campaign = super()._gathered()
        notes: list[str] = []
        if absent := self._recorded("absent_classes"):
            names = self.setup.dataset.class_names
            never: set[int] = {c for each in absent.values() for c in each}
            classes = ", ".join(names[c] for c in sorted(never)[:10])
            notes.append(f"{len(absent)} models never saw an example of some class ({classes}): it gets probability 0.")
        return dataclasses.replace(campaign, notes=(*campaign.notes, *notes))
