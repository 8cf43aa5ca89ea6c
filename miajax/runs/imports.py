"""Signals that were computed elsewhere, read from the files that other tools write, and checked."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from miajax.errors import UserError
from miajax.runs import content_checks as content
from miajax.runs.array_files import load_npy, load_npz
from miajax.runs.atomic import read_json
from miajax.runs.content_checks import SignalKind

ImportFormat = Literal["lira2021", "privacy_meter", "tf_privacy", "arrays"]
_MOST_APART = 0.01  # share of cells in which two signals of one thing may differ


@dataclasses.dataclass(frozen=True, eq=False)
class ImportedSignals:
    """Signals of models trained elsewhere; at least one of ``scaled_logit`` and ``logits`` is there.

    Attributes:
      member: ``bool[M, N]``.
      scaled_logit: ``float32[M, N, Q]``, or None: it follows from logits and labels.
      logits: ``float32[M, N, Q, C]`` or None.
      labels: ``int32[N]``, or None where the files have none.
      notes: what was assumed of the numbers, and what was done to them on the way.
    """

    member: Bool[np.ndarray, "models examples"]
    scaled_logit: Float[np.ndarray, "models examples queries"] | None = None
    logits: Float[np.ndarray, "models examples queries classes"] | None = None
    labels: Int[np.ndarray, " examples"] | None = None
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class _Numbers:
    """One number a cell, ``[M, N]`` or ``[M, N, Q]``, under the name that it was found by."""

    named: SignalKind
    where: str
    values: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class _Stored:
    """What files hold, before its content is judged; of several ``numbers`` the first is used."""

    member: Bool[np.ndarray, "models examples"]
    numbers: tuple[_Numbers, ...] = ()
    rows: np.ndarray | None = None
    rows_where: str = ""
    labels: Int[np.ndarray, " examples"] | None = None
    notes: tuple[str, ...] = ()


def read_signals(
    source: Path,
    format: ImportFormat,
    labels: Path | None = None,
    signal_kind: SignalKind | None = None,
    epoch: int | None = None,
) -> ImportedSignals:
    """Reads signals computed elsewhere, and checks what they are by their content (``content_checks``).

    * ``lira2021``: a folder of ``<experiment>/{hparams.json, keep.npy, logits/EPOCH.npy, scores/EPOCH.npy}``, one epoch
      of all models; ``y_train.npy`` beside them. Scores are scaled logits.
    * ``privacy_meter``: ``memberships.npy`` ``[M, N]`` and ``signals/rmia_signals.npy`` or ``signals/loss_signals.npy``
      ``[N, M]``.
    * ``tf_privacy``: ``target-*.npz`` and ``examples-*.npz`` as ``export_run`` writes them.
    * ``arrays``: an ``.npz`` or a folder of ``.npy`` files: ``membership [M, N]``, ``labels [N]``, and of ``logits
      [M, N, C]`` or ``[M, N, Q, C]``, ``signals`` (scaled logits ``[M, N]`` or ``[M, N, Q]``), ``losses [M, N]`` (in
      nats) one or more.

    Args:
      source: folder or file.
      format: see above.
      labels: a ``.npy`` of labels ``[N]`` that takes the place of the source's own.
      signal_kind: what the rows over classes hold, or where there are none the one number of each example; judged by
        name and content if None.
      epoch: of ``lira2021`` folders; the last one, if it is the same of all, when None.

    Raises:
      UserError: what is missing, malformed, in doubt or does not fit together, by file.
    """
    if format not in get_args(ImportFormat):
        raise UserError(f"--format {format} is unknown", expected="one of " + ", ".join(get_args(ImportFormat)))
    if not source.exists():
        raise UserError(f"--source {source} does not exist", expected=f"what the {format} format names")
    if epoch is not None and format != "lira2021":
        raise UserError(f"--epoch {epoch} with --format {format}", expected="--format lira2021, which names epochs")
    stored = _lira2021(source, epoch) if format == "lira2021" else _READERS[format](source)
    if labels is not None:
        found = content.labels_of(load_npy(labels), stored.member.shape[1], str(labels))
        stored = dataclasses.replace(stored, labels=found)
    return _settled(stored, str(source), signal_kind, _is_own(source, format))


def _is_own(source: Path, format: str) -> bool:
    """Whether a run, an import or ``export_run`` wrote the folder, so that names may be trusted."""
    if format == "arrays" and any((source / name).is_file() for name in ("manifest.json", "source.json")):
        return True
    facts = source / "export.json"
    if not facts.is_file():
        return False
    told = read_json(facts)
    return isinstance(told, dict) and told.get("format") == format and "fingerprint" in told


def _lira2021(source: Path, epoch: int | None) -> _Stored:
    folders = sorted((p.parent for p in source.glob("*/keep.npy")), key=lambda p: _digits(p.name))
    if not folders:
        raise UserError(f"{source} has no folder with a keep.npy", expected="<experiment>/keep.npy of every model")
    keep = [load_npy(folder / "keep.npy").reshape(-1) for folder in folders]
    member = content.membership_of(_stacked(keep, folders, "keep.npy"), f"{source}: keep.npy")
    files, notes = _one_epoch(source, folders, epoch)
    arrays: dict[str, np.ndarray] = {}
    for kind, paths in files.items():
        dims, expected = ((1, 2), "[N] or [N, Q]") if kind == "scores" else ((2, 3, 4), "[N, (1, Q,) C]")
        parts = [content.numbers(load_npy(path), str(path), dims, expected) for path in paths]
        last = () if kind == "scores" else parts[0].shape[-1:]
        arrays[kind] = _stacked([a.reshape(len(a), -1, *last) for a in parts], folders, kind).astype(np.float32)
    numbers = (_Numbers("scaled_logits", f"{source}: scores", arrays["scores"]),) if "scores" in arrays else ()
    labels, beside = None, source / "y_train.npy"
    if beside.is_file():
        labels = content.labels_of(load_npy(beside), member.shape[1], str(beside), cut=True)
    return _Stored(member, numbers, arrays.get("logits"), f"{source}: logits", labels, notes)


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
    shared = {kind: set.intersection(*(set(files) for files in found[kind])) for kind in complete}
    choices = {n: [k for k in complete if n in shared[k]] for n in sorted(set.union(*shared.values()))}
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


def _privacy_meter(source: Path) -> _Stored:
    member = content.membership_of(load_npy(source / "memberships.npy"), f"{source / 'memberships.npy'}")
    numbers, notes = [], ()
    # losses first: they keep the digits that probabilities near 1 have lost
    kinds: tuple[tuple[SignalKind, str], ...] = (("losses", "loss_signals"), ("probabilities", "rmia_signals"))
    for named, name in kinds:
        file = source / "signals" / f"{name}.npy"
        if file.is_file():
            values = np.asarray(content.numbers(load_npy(file), str(file), (2,), "[examples, models]"), np.float64)
            if values.T.shape != member.shape:
                raise UserError(
                    f"{source}: signals of shape {values.shape} beside memberships of {member.shape}",
                    expected="signals [examples, models] and memberships [models, examples]",
                )
            numbers.append(_Numbers(named, str(file), np.ascontiguousarray(values.T)))
    if not numbers:
        raise UserError(f"{source} holds no signals", expected="signals/rmia_signals.npy or signals/loss_signals.npy")
    if len(numbers) == 2 and np.allclose(numbers[0].values, numbers[1].values, equal_nan=True):
        notes = (f"{numbers[0].where} holds the probabilities of {Path(numbers[1].where).name}, no losses.",)
        numbers = numbers[1:]
    return _Stored(member, tuple(numbers), notes=notes)


def _tf_privacy(source: Path) -> _Stored:
    files = sorted(source.glob("target-*.npz"))
    if not files:
        raise UserError(f"{source} has no target-*.npz", expected="one archive a model")
    sides = ("train", "test")
    models, orders, num_examples = [], [], 0
    for file in files:
        beside = file.with_name(file.name.replace("target-", "examples-"))
        fields, ids = load_npz(file), load_npz(beside)
        for side in sides:
            if f"labels_{side}" not in fields:
                raise UserError(f"{file} holds no labels_{side}", expected="labels_train and labels_test")
            rows = len(content.numbers(fields[f"labels_{side}"], f"{file}: labels_{side}", (1, 2), "labels [K]"))
            if len(np.atleast_1d(ids.get(f"ids_{side}", ()))) != rows:
                raise UserError(f"{file} has {rows} {side} examples", expected=f"as many ids_{side} beside it")
        num_examples = num_examples or sum(len(fields[f"labels_{side}"]) for side in sides)
        both = np.concatenate([ids[f"ids_{side}"] for side in sides])
        orders.append(np.argsort(content.ids_of(both, num_examples, str(beside), complete=True)))
        models.append((fields, ids["ids_train"]))

    def joined(name: str, dims: tuple[int, ...], expected: str) -> np.ndarray | None:
        if any(f"{name}_{side}" not in fields for fields, _ in models for side in sides):
            return None
        rows = []
        for (fields, _), order, file in zip(models, orders, files, strict=True):
            parts = [content.numbers(fields[f"{name}_{s}"], f"{file}: {name}_{s}", dims, expected) for s in sides]
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
    labels = np.stack([content.labels_of(own, num_examples, str(f)) for own, f in zip(labels, files, strict=True)])
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
    numbers = () if losses is None else (_Numbers("losses", f"{source}: loss_train and loss_test", losses),)
    rows = None if logits is None else logits[:, :, None]
    return _Stored(member, numbers, rows, f"{source}: logits_train and logits_test", labels[0])


def _arrays(source: Path) -> _Stored:
    if source.is_dir():
        names = ("membership", "labels", "signals", "logits", "losses")
        files = {name: source / f"{name}.npy" for name in names}
        arrays: Mapping[str, np.ndarray] = {name: load_npy(file) for name, file in files.items() if file.is_file()}
    else:
        arrays = load_npz(source)
    if "membership" not in arrays or not {"signals", "logits", "losses"} & set(arrays):
        raise UserError(
            f"{source} holds {', '.join(arrays) or 'nothing'}",
            expected="membership [M, N], and signals, logits or losses; labels [N] beside logits",
        )
    member = content.membership_of(np.asarray(arrays["membership"]), f"{source}: membership")
    if member.ndim != 2 or not member.size:
        raise UserError(f"{source}: membership of shape {member.shape}", expected="[M, N] of 0 and 1")
    kinds: tuple[tuple[SignalKind, str], ...] = (("scaled_logits", "signals"), ("losses", "losses"))
    numbers = tuple(
        _Numbers(named, f"{source}: {name}", content.numbers(arrays[name], f"{source}: {name}", (2, 3), "[M, N(, Q)]"))
        for named, name in kinds
        if name in arrays
    )
    rows = None
    if "logits" in arrays:
        rows = content.numbers(arrays["logits"], f"{source}: logits", (3, 4), "[M, N, C] or [M, N, Q, C]")
        rows = rows[:, :, None] if rows.ndim == 3 else rows
    labels = None
    if "labels" in arrays:
        labels = content.labels_of(arrays["labels"], member.shape[1], str(source))
    return _Stored(member, numbers, rows, f"{source}: logits", labels)


def _settled(stored: _Stored, where: str, told: SignalKind | None, trusted: bool) -> ImportedSignals:
    """Judges stored arrays by their content, and by each other where there are several of one thing."""
    member, labels, notes = stored.member, stored.labels, list(stored.notes)
    _check_shapes(stored, where)
    logits = by_rows = None
    if stored.rows is not None and labels is not None:
        logits, about = content.logits_of_rows(stored.rows, stored.rows_where, told)
        notes += about
        if told is None:
            content.check_sign(logits[:, :, 0], labels, stored.rows_where)
        by_rows = content.scaled_logits_of_logits(logits, labels)
    first, reference, reference_where = None, by_rows, stored.rows_where
    settled = trusted or logits is not None or len(stored.numbers) > 1
    for numbers in stored.numbers:
        said = told if logits is None and first is None else None
        phi, about = content.scaled_logits_of(numbers.values, numbers.where, numbers.named, said, settled)
        phi = phi if phi.ndim == 3 else phi[..., None]
        if reference is not None:
            _check_agreement(phi, numbers.where, reference, reference_where)
        else:
            reference, reference_where = phi, numbers.where
        if logits is None and first is None:
            notes += about
        if first is None and (logits is None or numbers.named == "scaled_logits"):
            first = phi
    return ImportedSignals(member, first, logits, labels, tuple(notes))


def _check_agreement(phi: np.ndarray, where: str, reference: np.ndarray, reference_where: str) -> None:
    if phi.shape != reference.shape and 1 not in (phi.shape[-1], reference.shape[-1]):
        raise UserError(
            f"{where} holds {phi.shape[-1]} views and {reference_where} {reference.shape[-1]}", expected="as many"
        )
    views = min(phi.shape[-1], reference.shape[-1])
    apart = content.share_apart(phi[..., :views], reference[..., :views])
    if apart > _MOST_APART:
        raise UserError(
            f"{where} and {reference_where} disagree in {apart:.1%} of cells",
            expected="signals of the same models, epochs, examples and labels in the same order",
            remedy="Leave one of them out, or say what the first holds by --signal_kind",
        )


def _check_shapes(stored: _Stored, where: str) -> None:
    found = [("logits", stored.rows, 4, "[M, N, Q, C]")]
    found += [(each.where, each.values, 3, "[M, N, Q]") for each in stored.numbers]
    for name, array, axes, expected in found:
        if array is None:
            continue
        full = array if array.ndim == axes else array[..., None]
        if full.ndim != axes or full.shape[:2] != stored.member.shape:
            name = name if name.startswith(where) else f"{where}: {name}"
            raise UserError(
                f"{name} of shape {full.shape} beside membership of {stored.member.shape}", expected=expected
            )
    if stored.rows is not None:
        classes = stored.rows.shape[-1]
        if classes < 2:
            raise UserError(f"{where}: logits of {classes} class", expected="one logit of every class, two or more")
        if stored.labels is None:
            raise UserError(f"{where} has logits and no labels", expected="labels [N]", remedy="Add --labels FILE.npy")
        low, high = stored.labels.min(), stored.labels.max()
        if low < 0 or high >= classes:
            raise UserError(f"{where}: labels {low}..{high}", expected=f"0..{classes - 1}")
    one_sided = np.flatnonzero(stored.member.all(1) | ~stored.member.any(1))
    if len(one_sided):
        raise UserError(f"{where}: model {one_sided[0]} has no member or no non-member", expected="both in every model")


_READERS: dict[str, Callable[[Path], _Stored]] = {
    "privacy_meter": _privacy_meter, "tf_privacy": _tf_privacy, "arrays": _arrays,
}
