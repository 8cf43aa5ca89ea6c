"""A run's signals and scores in the files of other tools: arrays and JSON, nothing that has to be executed to be read.

Every format leaves out models that failed, since the tools that read it would average their NaN; ``export.json`` says
which models the rows are.
"""

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit, log_expit

from miajax.array_files import load_npy
from miajax.errors import UserError
from miajax.parsing import parsing
from miajax.runs.atomic import atomic_folder, read_sealed, write_json
from miajax.runs.checkpoints import load_tree
from miajax.runs.derived import why_changed
from miajax.runs.folder import RunFolder
from miajax.runs.group_names import GROUPS_FILE, group_name
from miajax.runs.integrity import array_hash
from miajax.runs.safetensors import flax_names, write_safetensors
from miajax.runs.space import with_space_for
from miajax.typed import Json

ExportFormat = Literal["lira2021", "privacy_meter", "tf_privacy", "sklearn", "safetensors"]


@dataclasses.dataclass(frozen=True, eq=False)
class StoredSignals:
    """What a finished run holds, read from its files.

    Attributes:
      folder: the run.
      member: ``bool[M, N]``.
      labels: ``int32[N]``.
      scaled_logit: ``float32[M, N, Q]``, a memory map; NaN rows for models that failed.
      valid: ``bool[M]``.
    """

    folder: RunFolder
    member: Bool[np.ndarray, "models examples"]
    labels: Int[np.ndarray, " examples"]
    scaled_logit: Float[np.ndarray, "models examples queries"]
    valid: Bool[np.ndarray, " models"]

    @classmethod
    def of(cls, path: Path) -> "StoredSignals":
        """Reads a run folder, every byte of it checked against its groups' records.

        Raises:
          UserError: it is no run folder, the run is not finished, or a file is damaged.
        """
        folder = RunFolder.open(path)
        arrays: dict[str, np.ndarray] = {}
        for name in ("membership", "labels", "signals"):
            if not (path / f"{name}.npy").is_file():
                raise UserError(
                    f"{path} holds no {name}.npy",
                    expected="a finished run",
                    remedy=f"Finish it with: miajax lira --run {path}",
                )
            arrays[name] = load_npy(path / f"{name}.npy")
        member, labels, signals = np.array(arrays["membership"]), np.array(arrays["labels"]), arrays["signals"]
        if why := why_changed(path, path / "membership.npy"):
            raise UserError(why, remedy=f"miajax lira --run {path} writes it anew")
        folder.verify_all(len(member))
        check_against_groups(folder, member, labels, signals)
        valid = np.array([bool(np.isfinite(row).all()) for row in signals])
        return cls(folder, member, labels, signals, valid)

    def logits(self) -> Iterator[tuple[int, Float[np.ndarray, "examples queries classes"]]]:
        """``(model, logits)`` of every model whose logits the run kept, failed ones included."""
        if not (self.folder.path / "logits").is_dir():
            return
        for models, part in self.folder.parts("logits", len(self.member)):
            yield from zip(models, part, strict=True)


def check_against_groups(folder: RunFolder, member: np.ndarray, labels: np.ndarray, signals: np.ndarray) -> None:
    """Checks what lies beside the groups: membership and signals are theirs, labels the manifest's.

    Raises:
      UserError: one of them differs.
    """

    def refuse(name: str) -> None:
        raise UserError(
            f"{folder.path / name}.npy was changed or damaged",
            expected="what the groups' records say",
            remedy=f"miajax lira --run {folder.path} writes it anew",
        )

    stated = folder.manifest.get("labels_sha256")
    if (folder.format > 1 or stated is not None) and stated != array_hash(labels):
        refuse("labels")
    if member.ndim != 2 or member.dtype != bool or labels.shape != member.shape[1:]:
        refuse("membership")
    if signals.shape[:2] != member.shape:
        refuse("signals")
    for models, part in folder.parts("signals", len(member)):
        if part.dtype != signals.dtype or part.tobytes() != signals[models.start : models.stop].tobytes():
            refuse("signals")
    for models in folder.done():
        if models.stop > len(member):
            break  # the run holds more models than its last study took
        stated = folder.group_facts(models).get("membership_sha256")
        if (folder.format > 1 or stated is not None) and stated != array_hash(member[models.start : models.stop]):
            refuse("membership")


