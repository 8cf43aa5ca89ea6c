"""Every reader of files that others wrote, with small sound files made by code, and how they are mutated."""

import dataclasses
import gzip
import io
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.fuzz import studies
from tests.fuzz.mutations import Mutator, cells, gzipped, head, json_tree, raw, tarred
from tests.fuzz.reader import BYTES, MANIFEST, SEALED, TEXT, ZIPPED, Reader, only, sealed


def _draws() -> np.random.Generator:
    return np.random.default_rng(0)


def dataset(name: str, file: str = "", **options: Any) -> Callable[[Path], Any]:
    def read(folder: Path) -> Any:
        from miajax.data.registry import DataOptions, load_dataset

        return load_dataset(name, DataOptions(data_path=str(folder / file), **options))

    return read


# Data sets


def _npz(folder: Path) -> None:
    draws, labels = _draws(), np.arange(24) % 3
    np.savez_compressed(
        folder / "a.npz", features=draws.normal(size=(24, 5)), labels=labels, test_features=draws.normal(size=(6, 5)),
        test_labels=labels[:6], groups=np.arange(24) // 2,
    )  # fmt: skip


def _table() -> dict[str, Any]:
    draws, rows = _draws(), 40
    return {
        "age": draws.integers(20, 60, rows), "weight": draws.normal(70, 9, rows).round(2),
        "city": draws.choice(["Rome", "Oslo", "Bonn, north"], rows), "smokes": draws.choice(["true", "false"], rows),
        "visits": [None if row % 9 == 0 else row % 5 for row in range(rows)], "ill": draws.choice(["yes", "no"], rows),
    }  # fmt: skip


def _csv_text() -> str:
    table = _table()
    rows = zip(*table.values(), strict=True)
    told = (",".join("" if c is None else f'"{c}"' if "," in str(c) else str(c) for c in row) for row in rows)
    return "\n".join([",".join(table), *told]) + "\n"


def _csv(folder: Path) -> None:
    (folder / "t.csv").write_text(_csv_text())
    (folder / "t.csv.gz").write_bytes(gzip.compress(_csv_text().encode(), mtime=0))


def _read_csv(folder: Path) -> None:
    dataset("table", studies.newest(folder).name, label_column="ill")(folder)


def _of_csv(file: str) -> Sequence[Mutator]:
    return (raw, gzipped((cells,))) if file.endswith(".gz") else TEXT


