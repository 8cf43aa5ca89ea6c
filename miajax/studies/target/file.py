"""A model trained elsewhere, as its owner hands it over: what it answers about which examples, and how it was made."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from jaxtyping import Bool, Int

from miajax.array_files import load_npy, load_npz
from miajax.data.dataset import Dataset
from miajax.errors import UserError
from miajax.parsing import parsing
from miajax.runs import content_checks as content
from miajax.runs.atomic import read_json
from miajax.runs.codes import ids_of, membership_of
from miajax.runs.content_checks import RowKind
from miajax.runs.content_notes import note_on_order

Kind = Literal["logits", "probabilities", "labels"]
_KINDS: tuple[Kind, ...] = ("logits", "probabilities", "labels")
_EXPECTED = "membership bool[N], and one of logits [N, C], probabilities [N, C], labels [N]; optionally ids int[N]"
_FINEST = 6  # decimals that float32 still tells from unrounded numbers
_SUM_TOLERANCE = 1e-3  # what float16 loses in a sum of probabilities


@dataclasses.dataclass(frozen=True, eq=False)
class Target:
    """One model's answers about K examples of the pool.

    Attributes:
      ids: ``int64[K]``, which examples of the pool were audited.
      member: ``bool[K]``, whether the model trained on them.
      kind: what it answers.
      answers: ``float64[K, Q, C]`` logits, ``float64[K, 1, C]`` probabilities, or ``int64[K]`` predicted classes.
      decimals: digits that probabilities were rounded to, or None where they were not.
      notes: what was assumed of the answers.
    """

    ids: Int[np.ndarray, " examples"]
    member: Bool[np.ndarray, " examples"]
    kind: Kind
    answers: np.ndarray
    decimals: int | None = None
    notes: tuple[str, ...] = ()


def read_target(
    path: Path,
    dataset: Dataset,
    queries: int = 1,
    signal_kind: RowKind | None = None,
    members: Path | None = None,
) -> Target:
    """Reads and checks ``target.npz``, or an ``.npy`` of answers about the whole pool beside a file of members.

    Args:
      path: archive with ``membership`` and exactly one of ``logits`` ``[K, C]`` (or ``[K, Q, C]`` over the run's own
        views), ``probabilities`` ``[K, C]``, ``labels`` ``[K]`` (predicted classes); ``ids`` ``[K]`` where only some
        examples of the pool were audited.
      dataset: whose pool the examples belong to.
      queries: Q, views that the run's own models were asked about.
      signal_kind: what the rows over classes hold, whatever they are called; judged by name and content if None.
      members: where ``path`` is an ``.npy`` of rows over classes ``[N, C]`` or predicted classes ``[N]``: who its
        members are, as an ``.npy`` of ``bool[N]`` or of row numbers, or as text, a row number a line.

    Raises:
      UserError: what is missing or wrong, with its row where one row is.
    """
    arrays = load_npz(path) if members is None else _beside(path, members, dataset.num_examples)
    kinds: list[Kind] = [kind for kind in _KINDS if kind in arrays]
    if "membership" not in arrays or len(kinds) != 1:
        raise UserError(f"{path} holds {', '.join(arrays) or 'nothing'}", expected=_EXPECTED)
    ids, notes = _ids(path, arrays.get("ids"), dataset.num_examples)
    member = _membership(path, arrays["membership"], len(ids))
    kind = kinds[0]
    answers = arrays[kind]
    labels = dataset.labels[ids]
    if kind == "labels":
        if signal_kind is not None:
            raise UserError(f"--signal_kind {signal_kind}: {path} holds classes", expected="rows over classes")
        return _labelled(ids, member, _classes(path, answers, len(ids), dataset.num_classes), labels, notes)
    answers = _numbers(path, kind, answers, len(ids), dataset.num_classes, queries)
    stored, answers, about = _settled(path, kind, answers, labels, signal_kind)
    notes += about
    if stored == "logits":
        return _with_order(Target(ids, member, "logits", answers, None, notes), answers[:, 0].argmax(-1), labels)
    decimals = rounded_to(answers)
    _check_probabilities(path, answers[:, 0], decimals)
    predicted = answers[:, 0].argmax(-1)
    if decimals == 0:  # one-hot rows say no more than the class does
        return _labelled(ids, member, predicted, labels, notes)
    return _with_order(Target(ids, member, "probabilities", answers, decimals, notes), predicted, labels)


def _beside(path: Path, members: Path, num_examples: int) -> dict[str, np.ndarray]:
    """Answers and members in two files, as the arrays of an archive."""
    if path.suffix != ".npy":
        raise UserError(
            f"--target_members beside {path}", expected="--target FILE.npy; an archive holds its membership"
        )
    answers, kind = load_npy(path), "labels"
    if answers.ndim != 1:
        kind = "probabilities" if content.kind_of_rows(np.atleast_2d(answers)) == "probabilities" else "logits"
    if members.suffix == ".npy":
        codes = load_npy(members)
        if codes.dtype == bool:
            return {kind: answers, "membership": codes}
    else:
        with parsing(str(members), expected="row numbers from 0, one a line"):
            codes = np.array([int(line) for line in members.read_text(encoding="utf-8").split()], np.int64)
    membership = np.zeros(num_examples, bool)
    membership[ids_of(codes, num_examples, str(members), complete=False)] = True
    return {kind: answers, "membership": membership}


def _settled(
    path: Path, named: Kind, answers: np.ndarray, labels: np.ndarray, told: RowKind | None
) -> tuple[Kind, np.ndarray, tuple[str, ...]]:
    """What rows over classes are, by their content or the user's word: ``(logits or probabilities, rows, notes)``."""
    where = f"{path.name}: {named}"
    on_simplex = told is None and named == "logits" and content.kind_of_rows(answers) == "probabilities"
    if told == "probabilities" or (told is None and named == "probabilities") or on_simplex:
        if answers.shape[1] > 1:
            raise UserError(
                f"{where} holds probabilities of {answers.shape[1]} views",
                expected="logits [K, Q, C]",
                remedy="Hand over probabilities [K, C] of the first view; --signal_kind logits takes them as stored",
            )
        note = (
            f"{where} holds rows in 0..1 that sum to 1, so probabilities and no logits: they are read as "
            "probabilities. --signal_kind logits takes them as stored."
        )
        return "probabilities", answers, (note,) if on_simplex else ()
    rows, notes = content.logits_of_rows(answers[None], where, told)
    if told is None:
        content.check_sign(rows[:, :, 0], labels, where)
    return "logits", rows[0].astype(np.float64) if notes else answers, notes


