"""Answers that came back from a plan: read, checked against it, and made into a run that every study takes."""

import dataclasses
import functools
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import ndtri

from miajax.array_files import load_npz
from miajax.campaign.config import Setup
from miajax.campaign.elsewhere import ElsewhereRunner
from miajax.campaign.gathered import Campaign
from miajax.campaign.handover import Plan, named, numbered, read_plan
from miajax.campaign.progress import Reporter, Silent
from miajax.errors import UserError
from miajax.estimators.answers import unclipped_logit
from miajax.estimators.elsewhere import ELSEWHERE
from miajax.estimators.worker import Kind, Trained
from miajax.parsing import parsing
from miajax.runs import codes
from miajax.runs import content_checks as content
from miajax.runs.atomic import hash_of
from miajax.runs.content_checks import RowKind
from miajax.runs.content_notes import chance_agreement

_NAMED: tuple[RowKind, ...] = ("probabilities", "logits", "log_probabilities")
_FILE = re.compile(r"model-(\d{4,9})\.(npz|csv)", re.ASCII)
_EXPECTED = "probabilities, logits or log_probabilities [N, C], and labels [N]; rows [N] where the order is another"
_BY_CHANCE = 1e-4  # how often sound answers may be taken for another model's, all pairs of a plan together


@dataclasses.dataclass(frozen=True, eq=False)
class Returned:
    """One model's answers in the plan's order.

    Attributes:
      told: what rows over classes are.
      answers: ``[N, C]``, probabilities or logits, in the precision that they came in.
      notes: what was done to them on the way.
    """

    told: RowKind
    answers: Float[np.ndarray, "examples classes"]
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> Kind:
        """Of an estimator with such answers."""
        return "scores" if self.told == "logits" else "probabilities"


def take_in(
    folder: Path,
    out: Path,
    source: Path | None = None,
    name: str = ELSEWHERE,
    signal_kind: RowKind | None = None,
    allow_failed: bool = False,
    data_path: str | None = None,
    reporter: Reporter | None = None,
) -> Campaign:
    """Checks all that came back from a plan and stores it as a run.

    Args:
      folder: of the plan.
      out: run folder to write, new or one of the same answers.
      source: folder of the answers; ``answers`` in the plan's if None.
      name: what reports call the models.
      signal_kind: what the answers are, where their names and values don't say.
      allow_failed: takes models without answers, and those with NaN, as failed.
      data_path: where the data lie, if not where they lay when the plan was made.
      reporter: listens; silent if None.

    Raises:
      UserError: the first thing that is wrong with the plan, the data or the answers; nothing has been written then.
    """
    plan, source = read_plan(folder, data_path), source or folder / "answers"
    config = dataclasses.replace(plan.config, model_options=named(name, plan.id, ""))
    setup = Setup.of(config)
    _check_data(plan, setup)
    files = _files(plan, source, allow_failed)
    labels, come = setup.dataset.labels, functools.partial(_read, plan, signal_kind=signal_kind)
    notes = _check_all(plan, files, labels, come, allow_failed)
    digest = hashlib.sha256("".join(f"{model} {hash_of(file)}\n" for model, file in files.items()).encode())
    config = dataclasses.replace(config, model_options=named(name, plan.id, digest.hexdigest()))
    setup = Setup.of(config, setup.dataset)

    def returned(model: int) -> Trained:
        if model not in files:
            return Trained(model, failure="no answers came back")
        found = come(files[model], model, labels)
        if not np.isfinite(found.answers).all():
            return Trained(model, failure="answers hold NaN or infinity")
        return Trained(model, "", found.kind, found.answers)

    return ElsewhereRunner(setup, out, reporter or Silent(), returned, notes).run()


def _check_data(plan: Plan, setup: Setup) -> None:
    dataset = setup.dataset
    if dataset.content_hash != plan.content_hash or not np.array_equal(setup.membership(), plan.member):
        raise UserError(
            f"the data set {dataset.name} ({dataset.num_examples} rows) is not the one that {plan.folder} was made of "
            f"(another content hash)",
            expected=f"the same {plan.member.shape[1]} rows in the same order",
            remedy="--data_path says where they lie",
        )