def _parquet(folder: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table({name: pa.array(list(column)) for name, column in _table().items()})
    for compression in ("snappy", "none"):
        parquet.write_table(table, folder / f"{compression}.parquet", compression=compression, row_group_size=25)


def _read_parquets(folder: Path) -> None:
    for file in sorted(folder.glob("*.parquet")):
        dataset("table", file.name, label_column="ill")(folder)


def _bounds(folder: Path) -> None:
    (folder / "b.csv").write_text("column,low,high\nage,0,100\nweight,20,200\nvisits,0,9\nsmokes,0,1\n")


def _read_bounds(folder: Path) -> Any:
    from miajax.data.bounds import FeatureBounds

    found = FeatureBounds.read(str(folder / "b.csv"))
    return found.scaled(np.arange(3.0), "age")


def _cifar(name: str, flavour: str, packed: bool) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        from tests.data.official_files import cifar_files, write_folder, write_tar

        top, files = cifar_files(name, flavour, batch=10, test=10)
        if packed:
            write_tar(folder / "a.tar.gz", top, files)
        else:
            write_folder(folder, files)

    return build


def pickled(rng: Any, content: bytes) -> bytes:
    """Operations of a pickle changed, away from its pictures."""
    parts = [place for place in range(len(content)) if place < 200 or place > len(content) - 700]
    at = rng.choice(parts)
    window = content[at : at + 40]
    return content[:at] + raw(rng, window) + content[at + 40 :]


def _fashion(folder: Path) -> None:
    from tests.data.official_files import write_fashion_mnist

    write_fashion_mnist(folder, 21, 13)


def _bits(classes: int, width: int, rows: int) -> np.ndarray:
    return np.concatenate([np.arange(rows)[:, None] % classes + 1, _draws().integers(0, 2, (rows, width))], 1)


def _lines(rows: np.ndarray) -> bytes:
    return "".join(",".join(map(str, row)) + "\n" for row in rows).encode()


def _tgz(path: Path, files: dict[str, bytes]) -> None:
    import tarfile

    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def _purchase(folder: Path) -> None:
    rows = _bits(100, 600, 100)
    np.save(folder / "purchase.npy", rows.astype(np.uint8))
    np.savez_compressed(folder / "purchase.npz", rows.astype(np.uint8))
    (folder / "dataset_purchase").write_bytes(_lines(rows))
    _tgz(folder / "dataset_purchase.tgz", {"dataset_purchase": _lines(rows)})


def _one_of(folder: Path, name: str) -> None:
    """Reads whichever of several forms was mutated: the newest file."""
    dataset(name, studies.newest(folder).name)(folder)


def _location(folder: Path) -> None:
    rows = _bits(30, 446, 30)
    (folder / "bangkok").write_bytes(_lines(rows))
    _tgz(folder / "location30.tgz", {"bangkok": _lines(rows)})


def _texas(folder: Path) -> None:
    rows = _bits(100, 6169, 100)
    _tgz(folder / "dataset_texas.tgz", {"texas/feats": _lines(rows[:, 1:]), "texas/labels": _lines(rows[:, :1])})


def _published(file: str) -> Sequence[Mutator]:
    if file.endswith(".npz"):
        return ZIPPED
    if file.endswith(".tgz"):
        return raw, gzipped(), tarred((raw, cells))
    return BYTES if file.endswith(".npy") else TEXT


def _images(folder: Path) -> None:
    from PIL import Image

    draws = _draws()
    for number, (name, mode) in enumerate([("a/1.png", "L"), ("a/2.jpg", "L"), ("b/3.png", "L"), ("b/4.jpg", "RGB")]):
        (folder / name).parent.mkdir(exist_ok=True)
        shape = (8, 9) if mode == "L" else (8, 9, 3)
        Image.fromarray(draws.integers(0, 256, shape, np.uint8)).save(folder / name, exif=Image.Exif())
        del number


def _features(folder: Path) -> None:
    np.savez(folder / "f.npz", features=_draws().normal(size=(24, 3)), labels=np.arange(24) % 3)


def _read_features(folder: Path) -> None:
    from miajax.data.dataset import Dataset
    from miajax.data.frozen import with_features

    with_features(Dataset(np.eye(24, dtype=np.float32), np.arange(24) % 3), folder / "f.npz")


def _config_file(folder: Path) -> None:
    (folder / "c.toml").write_text(
        'dataset = "digits"\nnum_shadows = 16\nlearning_rate = 0.1\nkeep = ["logits", "losses"]\nflip = false\n'
    )


def _read_config_file(folder: Path) -> None:
    from miajax.cli.lira import run

    run.parse(["--config", str(folder / "c.toml"), "--epochs", "3"])


# Files of users beside a run


def _slices(folder: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    ids, ages = np.arange(20), _draws().normal(40, 9, 20)
    np.savez(folder / "s.npz", id=ids, ward=np.array(list("abcd") * 5), age=ages)
    parquet.write_table(pa.table({"id": ids, "ward": list("abcd") * 5, "age": ages}), folder / "s.parquet")


def _read_slices(folder: Path) -> None:
    from miajax.studies.slices import user_column

    for name in ("s.npz", "s.parquet"):
        for column in ("ward", "age"):
            user_column(folder / name, column, 20)


def _target(folder: Path) -> None:
    draws = _draws()
    logits = draws.normal(size=(30, 3))
    odds = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    member = np.arange(30) < 12
    np.savez(folder / "logits.npz", membership=member, logits=logits)
    np.savez(folder / "odds.npz", membership=member[:20], probabilities=odds[:20].round(4), ids=np.arange(20))
    np.savez(folder / "labels.npz", membership=member, labels=odds.argmax(1))
    np.save(folder / "answers.npy", odds)
    (folder / "members.txt").write_text("".join(f"{row}\n" for row in range(12)))
    (folder / "target.json").write_text(json.dumps({"epochs": 30, "learning_rate": 0.1, "optimizer": "sgd"}))


def _read_target(folder: Path) -> None:
    from miajax.data.dataset import Dataset
    from miajax.studies.target.file import read_declaration, read_target

    pool = Dataset(np.eye(30, dtype=np.float32), np.arange(30) % 3)
    for name in ("logits", "odds", "labels"):
        read_target(folder / f"{name}.npz", pool)
    read_target(folder / "answers.npy", pool, members=folder / "members.txt")
    read_declaration(folder / "target.json", {"epochs": 1, "learning_rate": 0.1, "optimizer": "sgd"})


def _imports(layout: str) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        from miajax.runs.exports import export_run
        from tests.runs.stored_runs import simulated_run

        with tempfile.TemporaryDirectory() as place:
            made = simulated_run(Path(place) / "run", num_models=4, num_examples=20, classes=3)
            if layout != "arrays":
                export_run(Path(place) / "run", layout, Path(place) / "out")  # type: ignore[arg-type]
                shutil.copytree(Path(place) / "out", folder, dirs_exist_ok=True)
                return
        arrays = {name: made[name] for name in ("membership", "labels", "signals", "logits")}
        np.savez(folder / "a.npz", **arrays, groups=np.arange(20) // 2)

    return build


def _read_imports(layout: str, file: str = "") -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        from miajax.runs.imports import read_signals

        read_signals(folder / file, layout)  # type: ignore[arg-type]

    return read


def _plan(folder: Path) -> None:
    from tests.campaign.plans import planned, trained

    planned(folder, num_shadows=4)
    trained(folder)
    source = folder / "plan" / "answers" / "model-0001.npz"
    with np.load(source) as arrays:
        names = [f"{each:.6f}" for each in arrays["probabilities"][:, 0]]
        rows = zip(range(len(names)), arrays["labels"], arrays["probabilities"], strict=True)
        text = "".join(f"{row},{label},{odds[0]:.9f},{odds[1]:.9f}\n" for row, label, odds in rows)
    source.unlink()
    source.with_suffix(".csv").write_text("row,label,healthy,sick\n" + text)


def _read_plan(folder: Path) -> None:
    import functools

    from miajax.campaign import returned
    from miajax.campaign.handover import read_plan

    plan = read_plan(folder / "plan")
    lines = (folder / "patients.csv").read_text().splitlines()[1:]
    labels = np.array([line.endswith("sick") for line in lines], np.int32)
    files = returned._files(plan, folder / "plan" / "answers", True)
    come = functools.partial(returned._read, plan, signal_kind=None)
    returned._check_all(plan, files, labels, come, False)


def _of_plan(file: str) -> Sequence[Mutator]:
    if file.endswith("plan.json"):
        return raw, json_tree(), json_tree(sealed), json_tree(sealed)
    if "answers" in file:
        return ZIPPED if file.endswith(".npz") else TEXT
    return BYTES if file.endswith("membership.npy") else ()


# Run folders


def _config(folder: Path) -> None:
    from miajax.campaign.config import CampaignConfig, plain
    from miajax.runs.atomic import write_sealed
    from tests.runs.stored_runs import simulated_run

    simulated_run(folder, num_models=2, num_examples=9, keep_logits=False)
    write_sealed(folder / "config.json", plain(dataclasses.asdict(CampaignConfig())))


def _read_config(folder: Path) -> None:
    from miajax.campaign.config import Setup
    from miajax.campaign.stored import stored_config

    config = stored_config(folder)
    small = dataclasses.replace(config.data, max_examples=min(config.data.max_examples or 200, 200))
    Setup.of(dataclasses.replace(config, data=small, num_shadows=min(config.num_shadows, 8)))


def _run(folder: Path) -> None:
    from tests.runs.stored_runs import simulated_run

    simulated_run(folder, num_models=4, num_examples=16, classes=3)


def _run_with_answers(folder: Path) -> None:
    _run(folder)
    studies.with_answers(folder, np.ones((2, 16), bool))


def _export(folder: Path) -> None:
    from miajax.runs.exports import export_run

    with tempfile.TemporaryDirectory() as place:
        for layout in ("lira2021", "sklearn", "tf_privacy"):
            export_run(folder, layout, Path(place) / layout)


def _rehash(run: Path) -> None:
    """As a forger makes records fit their files."""
    from miajax.runs.atomic import hash_of, write_sealed

    for record in run.glob("groups/*/group.json"):
        told = json.loads(record.read_text())
        hashes = {file: hash_of(run / file) for file in told["sha256"] if (run / file).exists()}
        write_sealed(record, {**{k: v for k, v in told.items() if k != "seal"}, "sha256": hashes})


def _forged(folder: Path) -> None:
    """What is left to see where every hash fits: shapes, types, and what does not fit together."""
    from miajax.studies.compare.side import read_side

    with tempfile.TemporaryDirectory() as place:
        run = Path(place) / "run"
        shutil.copytree(folder, run)
        _rehash(run)
        (run / "derived.json").unlink()
        failed: Exception | None = None
        for read in (_export, _read_run):
            try:
                read(run)
            except Exception as error:
                failed = failed or error
        if failed is not None:
            raise failed
        (run / "results.json").write_text(json.dumps({"dataset": "d", "model": "m"}))
        read_side(run)


def _read_run(folder: Path) -> None:
    from miajax.campaign.made import training_seconds
    from miajax.runs.folder import RunFolder

    run = RunFolder.open(folder)
    run.verify_all(4)
    for kind in ("signals", "valid", "logits"):
        run.gather(kind, 4)
    training_seconds(run, 4)


def _of_run(file: str) -> Sequence[Mutator]:
    return MANIFEST if file.endswith("manifest.json") else SEALED if file.endswith(".json") else BYTES


def _of_forged(file: str) -> Sequence[Mutator]:
    return BYTES if file.endswith(".npy") else ()


_TREE = {"params": {"w": np.ones((4, 3), np.float32), "b": np.zeros(3, np.float32)}, "step": np.int32(7)}


def _checkpoint(folder: Path) -> None:
    from miajax.runs.unfinished import save_unfinished

    save_unfinished(folder / "state", _TREE, 1.5, {"models": [0, 4], "fingerprint": "f"})


def _load_state(path: Path) -> None:
    import jax

    from miajax.runs.unfinished import load_unfinished

    form = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), np.asarray(leaf).dtype), _TREE)
    load_unfinished(path, [form], {"models": [0, 4], "fingerprint": "f"}, True, lambda: path)


