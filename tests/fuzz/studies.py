"""Readers of what studies left, of TFDS' files and of parameters: whole commands on folders that others wrote."""

import base64
import contextlib
import io
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz.mutations import Mutator, json_tree, raw
from tests.fuzz.reader import BYTES, MANIFEST, SEALED, TEXT, Reader, only

JSON: Sequence[Mutator] = (raw, json_tree(), json_tree(), json_tree())


@contextlib.contextmanager
def elsewhere() -> Iterator[Path]:
    """A folder for what a command writes."""
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


def newest(folder: Path) -> Path:
    """The file that was mutated last."""
    return max((file for file in folder.rglob("*") if file.is_file()), key=lambda file: file.stat().st_mtime_ns)


def _kept(name: str) -> dict[str, Any]:
    from tests.golden.snapshot import KEPT

    results = json.loads((KEPT / f"{name}.json").read_text())["results"]
    return {"versions": {"miajax": "0"}, "timing": {"train_s": 1.0}} | results  # which snapshots leave out


def with_answers(run: Path, correct: np.ndarray) -> None:
    """Puts what a group's models got right beside its signals."""
    from miajax.runs.atomic import hash_of, write_sealed

    for record in run.glob("groups/*/group.json"):
        np.save(file := record.with_name("correct.npy"), correct)
        told = json.loads(record.read_text())
        del told["seal"]
        told["sha256"][str(file.relative_to(run))] = hash_of(file)
        write_sealed(record, told)


def _attacked(run: Path) -> None:
    from tests.runs.stored_runs import simulated_run

    simulated_run(run, num_models=16, num_examples=30, classes=3, keep_logits=False)
    with_answers(run, np.ones((8, 30), bool))
    (run / "results.json").write_text(json.dumps(_kept("lira")))


# The audit report


def _audit_report(folder: Path) -> None:
    from miajax.runs.tables import write_table

    _attacked(folder / "run")
    (folder / "run" / "audit").mkdir()
    bounds = {"clopper_pearson": {"epsilon_lower": 0.3, "confidence": 0.95}, "gaussian": None}
    (folder / "run" / "audit" / "results.json").write_text(json.dumps({"study": "audit", "bounds": bounds}))
    (folder / "target").mkdir()
    (folder / "target" / "results.json").write_text(json.dumps(_kept("audit_target")))
    draws = np.random.default_rng(0)
    names = ("lira_online_fixed", "lira_online", "rmia", "global_threshold")
    scores = {f"score_{name}": draws.normal(size=30) for name in names}
    write_table(
        folder / "target" / "per_example.parquet", {"id": np.arange(30), "member": np.arange(30) < 15, **scores}
    )


def _read_audit_report(folder: Path) -> None:
    from miajax.studies.audit_report.study import run_audit_report

    with elsewhere() as out:
        run_audit_report(folder / newest(folder).relative_to(folder).parts[0], out / "report")


def _of_study(file: str) -> Sequence[Mutator]:
    if file.endswith("results.json"):
        return JSON
    if file.endswith("manifest.json"):
        return MANIFEST
    return SEALED if file.endswith(".json") else BYTES


# Two runs held against each other, and runs looked at


def _two_runs(folder: Path) -> None:
    _attacked(folder / "before")
    shutil.copytree(folder / "before", folder / "after")


def _read_compare(folder: Path) -> None:
    from miajax.studies.compare.side import check_comparable, read_side, settings_that_differ

    sides = read_side(folder / "before"), read_side(folder / "after")
    check_comparable(*sides)
    settings_that_differ(*sides)
    for side in sides:
        for attack in side.scores:
            side.score(attack)


def _inspected(folder: Path) -> None:
    """``miajax runs list|show|verify|diff|gc``, whose exit status 1 says that a run is damaged."""
    from miajax.cli.runs import run

    told = [["list", "."], ["show", "after"], ["verify", "."], ["diff", "before", "after"], ["gc", "."]]
    refused: Exception | None = None
    for verb, *paths in told:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            try:
                run.act(run.parse([verb, *(str(folder / path) for path in paths)]), None)  # type: ignore[arg-type]
            except SystemExit as ended:
                if ended.code != 1:
                    raise
            except Exception as error:
                refused = refused or error
        if "\x1b" in printed.getvalue():
            raise ValueError("a word of the folder reaches the terminal as a command")
    if refused is not None:
        raise refused


# Files beside studies


def _study_files(folder: Path) -> None:
    import dataclasses

    from miajax.campaign.config import CampaignConfig, plain
    from miajax.runs.atomic import write_sealed
    from miajax.studies.dpsgd.study import DpsgdOptions

    settings = plain({"campaign": dataclasses.asdict(CampaignConfig()), "options": dataclasses.asdict(DpsgdOptions())})
    (folder / "dpsgd").mkdir()
    write_sealed(folder / "dpsgd" / "study.json", settings)
    (folder / "reproduce").mkdir()
    begun = {
        "preset": "here", "miniature": False, "versions": {"miajax": "0"}, "timing": {"train_s": 1.0}, "campaigns": {}
    }  # fmt: skip
    write_sealed(folder / "reproduce" / "results.json", begun)
    (folder / "config.json").write_text(json.dumps(plain(dataclasses.asdict(CampaignConfig()))))
    (folder / "arguments.txt").write_text('{"n_estimators": 30, "max_depth": null}')
    (folder / "elsewhere.txt").write_text('{"name": "theirs", "plan": "1a2b", "answers": ""}')