def _with_order(target: Target, predicted: np.ndarray, labels: np.ndarray) -> Target:
    """The same target, with a note where its answers do not fit the labels at all."""
    about = note_on_order(predicted[None], labels, target.member[None], np.ones(1, bool))
    return dataclasses.replace(target, notes=(*target.notes, *about))


def _labelled(
    ids: np.ndarray, member: np.ndarray, predicted: np.ndarray, labels: np.ndarray, notes: tuple[str, ...]
) -> Target:
    """A target that answers with classes."""
    if (predicted == labels).all():
        notes += ("The target's classes are the data set's own labels throughout: predicted classes were expected.",)
    return _with_order(Target(ids, member, "labels", predicted, None, notes), predicted, labels)


def rounded_to(probabilities: np.ndarray) -> int | None:
    """The fewest decimals, up to 6, that write every probability down; None where none do."""
    for decimals in range(_FINEST + 1):
        scaled = probabilities * 10.0**decimals
        if np.abs(scaled - np.rint(scaled)).max() <= 1e-7 * 10.0**decimals + 1e-9:  # float32 stores 0.123 that well
            return decimals
    return None


def read_declaration(path: Path, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Reads ``target.json``: names of the run's recipe with the target's values.

    Args:
      path: a flat JSON object.
      recipe: the run's own, which says what names there are.

    Raises:
      UserError: no JSON object, or a name that recipes don't have.
    """
    read: Any = read_json(path)
    if not isinstance(read, dict):
        raise UserError(f"{path} holds a {type(read).__name__}", expected="an object of recipe names and values")
    declared = cast(dict[str, Any], read)
    unknown = [name for name in declared if name not in recipe]
    if unknown:
        raise UserError(f"{path} declares {', '.join(unknown)}", expected="names among " + ", ".join(recipe))
    return declared


def _ids(path: Path, ids: np.ndarray | None, num_examples: int) -> tuple[np.ndarray, tuple[str, ...]]:
    if ids is None:
        return np.arange(num_examples), ()
    ids = ids_of(ids, num_examples, str(path), complete=False)
    counted = len(ids) > 1 and np.array_equal(ids, np.arange(1, len(ids) + 1))
    note = f"{path.name}: ids are 1..{len(ids)} in order; they were read as numbers that count from 0."
    return ids, (note,) if counted else ()


def _membership(path: Path, codes: np.ndarray, count: int) -> np.ndarray:
    if codes.shape != (count,):
        raise UserError(f"{path}: membership {codes.dtype}{list(codes.shape)}", expected=f"bool[{count}]")
    member = membership_of(codes, f"{path}: membership")
    if member.all() or not member.any():
        raise UserError(
            f"{path}: membership is all {member[0]}", expected="members and non-members, to tell one from the other"
        )
    return member


def _classes(path: Path, labels: np.ndarray, count: int, num_classes: int) -> np.ndarray:
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        expected = f"predicted classes int[{count}]"
        raise UserError(f"{path}: labels {labels.dtype}{list(labels.shape)}", expected=expected)
    outside = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(outside):
        raise UserError(f"{path}: labels[{outside[0]}] is {labels[outside[0]]}", expected=f"0..{num_classes - 1}")
    return labels.astype(np.int64)


def _numbers(path: Path, kind: str, answers: np.ndarray, count: int, num_classes: int, queries: int) -> np.ndarray:
    shapes = [(count, num_classes), *([(count, queries, num_classes)] if kind == "logits" and queries > 1 else [])]
    if answers.shape not in shapes or answers.dtype.kind not in "fiub":
        expected = " or ".join(str(list(shape)) for shape in shapes)
        raise UserError(f"{path}: {kind} {answers.dtype}{list(answers.shape)}", expected=expected)
    answers = answers.astype(np.float64).reshape(count, -1, num_classes)
    bad = np.flatnonzero(~np.isfinite(answers).all((1, 2)))
    if len(bad):
        row = answers[bad[0]].ravel()
        value = row[~np.isfinite(row)][0]
        raise UserError(f"{path}: {kind}[{bad[0]}] holds {value} ({len(bad)} such rows)", expected="finite numbers")
    return answers


def _check_probabilities(path: Path, rows: np.ndarray, decimals: int | None) -> None:
    outside = np.flatnonzero(((rows < 0) | (rows > 1 + _SUM_TOLERANCE)).any(1))
    if len(outside):
        value = rows[outside[0]].min() if rows[outside[0]].min() < 0 else rows[outside[0]].max()
        raise UserError(
            f"{path}: probabilities[{outside[0]}] holds {value:g}",
            expected="numbers in 0..1",
            remedy="Logits go under the name logits, and so do log-probabilities",
        )
    slack = _SUM_TOLERANCE + (0.0 if decimals is None else rows.shape[1] * 0.5 * 10.0**-decimals)
    sums = rows.sum(1)
    off = np.flatnonzero(np.abs(sums - 1) > slack)
    if len(off):
        raise UserError(
            f"{path}: probabilities[{off[0]}] sums to {sums[off[0]]:.4f} ({len(off)} such rows)",
            expected=f"1 within {slack:.3g}",
        )