def _read_checkpoint(folder: Path) -> None:
    """As it lies there; and with a record that fits, as a forger makes it."""
    from miajax.runs.atomic import hash_of, read_json, write_sealed

    _load_state(folder / "state")
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(folder / "state", state := Path(place) / "state")
        told = read_json(state / "record.json")
        if isinstance(told, dict):
            write_sealed(
                state / "record.json",
                {**{k: v for k, v in told.items() if k != "seal"}, "sha256": hash_of(state / "tree")},
            )
        _load_state(state)


def _of_checkpoint(file: str) -> Sequence[Mutator]:
    return SEALED if file.endswith("record.json") else BYTES


def _secrets(folder: Path) -> None:
    from miajax.runs.derived import remember
    from miajax.runs.group_names import group_names
    from miajax.training.dp.noise import secret_key

    secret_key(folder)
    group_names(["a", "b"], folder, False)
    (folder / "scores.npy").write_bytes(b"0" * 50)
    remember(folder, folder / "scores.npy")


def _read_secrets(folder: Path) -> None:
    from miajax.errors import UserError
    from miajax.runs.derived import why_changed
    from miajax.runs.group_names import group_names
    from miajax.training.dp.noise import secret_key

    if why := why_changed(folder, folder / "scores.npy"):
        raise UserError(why)
    secret_key(folder)
    group_names(["a", "b"], folder, False)


