"""The layouts of other tools, from files to arrays; what the arrays hold is judged afterwards."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from miajax.array_files import load_npy, load_npz
from miajax.errors import UserError
from miajax.runs import codes
from miajax.runs.content_checks import SignalKind


@dataclasses.dataclass(frozen=True, eq=False)
class Numbers:
    """One number a cell, ``[M, N]`` or ``[M, N, Q]``, under the name that it was found by."""

    named: SignalKind
    where: str
    values: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Stored:
    """What files hold, before its content is judged; of several ``numbers`` the first is used."""

    member: Bool[np.ndarray, "models examples"]
    numbers: tuple[Numbers, ...] = ()
    rows: np.ndarray | None = None
    rows_where: str = ""
    labels: Int[np.ndarray, " examples"] | None = None
    notes: tuple[str, ...] = ()
    groups: np.ndarray | None = None


def lira2021(source: Path, epoch: int | None) -> Stored:
    """Reads the folders of the published script, at one epoch of all models.

    Raises:
      UserError: what is missing, malformed or does not fit together, by file.
    """
    folders = sorted((p.parent for p in source.glob("*/keep.npy")), key=lambda p: _digits(p.name))
    if not folders:
        raise UserError(f"{source} has no folder with a keep.npy", expected="<experiment>/keep.npy of every model")
    keep = [load_npy(folder / "keep.npy").reshape(-1) for folder in folders]
    member = codes.membership_of(_stacked(keep, folders, "keep.npy"), f"{source}: keep.npy")
    files, notes = _one_epoch(source, folders, epoch)
    arrays: dict[str, np.ndarray] = {}
    for kind, paths in files.items():
        dims, expected = ((1, 2), "[N] or [N, Q]") if kind == "scores" else ((2, 3, 4), "[N, (1, Q,) C]")
        parts = [codes.numbers(load_npy(path), str(path), dims, expected) for path in paths]
        last = () if kind == "scores" else parts[0].shape[-1:]
        arrays[kind] = _stacked([a.reshape(len(a), -1, *last) for a in parts], folders, kind).astype(np.float32)
    numbers = (Numbers("scaled_logits", f"{source}: scores", arrays["scores"]),) if "scores" in arrays else ()
    labels, beside = None, source / "y_train.npy"
    if beside.is_file():
        labels = codes.labels_of(load_npy(beside), member.shape[1], str(beside), cut=True)
    return Stored(member, numbers, arrays.get("logits"), f"{source}: logits", labels, notes)


def _digits(name: str) -> tuple[list[int], str]:
    return [int(digits) for digits in re.findall(r"\d+", name)], name


def _one_epoch(source: Path, folders: list[Path], epoch: int | None) -> tuple[dict[str, list[Path]], tuple[str, ...]]:
    """The files of one epoch, ``{kind: one a model}``, of those kinds that all models have, and notes.

    Raises:
      UserError: no kind is complete, or the last epochs differ over models or kinds and none was chosen.
    """
    kinds = ("scores", "logits")
    found = {kind: [_by_epoch(folder / kind) for folder in folders] for kind in kinds}
    complete = [kind for kind in kinds if all(found[kind])]
    if not complete:
        counts = " and ".join(f"{kind} of {sum(map(bool, found[kind]))}" for kind in kinds)
        raise UserError(
            f"{source} holds {len(folders)} models but {counts}", expected="scores or logits of every model"
        )
    shared = {kind: set(found[kind][0]).intersection(*found[kind]) for kind in complete}
    choices = {n: [k for k in complete if n in shared[k]] for n in sorted(set[int]().union(*shared.values()))}
    listed = ", ".join(f"{n} ({' and '.join(names)})" for n, names in choices.items())
    remedy = f"Choose by --epoch: {listed}" if choices else "No epoch is there of all models"
    lasts = {max(files) for kind in complete for files in found[kind]}
    if epoch is None and len(lasts) > 1:
        raise UserError(
            f"{source}: the last epoch is {min(lasts)} in some files and {max(lasts)} in others",
            expected="one epoch of all models, of scores and logits alike",
            remedy=remedy,
        )
    chosen = lasts.pop() if epoch is None else epoch
    if chosen not in choices:
        raise UserError(f"{source} has no epoch {chosen} of all models", expected="one that all have", remedy=remedy)
    notes = [
        f"Only {sum(map(bool, found[kind]))} of {len(folders)} models have {kind}: they were not used."
        for kind in kinds
        if kind not in complete and any(found[kind])
    ]
    if epoch is not None:
        notes.append(f"Epoch {epoch} was chosen by --epoch: {' and '.join(choices[epoch])}.")
    return {kind: [files[chosen] for files in found[kind]] for kind in choices[chosen]}, tuple(notes)


def _by_epoch(folder: Path) -> dict[int, Path]:
    """Files by the number in their names; 0 where there is none."""
    return {(_digits(file.stem)[0] or [0])[-1]: file for file in sorted(folder.glob("*.npy"))}


def _stacked(arrays: list[np.ndarray], folders: list[Path], kind: str) -> np.ndarray:
    for array, folder in zip(arrays, folders, strict=True):
        if array.shape != arrays[0].shape:
            raise UserError(
                f"{folder}: {kind} of shape {array.shape}",
                expected=f"{arrays[0].shape}, as in {folders[0].name}",
            )
    return np.stack(arrays)


def _privacy_meter(source: Path) -> Stored:
    member = codes.membership_of(load_npy(source / "memberships.npy"), f"{source / 'memberships.npy'}")
    numbers: list[Numbers] = []
    notes: tuple[str, ...] = ()
    # losses first: they keep the digits that probabilities near 1 have lost
    kinds: tuple[tuple[SignalKind, str], ...] = (("losses", "loss_signals"), ("probabilities", "rmia_signals"))
    for named, name in kinds:
        file = source / "signals" / f"{name}.npy"
        if file.is_file():
            values = np.asarray(codes.numbers(load_npy(file), str(file), (2,), "[examples, models]"), np.float64)
            if values.T.shape != member.shape:
                raise UserError(
                    f"{source}: signals of shape {values.shape} beside memberships of {member.shape}",
                    expected="signals [examples, models] and memberships [models, examples]",
                )
            numbers.append(Numbers(named, str(file), np.ascontiguousarray(values.T)))
    if not numbers:
        raise UserError(f"{source} holds no signals", expected="signals/rmia_signals.npy or signals/loss_signals.npy")
    if len(numbers) == 2 and np.allclose(numbers[0].values, numbers[1].values, equal_nan=True):
        notes = (f"{numbers[0].where} holds the probabilities of {Path(numbers[1].where).name}, no losses.",)
        numbers = numbers[1:]
    return Stored(member, tuple(numbers), notes=notes)


def _tf_privacy(source: Path) -> Stored:
    files = sorted(source.glob("target-*.npz"))
    if not files:
        raise UserError(f"{source} has no target-*.npz", expected="one archive a model")
    sides = ("train", "test")
    models: list[tuple[dict[str, np.ndarray], np.ndarray]] = []
    orders: list[np.ndarray] = []
    num_examples = 0
    for file in files:
        beside = file.with_name(file.name.replace("target-", "examples-"))
        fields, ids = load_npz(file), load_npz(beside)
        for side in sides:
            if f"labels_{side}" not in fields:
                raise UserError(f"{file} holds no labels_{side}", expected="labels_train and labels_test")
            rows = len(codes.numbers(fields[f"labels_{side}"], f"{file}: labels_{side}", (1, 2), "labels [K]"))
            if len(np.atleast_1d(ids.get(f"ids_{side}", ()))) != rows:
                raise UserError(f"{file} has {rows} {side} examples", expected=f"as many ids_{side} beside it")
        num_examples = num_examples or sum(len(fields[f"labels_{side}"]) for side in sides)
        both = np.concatenate([ids[f"ids_{side}"] for side in sides])
        orders.append(np.argsort(codes.ids_of(both, num_examples, str(beside), complete=True)))
        models.append((fields, ids["ids_train"]))

    def joined(name: str, dims: tuple[int, ...], expected: str) -> np.ndarray | None:
        if any(f"{name}_{side}" not in fields for fields, _ in models for side in sides):
            return None
        rows: list[np.ndarray] = []
        for (fields, _), order, file in zip(models, orders, files, strict=True):
            parts = [codes.numbers(fields[f"{name}_{s}"], f"{file}: {name}_{s}", dims, expected) for s in sides]
            if sum(map(len, parts)) != num_examples or parts[0].shape[1:] != parts[1].shape[1:]:
                raise UserError(
                    f"{file} holds {name} of shapes {parts[0].shape} and {parts[1].shape}",
                    expected=f"{num_examples} rows of one kind",
                )
            rows.append(np.concatenate(parts)[order])
        return _stacked(rows, files, name)

    member = np.zeros((len(models), num_examples), bool)
    for row, (_, ids) in zip(member, models, strict=True):
        row[ids] = True
    labels = joined("labels", (1, 2), "labels [K]")
    assert labels is not None
    labels = np.stack([codes.labels_of(own, num_examples, str(f)) for own, f in zip(labels, files, strict=True)])
    if len(other := np.argwhere(labels != labels[0])):
        model, example = other[0]
        raise UserError(
            f"{files[model]} labels example {example} as {labels[model, example]}, {files[0].name} as "
            f"{labels[0, example]}",
            expected="one label of an example in all models",
            remedy="Check that ids_train and ids_test name the rows in their order",
        )
    logits, losses = joined("logits", (2,), "logits [K, C]"), joined("loss", (1, 2), "losses [K]")
    if logits is None and losses is None:
        raise UserError(f"{source}: not every target has logits or losses", expected="logits_* or loss_* in all")
    numbers = () if losses is None else (Numbers("losses", f"{source}: loss_train and loss_test", losses),)
    rows = None if logits is None else logits[:, :, None]
    return Stored(member, numbers, rows, f"{source}: logits_train and logits_test", labels[0])


def _arrays(source: Path) -> Stored:
    if source.is_dir():
        names = ("membership", "labels", "signals", "logits", "losses", "groups")
        files = {name: source / f"{name}.npy" for name in names}
        arrays: Mapping[str, np.ndarray] = {name: load_npy(file) for name, file in files.items() if file.is_file()}
    else:
        arrays = load_npz(source)
    if "membership" not in arrays or not {"signals", "logits", "losses"} & set(arrays):
        raise UserError(
            f"{source} holds {', '.join(arrays) or 'nothing'}",
            expected="membership [M, N], and signals, logits or losses; labels [N] beside logits",
        )
    member = codes.membership_of(np.asarray(arrays["membership"]), f"{source}: membership")
    if member.ndim != 2 or not member.size:
        raise UserError(f"{source}: membership of shape {member.shape}", expected="[M, N] of 0 and 1")
    kinds: tuple[tuple[SignalKind, str], ...] = (("scaled_logits", "signals"), ("losses", "losses"))
    numbers = tuple(
        Numbers(named, f"{source}: {name}", codes.numbers(arrays[name], f"{source}: {name}", (2, 3), "[M, N(, Q)]"))
        for named, name in kinds
        if name in arrays
    )
    rows = None
    if "logits" in arrays:
        rows = codes.numbers(arrays["logits"], f"{source}: logits", (3, 4), "[M, N, C] or [M, N, Q, C]")
        rows = rows[:, :, None] if rows.ndim == 3 else rows
    labels = None
    if "labels" in arrays:
        labels = codes.labels_of(arrays["labels"], member.shape[1], str(source))
    return Stored(member, numbers, rows, f"{source}: logits", labels, groups=arrays.get("groups"))


READERS: dict[str, Callable[[Path], Stored]] = {
    "privacy_meter": _privacy_meter,
    "tf_privacy": _tf_privacy,
    "arrays": _arrays,
}
