"""What lies in run folders, whether it is whole, how two of them differ: read, and nothing written."""

import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, cast

from miajax.array_files import load_npy
from miajax.errors import UserError
from miajax.runs.atomic import read_json, read_sealed
from miajax.runs.derived import remembered, why_changed
from miajax.runs.exports import check_against_groups
from miajax.runs.folder import RunFolder
from miajax.runs.identity import differences
from miajax.runs.integrity import array_hash
from miajax.runs.names import UNFINISHED, range_name
from miajax.typed import Json

_SKIPPED = ("groups", "checkpoints", "damaged", "scores")  # of a run: they hold no further run
State = Literal["finished", "unfinished", "unreadable"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A run folder at a glance.

    Attributes:
      path: its folder.
      state: ``finished`` where every model that was asked for is stored; ``unreadable`` where the manifest is damaged.
      dataset, model: that it is about; empty where they cannot be read.
      models, wanted: stored, and asked for (None where that cannot be read).
      in_progress: groups whose training goes on from a stored state.
      results: studies that left results.
      size: bytes on disk.
      created: when, by ISO 8601.
      format: version of the layout.
      problem: why it is unreadable.
    """

    path: str
    state: State
    dataset: str = ""
    model: str = ""
    models: int = 0
    wanted: int | None = None
    in_progress: int = 0
    results: tuple[str, ...] = ()
    size: int = 0
    created: str = ""
    format: int = 0
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is wrong with a part of a run."""

    part: str
    what: str


@dataclasses.dataclass(frozen=True)
class Difference:
    """Where two runs differ; ``of`` says in what: identity, settings, plan, models, or signals."""

    of: str
    what: str


def found_runs(folder: Path) -> list[Run]:
    """All runs in a folder, itself included, by path.

    Raises:
      UserError: there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder", expected="a run folder, or one that holds some")
    return [summary(path) for path in sorted(_folders(folder))]


def _folders(folder: Path) -> Iterator[Path]:
    for top, below, files in os.walk(folder):
        if "manifest.json" in files:
            yield Path(top)
            below[:] = [name for name in below if name not in _SKIPPED]
        below[:] = [name for name in below if not name.startswith(".")]


def summary(path: Path) -> Run:
    """A run at a glance; one that cannot be read says why."""
    size = RunFolder(path).size()
    try:
        folder = RunFolder.open(path)
        manifest, stored = folder.manifest, sum(map(len, folder.done()))
        config = _config(path)
    except UserError as error:
        return Run(path=str(path), state="unreadable", size=size, problem=str(error))
    wanted = config.get("num_shadows")
    wanted = wanted if isinstance(wanted, int) else None
    found = sorted(path.glob("results.json")) + sorted(path.glob("*/results.json"))
    return Run(
        path=str(path),
        state="finished" if stored and (wanted is None or stored >= wanted) else "unfinished",
        dataset=_name(manifest["identity"].get("dataset")) or str(config.get("dataset", "")),
        model=_name(manifest["identity"].get("model")) or str(config.get("model", "")),
        models=stored,
        wanted=wanted,
        in_progress=len(folder.unfinished()),
        results=tuple(_study(file) for file in found),
        size=size,
        created=str(manifest.get("created", "")),
        format=folder.format,
    )


def _config(path: Path) -> Json:
    file = path / "config.json"
    return read_sealed(file) if file.exists() else {}


def _name(value: Any) -> str:
    """A name that stands in an identity as text, or within the object of a network of one's own."""
    held: Any = cast(Json, value).get("name", "") if isinstance(value, dict) else value
    return held if isinstance(held, str) else ""


def _study(file: Path) -> str:
    try:
        told: Any = read_json(file)
    except UserError:
        return f"{file.parent.name} (unreadable)"
    study = cast(Json, told).get("study") if isinstance(told, dict) else None
    return str(study or file.parent.name)


def details(path: Path) -> Json:
    """All that a run says of itself: its summary, manifest, settings, and a line a group.

    Raises:
      UserError: it is no run folder, or its manifest or a group's record is damaged.
    """
    folder = RunFolder.open(path)
    groups: list[Json] = []
    for models in folder.done():
        record = folder.group_facts(models)
        kept = {name: record.get(name) for name in ("training_s", "made", "failures") if record.get(name)}
        groups.append({"group": range_name(models), "models": len(models), **kept})
    going_on = [range_name(models) for models in folder.unfinished()]
    return {
        "run": dataclasses.asdict(summary(path)), "manifest": folder.manifest, "config": _config(path),
        "groups": groups, "in_progress": going_on, "garbage": [str(each) for each in folder.garbage()],
    }  # fmt: skip


def problems(path: Path) -> list[Problem]:
    """Everything that is wrong with a run, part by part; empty where it is whole, finished or not.

    Raises:
      UserError: it is no run folder.
    """
    if not (path / "manifest.json").is_file():
        RunFolder.open(path)  # says so
    try:
        folder = RunFolder.open(path)
        hashed = folder.format > 1
    except UserError as error:
        return [Problem("manifest.json", str(error))]
    found: list[Problem] = []

    def check(part: str, act: Any) -> bool:
        try:
            act()
        except UserError as error:
            found.append(Problem(part, str(error)))
            return False
        return True

    if (path / "config.json").exists() or hashed:
        check("config.json", lambda: read_sealed(path / "config.json", required=lambda _: hashed))
    groups = folder.done()
    whole = [check(f"groups/{range_name(models)}", lambda models=models: folder.verify(models)) for models in groups]
    for models in folder.unfinished():
        check(f"checkpoints/{UNFINISHED}{range_name(models)}", lambda models=models: folder.check_unfinished(models))
    for name in remembered(path):
        if why := why_changed(path, path / name):
            found.append(Problem(name, why))
    arrays = [path / f"{name}.npy" for name in ("membership", "labels", "signals")]
    if groups and all(whole) and all(file.exists() for file in arrays):
        check("arrays beside the groups", lambda: check_against_groups(folder, *map(load_npy, arrays)))
    for file in (*path.glob("results.json"), *path.glob("*/results.json")):
        check(str(file.relative_to(path)), lambda file=file: read_json(file))
    return found


def differing(one: Path, other: Path) -> list[Difference]:
    """How two runs differ in what models depend on, in settings, in plans, in models and in their signals.

    Raises:
      UserError: one of them is no run folder, or is damaged.
    """
    folders = [RunFolder.open(path) for path in (one, other)]
    manifests = [folder.manifest for folder in folders]
    found: list[Difference] = []
    sides: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [
        ("identity", manifests[0]["identity"], manifests[1]["identity"]),
        ("settings", _config(one), _config(other)),
        ("plan", manifests[0].get("plan", {}), manifests[1].get("plan", {})),
    ]
    for of, here, there in sides:
        lines = differences(here, there)
        found += [Difference(of, line.replace(" there, ", " and ").removesuffix(" asked for")) for line in lines]
    counts = [sum(map(len, folder.done())) for folder in folders]
    if counts[0] != counts[1]:
        found.append(Difference("models", f"{counts[0]} and {counts[1]} are stored"))
    shared = min(counts)
    if shared and found_contiguous(folders, shared):
        hashes = [_hashes(folder, shared) for folder in folders]
        if hashes[0].keys() == hashes[1].keys():
            apart = [model for model, value in hashes[0].items() if hashes[1][model] != value]
            if apart:
                some = ", ".join(map(str, apart[:8]))
                found.append(Difference("signals", f"{len(apart)} of {shared} models differ ({some}, ...)"))
    return found


def found_contiguous(folders: list[RunFolder], shared: int) -> bool:
    """Whether all folders hold the first ``shared`` models."""
    return all(not folder.missing(range(shared), shared) for folder in folders)


def _hashes(folder: RunFolder, shared: int) -> dict[int, str]:
    return {
        model: array_hash(row)
        for models, part in folder.parts("signals", shared)
        for model, row in zip(models, part, strict=True)
    }