_RESULTS_OF = {
    "lira": ("lira",), "attacks": ("attacks",), "target": ("audit_target",), "imported": ("import_signals",)
}  # fmt: skip


def _results(folder: Path) -> None:
    from tests.golden.snapshot import KEPT

    for name, (kept,) in _RESULTS_OF.items():
        (folder / name).mkdir()
        results = json.loads((KEPT / f"{kept}.json").read_text())["results"]
        results = {"versions": {"miajax": "0"}, "timing": {"train_s": 1.0}} | results  # which snapshots leave out
        (folder / name / "results.json").write_text(json.dumps(results))


def _read_results(folder: Path) -> None:
    """Whoever reads figures: the gate, the card, the comparison."""
    from miajax.metrics.json_form import from_json
    from miajax.runs.atomic import read_json
    from miajax.studies.compare.side import Stored
    from miajax.studies.found import found_results
    from miajax.studies.gate.rules import rules_of
    from miajax.studies.gate.verdicts import verdicts_on
    from miajax.studies.model_card.card import model_card

    newest = studies.newest(folder)
    rules = rules_of(("all:auc=0.6", "all:tpr_at_fpr:0.001=0.1", "all:per_target:auc=0.7"))
    for verdict in verdicts_on(rules, found_results(newest.parent)):
        str(verdict)
    model_card(found_results(newest.parent))
    from_json(Stored, read_json(newest))