def _files(plan: Plan, source: Path, allow_failed: bool) -> dict[int, Path]:
    """The file of every model that came back, by its number, ascending."""
    if not source.is_dir():
        raise UserError(f"{source} is not a folder", expected="the folder of answers, model-0000.npz and so on")
    found: dict[int, Path] = {}
    for file in sorted(path for path in source.iterdir() if not path.name.startswith(".")):
        match = _FILE.fullmatch(file.name)
        if match is None or int(match[1]) >= len(plan.member):
            raise UserError(
                f"{file} is no answer of this plan",
                expected=f"model-0000.npz to model-{len(plan.member) - 1:04d}.npz (or .csv)",
                remedy="Remove it, or check which plan it belongs to",
            )
        if (other := found.setdefault(int(match[1]), file)) != file:
            raise UserError(f"{source} holds {other.name} and {file.name}", expected="one file a model")
    missing = [model for model in range(len(plan.member)) if model not in found]
    if missing and not allow_failed:
        raise UserError(
            f"{source} lacks models {numbered(missing)} ({len(missing)} of {len(plan.member)})",
            expected="answers of every model of the plan",
            remedy="Train them, or add --allow_failed to count them as failed",
        )
    if not found:
        raise UserError(f"{source} holds no answers", expected="model-0000.npz and so on")
    return dict(sorted(found.items()))


def _read(
    plan: Plan, file: Path, model: int, labels: Int[np.ndarray, " examples"], signal_kind: RowKind | None
) -> Returned:
    """One file, checked, in the plan's order.

    Raises:
      UserError: what is wrong with it.
    """
    arrays = _csv(file, plan.classes) if file.suffix == ".csv" else load_npz(file)
    kinds = [kind for kind in (*_NAMED, "answers") if kind in arrays]
    if len(kinds) != 1 or "labels" not in arrays:
        raise UserError(f"{file} holds {', '.join(arrays) or 'nothing'}", expected=_EXPECTED)
    for name, own in (("plan", plan.id), ("model", model)):
        if name in arrays and (told := arrays[name].reshape(-1)[:2].tolist()) != [own]:
            raise UserError(
                f"{file} says that it belongs to {name} {', '.join(map(str, told))}", expected=f"{name} {own}"
            )
    shape = (len(labels), len(plan.classes))
    answers = codes.numbers(arrays[kinds[0]], f"{file}: {kinds[0]}", (2,), f"numbers {list(shape)}")
    if answers.shape != shape:
        raise UserError(
            f"{file}: {kinds[0]} {list(answers.shape)}",
            expected=f"{list(shape)}: every row of the data, members or not, and the classes {', '.join(plan.classes)}",
        )
    answers = answers if answers.dtype in (np.dtype(np.float32), np.dtype(np.float64)) else answers.astype(np.float64)
    own = codes.labels_of(arrays["labels"], len(labels), f"{file}: labels")
    if "rows" in arrays:
        order = np.argsort(codes.ids_of(arrays["rows"], len(labels), f"{file}: rows", complete=True))
        answers, own = answers[order], own[order]
    _check_labels(file, own, labels, plan.classes, "rows" in arrays)
    return _settled(file, kinds[0], answers, signal_kind)


