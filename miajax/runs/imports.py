"""Signals that were computed elsewhere, read from the files that other tools write, and checked."""

import dataclasses
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import logit

from miajax.errors import UserError

ImportFormat = Literal["lira2021", "privacy_meter", "tf_privacy", "arrays"]
_GREATEST = 103.6  # the scaled logit of a probability of exactly 0 or 1, as published code has it: log(1e-45)


@dataclasses.dataclass(frozen=True, eq=False)
class ImportedSignals:
    """Signals of models trained elsewhere; at least one of ``scaled_logit`` and ``logits`` is there.

    Attributes:
      member: ``bool[M, N]``.
      scaled_logit: ``float32[M, N, Q]``, or None: it follows from logits and labels.
      logits: ``float32[M, N, Q, C]`` or None.
      labels: ``int32[N]``, or None where the files have none.
      notes: what was done to the numbers on the way.
    """

    member: Bool[np.ndarray, "models examples"]
    scaled_logit: Float[np.ndarray, "models examples queries"] | None = None
    logits: Float[np.ndarray, "models examples queries classes"] | None = None
    labels: Int[np.ndarray, " examples"] | None = None
    notes: tuple[str, ...] = ()


def read_signals(source: Path, format: ImportFormat, labels: Path | None = None) -> ImportedSignals:
    """Reads signals computed elsewhere.

    * ``lira2021``: a folder of ``<experiment>/{hparams.json, keep.npy, logits/*.npy, scores/*.npy}``, the last file of
      each; ``y_train.npy`` beside them. Scores are scaled logits.
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

    Raises:
      UserError: what is missing, malformed or does not fit together, by file.
    """
    if format not in get_args(ImportFormat):
        raise UserError(f"--format {format} is unknown", expected="one of " + ", ".join(get_args(ImportFormat)))
    if not source.exists():
        raise UserError(f"--source {source} does not exist", expected=f"what the {format} format names")
    found = _READERS[format](source)
    if labels is not None:
        found = dataclasses.replace(found, labels=_labels(_load(labels), found.member.shape[1], str(labels)))
    _check(found, str(source))
    return found


def _load(path: Path) -> np.ndarray:
    if not path.is_file():
        raise UserError(f"{path} does not exist", expected="a .npy file")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error})", expected="a whole .npy file of numbers") from error
    if not isinstance(array, np.ndarray):
        raise UserError(f"{path} is an archive of arrays", expected="a .npy file of one array")
    return array


def load_npz(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an archive.

    Raises:
      UserError: it is missing, cut short, no archive, or holds Python objects.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist", expected="an .npz archive")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, EOFError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read ({error})", expected="a whole .npz archive of numbers") from error


def _lira2021(source: Path) -> ImportedSignals:
    folders = sorted((p.parent for p in source.glob("*/keep.npy")), key=lambda p: _numbers(p.name))
    if not folders:
        raise UserError(f"{source} has no folder with a keep.npy", expected="<experiment>/keep.npy of every model")
    keep = [_load(folder / "keep.npy") for folder in folders]
    parts: dict[str, list[np.ndarray]] = {"scores": [], "logits": []}
    for folder in folders:
        for kind, arrays in parts.items():
            files = sorted((folder / kind).glob("*.npy"))
            if files:
                arrays.append(_load(files[-1]))
    kept = {kind: arrays for kind, arrays in parts.items() if len(arrays) == len(folders)}
    if not kept:
        counts = " and ".join(f"{kind} of {len(arrays)}" for kind, arrays in parts.items())
        raise UserError(
            f"{source} holds {len(folders)} models but {counts}", expected="scores or logits of every model"
        )
    member = _stacked([k.reshape(-1) for k in keep], folders, "keep.npy").astype(bool)
    scores = logits = None
    if "scores" in kept:
        scores = _stacked([a.reshape(len(a), -1) for a in kept["scores"]], folders, "scores").astype(np.float32)
    if "logits" in kept:
        logits = _stacked([a.reshape(len(a), -1, a.shape[-1]) for a in kept["logits"]], folders, "logits")
        logits = logits.astype(np.float32)
    labels = None
    if (source / "y_train.npy").is_file():
        labels = _labels(_load(source / "y_train.npy"), member.shape[1], str(source / "y_train.npy"), cut=True)
    return ImportedSignals(member, scores, logits, labels)


