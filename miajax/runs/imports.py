"""Signals that were computed elsewhere, read from the files that other tools write, and checked."""

import dataclasses
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from miajax.array_files import load_npy
from miajax.errors import UserError
from miajax.runs import content_checks as content
from miajax.runs.atomic import read_json
from miajax.runs.codes import labels_of
from miajax.runs.content_checks import SignalKind
from miajax.runs.group_names import GROUPS_FILE, UNNAMED, group_name, group_numbers
from miajax.runs.import_layouts import READERS, Stored, lira2021

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
      groups: ``int32[N]``, 0..G-1: which rows belong together, or None where the files don't say.
      group_name: what groups them, such as ``patient``, as far as that is known.
    """

    member: Bool[np.ndarray, "models examples"]
    scaled_logit: Float[np.ndarray, "models examples queries"] | None = None
    logits: Float[np.ndarray, "models examples queries classes"] | None = None
    labels: Int[np.ndarray, " examples"] | None = None
    notes: tuple[str, ...] = ()
    groups: Int[np.ndarray, " examples"] | None = None
    group_name: str = UNNAMED


def read_signals(
    source: Path,
    format: ImportFormat,
    labels: Path | None = None,
    signal_kind: SignalKind | None = None,
    epoch: int | None = None,
    groups: Path | None = None,
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
      groups: a ``.npy`` ``[N]`` of numbers or names that say which rows belong together, such as those of one person;
        if None ``groups`` of ``arrays``, or ``group_of_row.npy`` beside the source's files, where runs and exports
        have it.

    Raises:
      UserError: what is missing, malformed, in doubt or does not fit together, by file.
    """
    if format not in get_args(ImportFormat):
        raise UserError(f"--format {format} is unknown", expected="one of " + ", ".join(get_args(ImportFormat)))
    if not source.exists():
        raise UserError(f"--source {source} does not exist", expected=f"what the {format} format names")
    if epoch is not None and format != "lira2021":
        raise UserError(f"--epoch {epoch} with --format {format}", expected="--format lira2021, which names epochs")
    stored = lira2021(source, epoch) if format == "lira2021" else READERS[format](source)
    if labels is not None:
        found = labels_of(load_npy(labels), stored.member.shape[1], str(labels))
        stored = dataclasses.replace(stored, labels=found)
    found = _settled(stored, str(source), signal_kind, _is_own(source, format))
    named = group_name(source) if groups is None and source.is_dir() else UNNAMED
    return dataclasses.replace(found, groups=_groups(source, groups, stored), group_name=named)


def _groups(source: Path, told: Path | None, stored: Stored) -> np.ndarray | None:
    """Groups by number, in the order of their keys.

    Raises:
      UserError: they are not one whole number or name for each row.
    """
    file = told or (source / GROUPS_FILE if (source / GROUPS_FILE).is_file() else None)
    keys = stored.groups if file is None else load_npy(file)
    if keys is None:
        return None
    where = str(file or f"{source}: groups")
    numbers = group_numbers(keys, stored.member.shape[1], where)
    if len(numbers) > 1 and not numbers.any():
        raise UserError(
            f"{where} has one value in all {len(numbers)} rows",
            expected="at least 2 groups, so that some are members and others are not",
        )
    return numbers


def _is_own(source: Path, format: str) -> bool:
    """Whether a run, an import or ``export_run`` wrote the folder, so that names may be trusted."""
    if format == "arrays" and any((source / name).is_file() for name in ("manifest.json", "source.json")):
        return True
    facts = source / "export.json"
    if not facts.is_file():
        return False
    told = read_json(facts)
    if not isinstance(told, dict):
        return False
    told = cast("dict[str, object]", told)
    return told.get("format") == format and "fingerprint" in told


def _settled(stored: Stored, where: str, told: SignalKind | None, trusted: bool) -> ImportedSignals:
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


def _check_shapes(stored: Stored, where: str) -> None:
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