def _csv(file: Path, classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """``row``, ``label`` and a column a class, as the arrays of an archive."""
    from miajax.data.csv_text import read_separated

    wanted, expected = ("label", *classes), f"the header row,label,{','.join(classes)}, and such cells in every line"
    try:
        table = read_separated(file, ",", ".", "line")
    except UserError as error:  # it speaks of flags that answers do not have
        raise UserError(
            f"{file} cannot be read as comma-separated text",
            expected=expected,
            remedy="Separate cells by commas, and write numbers with a point",
        ) from error
    if missing := [name for name in wanted if name not in table.column_names]:
        raise UserError(
            f"{file} lacks the column{'' if len(missing) == 1 else 's'} {', '.join(missing)}", expected=expected
        )
    number = {name: place for place, name in enumerate(classes)}
    told = [str(value) for value in table.column("label").to_pylist()]
    coded = [
        number[each] if each in number else int(each) if each.isascii() and each.isdecimal() else -1 for each in told
    ]
    with parsing(f"{file}: answers", expected="a number in every cell", fault="hold text"):
        columns = [np.asarray(table.column(name).to_numpy(), np.float64) for name in classes]
    arrays = {"answers": np.stack(columns, 1), "labels": np.asarray(coded)}
    return arrays | ({"rows": table.column("row").to_numpy()} if "row" in table.column_names else {})


def _check_labels(file: Path, own: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], ordered: bool) -> None:
    """Labels that came back are the plan's, row by row: they show the order of rows, and of classes."""
    wrong = np.flatnonzero(own != labels)
    if not len(wrong):
        return
    known = ((each >= 0) & (each < len(classes)) for each in (labels, own))  # a label may be any number
    counts, theirs = (
        np.bincount(each[fine], minlength=len(classes)) for each, fine in zip((labels, own), known, strict=True)
    )
    remedy = "Check which data were used"
    if not ordered and np.array_equal(counts, theirs):
        remedy = "The rows came back in another order: add rows, the row number of each answer"
    elif np.array_equal(np.sort(counts), np.sort(theirs)):
        remedy = f"The classes may be numbered in another order; the plan's is {', '.join(classes)}"
    row = wrong[0]
    raise UserError(
        f"{file}: labels differ from the plan's in {len(wrong)} of {len(labels)} rows (row {row} is {own[row]}, "
        f"not {labels[row]})",
        expected="the labels of the same rows in the same order",
        remedy=remedy,
    )


def _settled(file: Path, name: str, answers: np.ndarray, told: RowKind | None) -> Returned:
    """What rows over classes are: by the user's word, else by name and values together.

    Raises:
      UserError: name and values contradict each other, or values leave doubt.
    """
    found = name if np.isnan(answers).any(-1).all() else content.kind_of_rows(answers)
    if told is None and (found in ("bounded", "losses") or name not in (found, "answers", "logits")):
        looks = {"bounded": "values in 0..1 that do not sum to 1", "losses": "losses of every class"}
        raise UserError(
            f"{file}: {name} holds {looks.get(found, found.replace('_', '-'))}",
            expected="probabilities, logits or log_probabilities, under their own name",
            remedy="Say what they are by --signal_kind probabilities, logits, log_probabilities or losses",
        )
    kind = told or found
    note = f"Answers are named {name} and hold {kind.replace('_', '-')} by their values: they are read as such."
    notes = (note,) if told is None and name in _NAMED and kind != name else ()
    if told is not None and told != name:
        notes = (f"Answers are read as {told.replace('_', '-')}, as --signal_kind says.",)
    if kind == "probabilities":
        if np.nanmin(answers, initial=0.0) < 0 or np.nanmax(answers, initial=0.0) > 1 + 1e-3:
            raise UserError(f"{file}: {name} holds values outside 0..1", expected="probabilities of every class")
        return Returned("probabilities", answers, notes)
    if kind in ("log_probabilities", "losses"):
        logs = np.asarray(answers if kind == "log_probabilities" else -answers, np.float64)
        if np.nanmax(logs, initial=-1.0) > 1e-6:
            raise UserError(f"{file}: {name} holds a probability above 1", expected=f"{kind.replace('_', '-')}")
        return Returned("probabilities", np.exp(np.minimum(logs, 0.0)), notes)
    return Returned("logits", answers, notes)