def _numbers(name: str) -> tuple[list[int], str]:
    return [int(digits) for digits in re.findall(r"\d+", name)], name


def _stacked(arrays: list[np.ndarray], folders: list[Path], kind: str) -> np.ndarray:
    for array, folder in zip(arrays, folders, strict=True):
        if array.shape != arrays[0].shape:
            raise UserError(
                f"{folder}: {kind} of shape {array.shape}",
                expected=f"{arrays[0].shape}, as in {folders[0].name}",
            )
    return np.stack(arrays)


def _privacy_meter(source: Path) -> ImportedSignals:
    member = _load(source / "memberships.npy").astype(bool)
    probability, loss = source / "signals" / "rmia_signals.npy", source / "signals" / "loss_signals.npy"
    if loss.is_file():  # losses keep the digits that probabilities near 1 have lost
        signals, capped = _of_losses(_load(loss))
    elif probability.is_file():
        values = np.asarray(_load(probability), np.float64)
        if not ((values >= 0) & (values <= 1)).all():
            raise UserError(f"{probability} holds values outside 0..1", expected="probabilities of the label")
        signals, capped = _capped(logit(values))
    else:
        raise UserError(f"{source} holds no signals", expected="signals/rmia_signals.npy or signals/loss_signals.npy")
    if signals.ndim != 2 or signals.T.shape != member.shape:
        raise UserError(
            f"{source}: signals of shape {signals.shape} beside memberships of {member.shape}",
            expected="signals [examples, models] and memberships [models, examples]",
        )
    return ImportedSignals(member, np.ascontiguousarray(signals.T[..., None]), notes=capped)


def _tf_privacy(source: Path) -> ImportedSignals:
    files = sorted(source.glob("target-*.npz"))
    if not files:
        raise UserError(f"{source} has no target-*.npz", expected="one archive a model")
    models = [(load_npz(f), load_npz(f.with_name(f.name.replace("target-", "examples-")))) for f in files]
    for (fields, ids), file in zip(models, files, strict=True):
        for name in ("labels_train", "labels_test"):
            if name not in fields:
                raise UserError(f"{file} holds no {name}", expected="labels_train and labels_test")
        for side in ("train", "test"):
            rows = len(fields[f"labels_{side}"])
            if len(ids.get(f"ids_{side}", ())) != rows:
                raise UserError(f"{file} has {rows} {side} examples", expected=f"as many ids_{side} beside it")
    num_examples = sum(len(models[0][0][f"labels_{side}"]) for side in ("train", "test"))

    def joined(name: str) -> list[np.ndarray] | None:
        if any(f"{name}_{side}" not in fields for fields, _ in models for side in ("train", "test")):
            return None
        rows = []
        for (fields, ids), file in zip(models, files, strict=True):
            both = np.concatenate([fields[f"{name}_train"], fields[f"{name}_test"]])
            order = np.argsort(np.concatenate([ids["ids_train"], ids["ids_test"]]), kind="stable")
            if len(both) != num_examples:
                raise UserError(f"{file} holds {len(both)} rows of {name}", expected=f"{num_examples}, as in the first")
            rows.append(both[order])
        return rows

    member = np.zeros((len(models), num_examples), bool)
    for row, (_, ids) in zip(member, models, strict=True):
        row[ids["ids_train"]] = True
    labels = joined("labels")
    logits, losses = joined("logits"), joined("loss")
    if logits is None and losses is None:
        raise UserError(f"{source}: not every target has logits or losses", expected="logits_* or loss_* in all")
    signals, notes = (None, ()) if logits is not None or losses is None else _of_losses(np.stack(losses))
    return ImportedSignals(
        member,
        None if signals is None else signals[..., None],
        None if logits is None else np.stack(logits)[:, :, None].astype(np.float32),
        None if labels is None else _labels(labels[0], num_examples, str(files[0])),
        notes,
    )