def export_run(run: Path, format: ExportFormat, out: Path) -> dict[str, Any]:
    """Writes a run in another tool's layout and returns what ``export.json`` says of it.

    * ``lira2021``: ``y_train.npy``, and of every model ``experiment-I_M/{hparams.json, keep.npy, logits/E.npy,
      scores/E.npy}`` with keep ``bool[N]``, logits ``float32[N, 1, Q, C]``, scores ``float32[N, Q]`` and E the number
      of epochs, as tensorflow/privacy research/mi_lira_2021 reads them.
    * ``privacy_meter``: ``memberships.npy`` ``bool[M, N]`` and ``signals/rmia_signals.npy`` ``float64[N, M]``, examples
      by models, the probability of the label (of query 0), as privacytrustlab/ml_privacy_meter reads them; its losses
      in ``signals/loss_signals.npy``.
    * ``tf_privacy``: of every model ``target-I.npz`` with ``logits_train, logits_test, labels_train, labels_test,
      loss_train, loss_test`` (of query 0), the fields of TF Privacy's ``AttackInputData``; ``examples-I.npz`` says
      which examples they are.
    * ``sklearn``: of every attack ``NAME.npz`` with ``y_true int8[K]`` and ``score float32[K]``, all scored cells of
      all targets, and their ``model`` and ``example``.
    * ``safetensors``: of every model ``model-I.safetensors`` with its parameters and, under the names of their
      collections, its running statistics, by Flax's names joined by dots: ``params.Dense_0.kernel``. ``export.json``
      says what inputs are divided by 255, shifted and scaled by (``input_scaling``; null: rows are taken as they are).

    Args:
      run: a finished run folder.
      format: see above.
      out: a new or empty folder.

    Raises:
      UserError: ``run`` is no finished run, lacks what the format needs, or ``out`` holds something; nothing is
        written.
    """
    if format not in get_args(ExportFormat):
        raise UserError(f"--format {format} is unknown", expected="one of " + ", ".join(get_args(ExportFormat)))
    stored = StoredSignals.of(run)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"--out {out} is not empty", expected="a new or empty folder", remedy="Choose another --out")
    write, size = _WRITERS[format]
    with_space_for(out, size(stored), lambda: f"the {format} export")
    facts = {
        "format": format,
        "fingerprint": stored.folder.manifest["fingerprint"],
        "models": [int(i) for i in np.flatnonzero(stored.valid)],
        "failed_models": [int(i) for i in np.flatnonzero(~stored.valid)],
        "num_examples": stored.member.shape[1],
        "queries": stored.scaled_logit.shape[2],
    }
    with atomic_folder(out) as folder:
        facts |= write(stored, folder)
        if (groups := run / GROUPS_FILE).is_file():  # figures by row alone would understate what an importer finds
            shutil.copyfile(groups, folder / GROUPS_FILE)
            facts["group_name"] = group_name(run)
        write_json(folder / "export.json", facts)
    return facts


def _lira2021(stored: StoredSignals, out: Path) -> dict[str, Any]:
    num_models = len(stored.member)
    hashed = stored.folder.format > 1
    where = stored.folder.path / "config.json"
    config = read_sealed(where, required=lambda _: hashed)
    told: Any = config.get("recipe")
    recipe = cast(Json, told if isinstance(told, dict) else {})
    if not isinstance(recipe.get("epochs"), int) or not {"model", "seed"} <= set(config):
        raise UserError(f"{where} lacks the model, the seed or the recipe's epochs", expected="settings of a campaign")
    epoch = f"{recipe['epochs']:010d}.npy"
    hparams = json.dumps({"arch": config["model"], "seed": config["seed"], **recipe}, indent=2)
    np.save(out / "y_train.npy", stored.labels, allow_pickle=False)
    for model in np.flatnonzero(stored.valid):
        folder = out / f"experiment-{model}_{num_models}"
        (folder / "scores").mkdir(parents=True)
        (folder / "hparams.json").write_text(hparams, encoding="utf-8")
        np.save(folder / "keep.npy", stored.member[model], allow_pickle=False)
        np.save(folder / "scores" / epoch, stored.scaled_logit[model], allow_pickle=False)
    kept = False
    for model, logits in stored.logits():
        if stored.valid[model]:
            kept = True
            folder = out / f"experiment-{model}_{num_models}" / "logits"
            folder.mkdir()
            np.save(folder / epoch, logits[:, None], allow_pickle=False)
    return {"logits": kept}


def _privacy_meter(stored: StoredSignals, out: Path) -> dict[str, Any]:
    phi = np.asarray(stored.scaled_logit[stored.valid, :, 0], np.float64).T
    (out / "signals").mkdir()
    np.save(out / "memberships.npy", stored.member[stored.valid], allow_pickle=False)
    np.save(out / "signals" / "rmia_signals.npy", expit(phi), allow_pickle=False)
    np.save(out / "signals" / "loss_signals.npy", -log_expit(phi), allow_pickle=False)
    return {}