def _check_all(
    plan: Plan,
    files: Mapping[int, Path],
    labels: np.ndarray,
    come: Callable[[Path, int, np.ndarray], Returned],
    allow_failed: bool,
) -> tuple[str, ...]:
    """All models, one in memory at a time, and then what they say of each other; returns notes.

    Raises:
      UserError: the first thing that is wrong.
    """
    notes: dict[str, None] = {}
    same: dict[str, int] = {}
    first: Returned | None = None
    phi = np.full(plan.member.shape, np.nan, np.float32)
    predicted = np.zeros(plan.member.shape, np.int32)
    for model, file in files.items():
        found = come(file, model, labels)
        notes |= dict.fromkeys(found.notes)
        bad = np.flatnonzero(~np.isfinite(found.answers).all(1))
        if len(bad):
            if allow_failed:
                continue
            value = found.answers[bad[0]][~np.isfinite(found.answers[bad[0]])][0]
            raise UserError(
                f"{file}: row {bad[0]} of its answers holds {value} ({len(bad)} such rows)",
                expected="finite numbers",
                remedy="Train it again, or add --allow_failed to count it as failed",
            )
        first = first or found
        if found.told != first.told:
            raise UserError(
                f"{file} holds {found.told}, the first model {first.told}", expected="one kind of all models"
            )
        digest = hashlib.sha256(np.ascontiguousarray(found.answers).tobytes()).hexdigest()
        twin = same.setdefault(digest, model)
        if twin != model and len(np.unique(found.answers[:, 0])) > 1:
            raise UserError(
                f"models {twin} and {model} came back with the same answers to the last bit",
                expected="each model trained on its own rows",
                remedy="Check that model's file, or train it again",
            )
        raw = unclipped_logit(found.kind, found.answers, labels)
        phi[model], predicted[model] = np.clip(raw, -30, 30), found.answers.argmax(1)
    valid = np.asarray(np.isfinite(phi).all(1))
    if valid.any():
        _check_agreement(predicted, labels, plan.member, valid)
        _check_members(phi, plan.member, valid)
    return tuple(notes)


def _check_agreement(predicted: np.ndarray, labels: np.ndarray, member: np.ndarray, valid: np.ndarray) -> None:
    """Answers that agree with labels more rarely than chance have their columns, or their rows, in another order."""
    accuracy, chance, spread = chance_agreement(predicted, labels, member, valid)
    if max(accuracy) < chance - 3 * spread:
        raise UserError(
            f"the likeliest class is the label in {accuracy[0]:.1%} of members and {accuracy[1]:.1%} of non-members, "
            f"where chance is {chance:.1%}",
            expected="answers that agree with the labels",
            remedy="Check the order of the columns: it is the order of classes in plan.json",
        )


def _check_members(
    phi: Float[np.ndarray, "models examples"],
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
) -> None:
    """Refuses answers that plainly fit another model's members and not their own: files under each other's number.

    Scaled logits less their mean over models go with the membership of the model that gave them, the more so the more
    it leaks; the correlations of all other pairs say how far chance reaches, whatever rows have in common.

    Raises:
      UserError: a model's correlation with another's membership is beyond chance, and thrice its own.
    """
    ids = np.flatnonzero(valid)
    if len(ids) < 4:
        return
    centred = phi[ids] - phi[ids].mean(0)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    sides = member.astype(np.float32) - member.mean(1, keepdims=True, dtype=np.float32)
    sides /= np.linalg.norm(sides, axis=1, keepdims=True)
    fit = centred @ sides.T
    others = np.ma.masked_array(fit, mask=ids[:, None] == np.arange(len(member)))
    median: Callable[[Any], Any] = vars(np.ma)["median"]  # without types in NumPy
    deviation = 1.4826 * float(median(abs(others - median(others))))
    far = float(ndtri(1 - _BY_CHANCE / others.count())) * max(deviation, 1e-6)
    own = fit[np.arange(len(ids)), ids]
    best, most = others.argmax(1), np.asarray(others.max(1))
    wrong = np.flatnonzero((most > far) & (most > 3 * np.abs(own)))
    if len(wrong):
        pairs = ", ".join(f"{ids[i]} those of {best[i]}" for i in wrong[:5])
        raise UserError(
            f"the answers of {len(wrong)} models fit the members of another and not their own (model {pairs})",
            expected="answers under the number of the model that gave them",
            remedy="Check which file belongs to which model, or train them again on their rows",
        )