def _read_study_files(folder: Path) -> None:
    from miajax.cli.lira import run
    from miajax.estimators.elsewhere import trained_elsewhere
    from miajax.estimators.reference import read_args
    from miajax.studies.dpsgd.study import stored
    from miajax.studies.reproduce.study import ReproduceOptions, _begun

    file = newest(folder)
    if file.parent.name == "dpsgd":
        stored(file.parent)
    elif file.parent.name == "reproduce":
        _begun(file.parent, ReproduceOptions())
    elif file.name == "config.json":
        run.parse(["--config", str(file)])
    else:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")  # as it is typed
        (read_args if file.name == "arguments.txt" else trained_elsewhere)(text)


# Tables that studies add columns to


def _tables(folder: Path) -> None:
    from miajax.runs.tables import write_table

    columns = {"id": np.arange(30), "own": np.linspace(0, 1, 30), "member": np.arange(30) < 9, "key": list("ab" * 15)}
    write_table(folder / "per_example.parquet", columns)


def _read_tables(folder: Path) -> None:
    from miajax.studies.common import join_examples

    with elsewhere() as out:
        shutil.copy(folder / "per_example.parquet", out)
        join_examples(out / "per_example.parquet", {"id": np.arange(30), "new": np.zeros(30)})


def _page(folder: Path) -> None:
    """A page whose figures another page shows again."""
    svg = base64.b64encode(b'<svg viewBox="0 0 500.5 300"></svg>').decode()
    image = f'<img src="data:image/svg+xml;base64,{svg}" alt="a">'
    picture = f"<figure>\n<h3>Title</h3>\n{image}\n<figcaption>So</figcaption>\n</figure>"
    sections = "\n".join(f'<section id="s{at}">\n{picture}</section>' for at in range(3))
    (folder / "report.html").write_text(f"<!doctype html><html><body>{sections}</body></html>")


def _read_page(folder: Path) -> None:
    from miajax.report.excerpt import figures_of

    _ = [each.figure.wide for each in figures_of(folder / "report.html")]


# Arrays of signals in a folder, with labels and groups of files of their own


def _import_folder(folder: Path) -> None:
    from tests.runs.stored_runs import simulated_run

    with elsewhere() as place:
        made = simulated_run(place / "run", num_models=4, num_examples=20, classes=3)
    (folder / "arrays").mkdir()
    for name in ("membership", "labels", "signals", "logits"):
        np.save(folder / "arrays" / f"{name}.npy", made[name])
    np.save(folder / "arrays" / "group_of_row.npy", np.arange(20) // 2)
    (folder / "arrays" / "export.json").write_text(json.dumps({"format": "arrays", "fingerprint": "f"}))
    (folder / "arrays" / "source.json").write_text(json.dumps({"groups": "person"}))
    np.save(folder / "labels.npy", made["labels"])
    np.save(folder / "groups.npy", np.array([f"p{row // 2}" for row in range(20)]))


def _read_import_folder(folder: Path) -> None:
    from miajax.runs.imports import read_signals

    read_signals(folder / "arrays", "arrays")
    read_signals(folder / "arrays", "arrays", labels=folder / "labels.npy", groups=folder / "groups.npy")


# Parameters, as Orbax stores them


def _parameters(folder: Path) -> None:
    from miajax.runs.checkpoints import save_tree

    save_tree(folder / "00000-00003", _tree())


def _tree() -> Any:
    return {"w": np.ones((4, 5, 3), np.float32), "b": np.zeros((4, 3), np.float32)}, {"mean": np.ones(4, np.float32)}


def _read_parameters(folder: Path) -> None:
    """With the shapes that a network has, and as they are exported."""
    import jax

    from miajax.runs.checkpoints import load_tree
    from miajax.runs.exports import parameters_in
    from miajax.runs.safetensors import write_safetensors

    path = folder / "00000-00003"
    with elsewhere() as out:
        arrays = parameters_in(path, 4)
        write_safetensors(out / "model.safetensors", {name: array[0] for name, array in arrays.items()}, {})
    form = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), _tree())
    load_tree(path, form)


# TFDS


def _tfds(folder: Path) -> None:
    from tests.data.official_files import cycling_labels, pictures
    from tests.data.test_tfds import classification, examples, prepare

    splits = {
        "train": examples(pictures(7, 6, 1, 1), cycling_labels(7, 3)),
        "test": examples(pictures(3, 6, 1, 2), cycling_labels(3, 3)),
    }
    prepare(folder, "shapes", classification(6, 1, 3), splits, supervised_keys=("image", "label"))


def _read_tfds(folder: Path) -> None:
    from miajax.data.registry import DataOptions, load_dataset

    load_dataset("tfds:shapes", DataOptions(data_path=str(folder)))


def _of_tfds(file: str) -> Sequence[Mutator]:
    return JSON if file.endswith(".json") else TEXT if file.endswith(".txt") else BYTES


READERS: dict[str, Reader] = {
    "audit_report": Reader(_audit_report, _read_audit_report, _of_study),
    "compare": Reader(_two_runs, _read_compare, _of_study),
    "runs": Reader(_two_runs, _inspected, _of_study),
    "study_files": Reader(
        _study_files, _read_study_files, lambda file: (raw, json_tree()) if file.endswith(".txt") else SEALED
    ),
    "tables": Reader(_tables, _read_tables, only()),
    "page": Reader(_page, _read_page, only(by=TEXT)),
    "import_folder": Reader(
        _import_folder, _read_import_folder, lambda file: JSON if file.endswith(".json") else BYTES
    ),
    "parameters": Reader(_parameters, _read_parameters, only()),
    "tfds": Reader(_tfds, _read_tfds, _of_tfds),
}