def _arrays(source: Path) -> ImportedSignals:
    if source.is_dir():
        names = ("membership", "labels", "signals", "logits", "losses")
        files = {name: source / f"{name}.npy" for name in names}
        arrays: Mapping[str, np.ndarray] = {name: _load(file) for name, file in files.items() if file.is_file()}
    else:
        arrays = load_npz(source)
    if "membership" not in arrays or not {"signals", "logits", "losses"} & set(arrays):
        raise UserError(
            f"{source} holds {', '.join(arrays) or 'nothing'}",
            expected="membership [M, N], and signals, logits or losses; labels [N] beside logits",
        )
    member = np.asarray(arrays["membership"])
    if member.ndim != 2 or not np.isin(member, (0, 1)).all():
        raise UserError(f"{source}: membership of shape {member.shape}", expected="[M, N] of 0 and 1")
    signals, notes = None, ()
    if "signals" in arrays:
        signals = np.asarray(arrays["signals"], np.float32)
    elif "losses" in arrays and "logits" not in arrays:
        signals, notes = _of_losses(arrays["losses"])
    if signals is not None and signals.ndim == 2:
        signals = signals[..., None]
    logits = None
    if "logits" in arrays:
        logits = np.asarray(arrays["logits"], np.float32)
        logits = logits[:, :, None] if logits.ndim == 3 else logits
    labels = _labels(arrays["labels"], member.shape[1], str(source)) if "labels" in arrays else None
    return ImportedSignals(member.astype(bool), signals, logits, labels, notes)


def _of_losses(losses: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Scaled logits of cross-entropies: with loss -log p, log(p / (1 - p)) = -log(exp(loss) - 1)."""
    losses = np.asarray(losses, np.float64)
    if (losses < 0).any():
        raise UserError(f"a loss of {np.nanmin(losses)}", expected="cross-entropies in nats, 0 or more")
    with np.errstate(divide="ignore", over="ignore"):  # a loss of 0 is capped; large ones take the other branch
        return _capped(np.where(losses > 30, -losses, -np.log(np.expm1(losses))))


def _capped(phi: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    saturated = int((np.abs(phi) > _GREATEST).sum())
    note = f"{saturated} signals were saturated (a probability of exactly 0 or 1) and count as ±{_GREATEST}: they tie."
    return np.clip(phi, -_GREATEST, _GREATEST).astype(np.float32), (note,) if saturated else ()


def _labels(labels: np.ndarray, num_examples: int, where: str, cut: bool = False) -> np.ndarray:
    labels = np.asarray(labels).reshape(-1)
    labels = labels[:num_examples] if cut else labels  # the published script trains on the first of y_train, too
    if labels.shape != (num_examples,) or labels.dtype.kind not in "iuf" or (labels != np.floor(labels)).any():
        raise UserError(f"{where}: labels {labels.dtype}{list(labels.shape)}", expected=f"{num_examples} whole numbers")
    return labels.astype(np.int32)


def _check(found: ImportedSignals, where: str) -> None:
    for name in ("scaled_logit", "logits"):
        array, axes = getattr(found, name), "[M, N, Q]" if name == "scaled_logit" else "[M, N, Q, C]"
        if array is None:
            continue
        if array.ndim != (3 if name == "scaled_logit" else 4) or array.shape[:2] != found.member.shape:
            raise UserError(
                f"{where}: {name} of shape {array.shape} beside membership of {found.member.shape}", expected=axes
            )
    if found.logits is not None:
        if found.labels is None:
            raise UserError(f"{where} has logits and no labels", expected="labels [N]", remedy="Add --labels FILE.npy")
        classes = found.logits.shape[-1]
        if found.labels.min() < 0 or found.labels.max() >= classes:
            raise UserError(f"{where}: labels {found.labels.min()}..{found.labels.max()}", expected=f"0..{classes - 1}")
    one_sided = np.flatnonzero(found.member.all(1) | ~found.member.any(1))
    if len(one_sided):
        raise UserError(f"{where}: model {one_sided[0]} has no member or no non-member", expected="both in every model")


_READERS = {"lira2021": _lira2021, "privacy_meter": _privacy_meter, "tf_privacy": _tf_privacy, "arrays": _arrays}
