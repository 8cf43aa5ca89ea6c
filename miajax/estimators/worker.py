"""One shadow model in a process of its own: built, fitted on its members, asked about the pool.

This module is all that a process imports beside the estimator's own package, so that it starts quickly.
"""

import dataclasses
import functools
import random
import signal
import sys
import time
import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from miajax.estimators.reference import built, settings_of

Kind = Literal["probabilities", "scores"]
_SUM_TOLERANCE = 0.01  # of a row of probabilities, as for answers from elsewhere
LOWEST_LOG = -103.6  # log(1e-45), for a probability of 0: where published code stops telling them apart


@dataclasses.dataclass(frozen=True)
class Job:
    """What one process is to do.

    Attributes:
      model: id of the shadow model.
      reference, args: the estimator.
      pool: ``[N, F]`` that it is fitted on and asked about, or a ``.npy`` file of it.
      labels: ``int32[N]`` to fit, or a file.
      members: ``int64[n]``, rows of the pool.
      num_classes: C.
      state: its ``random_state``.
      test, test_labels: the data set's own test split, or files of it, or None.
    """

    model: int
    reference: str
    args: Mapping[str, Any]
    pool: str | np.ndarray
    labels: str | np.ndarray
    members: np.ndarray
    num_classes: int
    state: int
    test: str | np.ndarray | None = None
    test_labels: str | np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Trained:
    """What came of a job.

    Attributes:
      model: id of the shadow model.
      failure: why it has no answers, in one line; empty where it has.
      kind: whether answers are probabilities or scores (logits).
      answers: ``[N, C]`` in the estimator's own precision, or None.
      absent: classes that no member has.
      official: accuracy on the test split, NaN where there is none.
      fit_s, ask_s: seconds.
    """

    model: int
    failure: str = ""
    kind: Kind = "probabilities"
    answers: np.ndarray | None = None
    absent: tuple[int, ...] = ()
    official: float = float("nan")
    fit_s: float = 0.0
    ask_s: float = 0.0


def leave_interrupts_to_parent() -> None:
    """A terminal sends Ctrl-C to every process; only the first knows what to store."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def train(job: Job) -> Trained:
    """Fits one model and asks it; whatever goes wrong is its ``failure``."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of one model in hundreds, in a process whose terminal nobody reads
            return _trained(job)
    except Exception as error:  # somebody else's estimator: whatever it raises is the answer
        lines = str(error).strip().splitlines()
        return Trained(job.model, failure=f"{type(error).__name__}: {lines[0] if lines else 'no message'}")


def _trained(job: Job) -> Trained:
    pool, labels = _opened(job.pool), _opened(job.labels)
    estimator = built(job.reference, job.args)
    settings = settings_of(estimator)
    own = {name: job.state for name in settings if name.split("__")[-1] == "random_state"}
    own |= {name: 1 for name in settings if name.split("__")[-1] in ("n_jobs", "nthread")}
    if own:
        estimator.set_params(**own)
    np.random.seed(job.state)  # noqa: NPY002 - what draws from the global state is somebody else's
    random.seed(job.state)
    if (torch := sys.modules.get("torch")) is not None:  # of a wrapper such as skorch, which has no random_state
        torch.manual_seed(job.state)
    wanted = labels[job.members]
    seen = np.unique(wanted)
    absent = tuple(int(c) for c in np.setdiff1d(np.arange(job.num_classes), seen))
    # Some estimators refuse labels with gaps; those without gaps stay, for networks whose outputs are classes.
    fitted = np.searchsorted(seen, wanted) if absent else wanted
    begin = time.perf_counter()
    estimator.fit(np.ascontiguousarray(pool[job.members]), np.asarray(fitted, np.int64))
    fit_s = time.perf_counter() - begin
    begin = time.perf_counter()
    kind, answers = _asked(estimator, pool, seen, job.num_classes)
    official = float("nan")
    if job.test is not None and job.test_labels is not None:
        said = _asked(estimator, _opened(job.test), seen, job.num_classes)[1]
        official = float((said.argmax(1) == _opened(job.test_labels)).mean())
    return Trained(job.model, "", kind, answers, absent, official, fit_s, time.perf_counter() - begin)


def _opened(array: str | np.ndarray) -> np.ndarray:
    return _mapped(array) if isinstance(array, str) else array


@functools.lru_cache(8)
def _mapped(path: str) -> np.ndarray:
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _asked(estimator: Any, rows: np.ndarray, seen: np.ndarray, num_classes: int) -> tuple[Kind, np.ndarray]:
    """Answers ``[K, C]`` about rows, a column a class; probability 0 for a class that the model never saw."""
    kind: Kind = "probabilities" if hasattr(estimator, "predict_proba") else "scores"
    said = np.asarray(estimator.predict_proba(rows) if kind == "probabilities" else estimator.decision_function(rows))
    said = said if said.dtype in (np.float32, np.float64) else said.astype(np.float64)
    if said.ndim == 1 or (said.ndim == 2 and said.shape[1] == 1):
        one = said.reshape(-1)
        said = np.stack([1 - one, one] if kind == "probabilities" else [np.zeros_like(one), one], 1)
    classes = np.asarray(getattr(estimator, "classes_", np.arange(said.shape[1]))).astype(np.int64)
    if said.ndim != 2 or said.shape[0] != len(rows) or said.shape[1] != len(classes):
        raise ValueError(f"answers of shape {said.shape} about {len(rows)} rows and {len(classes)} classes")
    if not np.isfinite(said).all():
        raise ValueError(f"{(~np.isfinite(said)).sum()} of its answers are NaN or infinite")
    if kind == "probabilities" and (said.min() < 0 or said.max() > 1 + 1e-5):
        raise ValueError(f"predict_proba answers {said.min():.4g} to {said.max():.4g}, which are no probabilities")
    if kind == "probabilities" and (apart := np.abs((sums := said.sum(1)) - 1)).max() > _SUM_TOLERANCE:
        raise ValueError(f"predict_proba answers rows that sum to {sums[apart.argmax()]:.4g}, expected 1")
    places = classes if len(seen) == num_classes else seen[classes]
    if len(places) == num_classes and np.array_equal(places, np.arange(num_classes)):
        return kind, said
    floor = 0.0 if kind == "probabilities" else said.min(1, keepdims=True) + LOWEST_LOG
    full = np.zeros((len(rows), num_classes), said.dtype) + floor
    full[:, places] = said
    return kind, full.astype(said.dtype)