def _tf_privacy(stored: StoredSignals, out: Path) -> dict[str, Any]:
    logits_of = stored.logits()
    kept = False
    for model, member in enumerate(stored.member):
        logits = next(logits_of, (model, None))[1]
        if not stored.valid[model]:
            continue
        loss = -log_expit(np.asarray(stored.scaled_logit[model, :, 0], np.float64))
        arrays = {"labels": stored.labels, "loss": loss.astype(np.float32)}
        if logits is not None:
            kept, arrays["logits"] = True, logits[:, 0]
        sides = {"train": np.flatnonzero(member), "test": np.flatnonzero(~member)}
        fields: dict[str, Any] = {f"{name}_{side}": a[ids] for name, a in arrays.items() for side, ids in sides.items()}
        np.savez(out / f"target-{model:05d}.npz", **fields)
        ids: dict[str, Any] = {f"ids_{side}": rows for side, rows in sides.items()}
        np.savez(out / f"examples-{model:05d}.npz", **ids)
    return {"logits": kept}


def _sklearn(stored: StoredSignals, out: Path) -> dict[str, Any]:
    files = sorted((stored.folder.path / "scores").glob("*.npy"))
    if not files:
        raise UserError(
            f"{stored.folder.path} holds no scores",
            expected="scores/<attack>.npy",
            remedy=f"Make them with: miajax lira --run {stored.folder.path}",
        )
    for file in files:
        if why := why_changed(stored.folder.path, file):
            raise UserError(why, remedy=f"Make it again with: miajax lira --run {stored.folder.path}, or attacks --run")
        scores = load_npy(file)
        if scores.shape != stored.member.shape:
            raise UserError(f"{file} has shape {scores.shape}", expected=f"{stored.member.shape}, models by examples")
        model, example = np.nonzero(np.isfinite(scores) & stored.valid[:, None])
        np.savez(
            out / f"{file.stem}.npz",
            y_true=stored.member[model, example].astype(np.int8),
            score=scores[model, example],
            model=model.astype(np.int32),
            example=example.astype(np.int32),
        )
    return {"attacks": [file.stem for file in files]}


def _safetensors(stored: StoredSignals, out: Path) -> dict[str, Any]:
    folder, num_models = stored.folder, len(stored.member)
    checkpoints = folder.checkpoints(num_models)
    if not checkpoints:
        raise UserError(
            f"{folder.path} kept no parameters", expected="a run of networks with --keep parameters",
            remedy="Make another run with it: parameters are not trained again",
        )  # fmt: skip
    identity = folder.manifest["identity"]
    told = {"format": "flax", "fingerprint": folder.manifest["fingerprint"], "network": json.dumps(identity["model"])}
    written: list[int] = []
    for models, path in checkpoints:
        arrays = parameters_in(path, len(models))
        for place, model in enumerate(models):
            if model < num_models and stored.valid[model]:
                one = {name: array[place] for name, array in arrays.items()}
                write_safetensors(out / f"model-{model:05d}.safetensors", one, {**told, "model": str(model)})
                written.append(model)
    return {"network": identity["model"], "input_scaling": folder.manifest.get("input_scaling"), "models": written}


def parameters_in(path: Path, num_models: int) -> dict[str, np.ndarray]:
    """Parameters and state of a group's models, ``[models, ...]`` each, by Flax's names.

    Raises:
      UserError: the checkpoint is damaged, or holds something else.
    """
    tree = load_tree(path)
    with parsing(
        f"checkpoint {path}", expected=f"parameters and state of {num_models} models", fault="holds no network"
    ):
        params, state = tree
        arrays = dict(flax_names({"params": params, **state}))
        if odd := next((name for name, array in arrays.items() if np.shape(array)[:1] != (num_models,)), None):
            raise ValueError(f"{odd} is of shape {np.shape(arrays[odd])}")
    return arrays


def _size_of_checkpoints(stored: StoredSignals) -> int:
    paths = [path for _, path in stored.folder.checkpoints(len(stored.member))]
    return sum(file.stat().st_size for path in paths for file in path.rglob("*") if file.is_file())


def _size_of_logits(stored: StoredSignals) -> int:
    first = next(stored.logits(), None)
    return 0 if first is None else first[1].nbytes * len(stored.member)


_Writer = Callable[[StoredSignals, Path], dict[str, Any]]
_WRITERS: dict[str, tuple[_Writer, Callable[[StoredSignals], int]]] = {
    "lira2021": (_lira2021, lambda stored: stored.scaled_logit.nbytes + _size_of_logits(stored) + stored.member.nbytes),
    "privacy_meter": (_privacy_meter, lambda stored: 17 * stored.member.size),
    "tf_privacy": (_tf_privacy, lambda stored: 16 * stored.member.size + _size_of_logits(stored)),
    "safetensors": (_safetensors, lambda stored: 2 * _size_of_checkpoints(stored)),
    "sklearn": (_sklearn, lambda stored: 13 * stored.member.size * len([*(stored.folder.path / "scores").glob("*")])),
}
