"""Who trains on which rows, and where answers go: all that a training script needs of a plan.

It lies beside plan.json and needs NumPy only. Rows count from 0, in the order of the data set behind the plan.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).resolve().parent
PLAN: dict[str, Any] = json.loads((FOLDER / "plan.json").read_text())
CLASSES: list[str] = PLAN["classes"]  # answers have a column a class, in this order
KINDS = ("probabilities", "logits", "log_probabilities")


def missing() -> list[int]:
    """The models that have left no answers yet, so that a script that was stopped goes on where it was."""
    return [model for model in range(PLAN["num_models"]) if not _file(model).is_file()]


def members(model: int) -> np.ndarray:
    """Row numbers that a model is to train on: these and no others."""
    return np.flatnonzero(np.load(FOLDER / "membership.npy", mmap_mode="r")[model])


def codes(labels: Sequence[Any]) -> np.ndarray:
    """Labels as numbers 0, 1, ... in the order of ``CLASSES``; labels may be names, or such numbers already."""
    array = np.asarray(labels).reshape(-1)
    if array.dtype.kind == "f" and (array == np.floor(array)).all():
        array = array.astype(np.int64)
    number = {name: place for place, name in enumerate(CLASSES)}
    names = [str(label).strip() for label in array.tolist()]
    found = [number.get(name, -1) for name in names]
    if -1 not in found:
        return np.asarray(found, np.int64)
    if array.dtype.kind in "iu" and max(found) == -1 and array.min() >= 0 and array.max() < len(CLASSES):
        return array.astype(np.int64)
    raise ValueError(f"label {names[found.index(-1)]!r} is no class of the plan; expected one of {', '.join(CLASSES)}")


def rows_of(keys: Sequence[Any]) -> np.ndarray:
    """Row numbers by the key column's values, where the data lie in another order here."""
    lines = (FOLDER / "keys.txt").read_text(encoding="utf-8").splitlines()
    place = {key: row for row, key in enumerate(lines)}
    if len(place) < len(lines):
        raise ValueError(f"{PLAN['key_column']} names several rows: say by number which row is which")
    return np.asarray([place[str(key).strip()] for key in keys], np.int64)


def leave(
    model: int, answers: Any, labels: Sequence[Any], kind: str = "probabilities", rows: Sequence[int] | None = None
) -> Path:
    """Writes what a model answers about every row, members or not.

    Args:
      model: its number.
      answers: a row for each row of the data, a column for each of ``CLASSES``; of two classes one column will do,
        that of the second.
      labels: of the same rows, as your own data have them: a wrong order shows in them.
      kind: probabilities, logits or log_probabilities.
      rows: row numbers, where answers do not come in the plan's order.
    """
    held = _checked(answers, labels, kind, None if rows is None else np.asarray(rows))
    return _write(_file(model), {**held, "model": np.int64(model)})


def leave_target(
    answers: Any,
    labels: Sequence[Any],
    members: Sequence[int],
    kind: str = "probabilities",
    rows: Sequence[int] | None = None,
) -> Path:
    """Writes target.npz: what your own finished model answers, and the rows that it was trained on, by number.

    ``rows`` names the rows that the answers are about, where they are not all of them in order.
    """
    held = _checked(answers, labels, kind, None if rows is None else np.asarray(rows), all_rows=False)
    ids = held.pop("rows", np.arange(PLAN["num_examples"]))
    name = "probabilities" if kind == "probabilities" else "logits"
    held = {name: held[kind], "membership": np.isin(ids, np.asarray(members)), "ids": ids}
    return _write(FOLDER / "target.npz", held)


def _file(model: int) -> Path:
    if not 0 <= model < PLAN["num_models"]:
        raise ValueError(f"model {model}; the plan has models 0 to {PLAN['num_models'] - 1}")
    return FOLDER / "answers" / f"model-{model:04d}.npz"


def _checked(answers: Any, labels: Any, kind: str, rows: np.ndarray | None, all_rows: bool = True) -> dict[str, Any]:
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}; expected one of {', '.join(KINDS)}")
    told = np.asarray(answers)
    if told.ndim == 1 or (told.ndim == 2 and told.shape[1] == 1 and len(CLASSES) == 2):
        if len(CLASSES) != 2 or kind == "log_probabilities":
            raise ValueError(f"answers of shape {told.shape}; expected a column for each of {len(CLASSES)} classes")
        second = told.reshape(-1)
        told = np.stack([1 - second if kind == "probabilities" else np.zeros_like(second), second], 1)
    count = PLAN["num_examples"] if rows is None else len(rows)
    if told.shape != (count, len(CLASSES)) or (all_rows and count != PLAN["num_examples"]):
        expected = f"{PLAN['num_examples'] if all_rows else count} rows and {len(CLASSES)} columns"
        raise ValueError(f"answers of shape {told.shape}; expected {expected}: every row of the data, members or not")
    if not np.isfinite(told).all() and kind != "log_probabilities":
        raise ValueError(f"{(~np.isfinite(told)).any(1).sum()} rows of answers hold NaN or infinity")
    if kind == "probabilities" and (told.min() < 0 or (np.abs(told.sum(1) - 1) > 0.01).any()):
        raise ValueError("answers are no probabilities (in 0..1, of sum 1); say kind='logits' if they are logits")
    numbers = codes(labels)
    if all_rows:
        ordered = numbers
        if rows is not None:
            ordered = np.full(count, -1)
            ordered[rows] = numbers
        found = hashlib.sha256(ordered.astype("<i4").tobytes()).hexdigest()
        if found != PLAN["labels_sha256"]:
            raise ValueError("labels are not those of the plan in its order; give rows=, the row number of each answer")
    held = {kind: told, "labels": numbers.astype(np.int32), "plan": np.str_(PLAN["id"])}
    return held if rows is None else {**held, "rows": rows.astype(np.int64)}


def _write(file: Path, held: dict[str, Any]) -> Path:
    file.parent.mkdir(exist_ok=True)
    part = file.with_name(f".{file.stem}.part.npz")  # so that what lies under the name is whole
    np.savez(part, **held)
    return part.replace(file)