READERS: dict[str, Reader] = {
    "npz": Reader(_npz, dataset("npz", "a.npz"), only(by=ZIPPED)),
    "csv": Reader(_csv, _read_csv, _of_csv),
    "parquet": Reader(_parquet, _read_parquets, only()),
    "bounds": Reader(_bounds, _read_bounds, only(by=TEXT)),
    "cifar10_python": Reader(_cifar("cifar10", "python", False), dataset("cifar10"), only(by=(raw, pickled, pickled))),
    "cifar10_archive": Reader(
        _cifar("cifar10", "python", True), dataset("cifar10", "a.tar.gz"),
        only(by=(raw, gzipped(), tarred((raw, pickled)))),
    ),
    "cifar100_binary": Reader(_cifar("cifar100", "binary", False), dataset("cifar100"), only()),
    "fashion_mnist": Reader(_fashion, dataset("fashion_mnist"), only(by=(raw, head, gzipped()))),
    "purchase100": Reader(_purchase, lambda folder: _one_of(folder, "purchase100"), _published),
    "location30": Reader(_location, lambda folder: _one_of(folder, "location30"), _published),
    "texas100": Reader(_texas, lambda folder: _one_of(folder, "texas100"), _published),
    "images": Reader(_images, dataset("images"), only()),
    "features": Reader(_features, _read_features, only(by=ZIPPED)),
    "config_file": Reader(_config_file, _read_config_file, only(by=TEXT)),
    "slices": Reader(_slices, _read_slices, lambda file: ZIPPED if file.endswith(".npz") else BYTES),
    "target": Reader(
        _target, _read_target,
        lambda file: ZIPPED if file.endswith(".npz") else (raw, json_tree()) if file.endswith(".json") else BYTES,
    ),
    "import_lira2021": Reader(_imports("lira2021"), _read_imports("lira2021"), only(".npy")),
    "import_privacy_meter": Reader(_imports("privacy_meter"), _read_imports("privacy_meter"), only(".npy", ".json")),
    "import_tf_privacy": Reader(_imports("tf_privacy"), _read_imports("tf_privacy"), only(".npz", by=ZIPPED)),
    "import_arrays": Reader(_imports("arrays"), _read_imports("arrays", "a.npz"), only(by=ZIPPED)),
    "plan": Reader(_plan, _read_plan, _of_plan),
    "config": Reader(_config, _read_config, lambda file: _of_run(file) if file == "config.json" else ()),
    "run": Reader(_run, _export, _of_run),
    "run_forged": Reader(_run_with_answers, _forged, _of_forged),
    "checkpoint": Reader(_checkpoint, _read_checkpoint, _of_checkpoint),
    "secrets": Reader(_secrets, _read_secrets, lambda file: _of_run(file) if file.endswith(".json") else BYTES),
    "results": Reader(_results, _read_results, only(by=studies.JSON)),
    **studies.READERS,
}  # fmt: skip


def _faulty(read: Callable[[], Any]) -> Reader:
    def build(folder: Path) -> None:
        (folder / "a").write_bytes(bytes(100))

    return Reader(build, lambda folder: read() if any((folder / "a").read_bytes()) else None, only(by=(_marked,)))


def _marked(rng: Any, content: bytes) -> bytes:
    return content + b"!"


def _hang() -> None:
    while True:
        pass


def _crash() -> None:
    import ctypes

    ctypes.string_at(0)


def _lines_of_error() -> None:
    from miajax.errors import UserError

    error = UserError("x")
    error.args = ("two\nlines",)
    raise error


FAULTY: dict[str, Reader] = {
    "~traceback": _faulty(lambda: {}["x"]),
    "~death": _faulty(_crash),
    "~hang": _faulty(_hang),
    "~memory": _faulty(lambda: len(b"x" * (1100 << 20))),
    "~lines": _faulty(_lines_of_error),
}
ALL = {**READERS, **FAULTY}
