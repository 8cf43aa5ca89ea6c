"""What a finished study left that the audit report speaks of: read once, checked, and typed from here on."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from miajax.errors import UserError
from miajax.metrics.claims import Lead, lead_of
from miajax.metrics.most_exposed import Exposed, most_exposed
from miajax.report import numbers
from miajax.report.numbers import Estimate
from miajax.runs.atomic import hash_of, read_json
from miajax.runs.folder import RunFolder
from miajax.runs.tables import read_table
from miajax.studies.found import found_results, fullest

Json = Mapping[str, Any]
Kind = Literal["run", "import", "target"]
_OF_CELLS = ("prediction",)  # groups of answers, not of records
_BLOCK = 1 << 24  # cells of signals that are averaged at a time


@dataclasses.dataclass(frozen=True)
class AttackFound:
    """One attack's figures.

    Attributes:
      name: of the attack.
      auc: with its own 95 % interval.
      tprs: the TPR by false-positive rate as results name it; without a value where it is not resolved.
    """

    name: str
    auc: Estimate
    tprs: Mapping[str, Estimate]


@dataclasses.dataclass(frozen=True)
class GroupFound:
    """The leading attack within one group of the records.

    Attributes:
      by: what groups them, such as ``class``.
      name: of the group.
      auc: with its own 95 % interval; without a value where it has none.
      num_members: scores of members behind it.
    """

    by: str
    name: str
    auc: Estimate
    num_members: int


@dataclasses.dataclass(frozen=True)
class FileFound:
    """A file that the report rests on: its path within the folder, the study that wrote it, and its SHA-256."""

    name: str
    study: str
    sha256: str


@dataclasses.dataclass(frozen=True)
class BoundFound:
    """A lower bound on epsilon by an empirical audit of the same run: its name, the bound, its confidence."""

    name: str
    epsilon: float | None
    confidence: float


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """Scores to draw a curve from: ``scores`` and ``member``, of any one shape; NaN where an attack gives none."""

    scores: Float[np.ndarray, "..."]
    member: Bool[np.ndarray, "..."]


@dataclasses.dataclass(frozen=True, eq=False)
class Evidence:
    """All that the report rests on.

    Attributes:
      path: the folder that was named.
      kind: ``run``: models trained here; ``import``: models trained elsewhere, by their signals; ``target``: one model
        trained elsewhere, attacked with a run's models.
      results: ``results.json`` of the study that ran the most attacks.
      attacks: that ran, strongest first by the lower end of the interval that ranks them.
      groups: the leading attack by group; none where no study looked.
      exposed: the records that leak most, measured on models that did not choose them.
      not_exposed: why there are none.
      scored: scores of the leading attack and of one threshold for all, by attack.
      files: that the report rests on.
      bounds: lower bounds on epsilon; none where ``miajax audit`` did not run.
      config, manifest: of the run folder; empty elsewhere.
    """

    path: Path
    kind: Kind
    results: Json
    attacks: tuple[AttackFound, ...]
    groups: tuple[GroupFound, ...]
    exposed: tuple[Exposed, ...]
    not_exposed: str
    scored: Mapping[str, Scored]
    files: tuple[FileFound, ...]
    bounds: tuple[BoundFound, ...]
    config: Json
    manifest: Json

    @property
    def lead(self) -> Lead | None:
        """``strongest`` of the results."""
        return lead_of(self.results)

    @property
    def privacy(self) -> Json | None:
        """The guarantee of private training, where there is one."""
        return self.results.get("privacy")

    @property
    def unit(self) -> str:
        """What was drawn as a member: a record, or a group of them."""
        return str(self.results.get("unit") or "record")

    @property
    def num_models(self) -> int:
        """Models that were attacked."""
        return 1 if self.kind == "target" or self.results["target"] is not None else int(self.results["num_valid"])


def read_evidence(path: Path, worst: int) -> Evidence:
    """A finished run, an import or an audited target.

    Args:
      path: its folder.
      worst: how many of the most exposed records to list.

    Raises:
      UserError: it is none of them, or a file in it is damaged or of another version.
    """
    found = found_results(path)
    results = fullest(found)
    kind: Kind = "target" if "shadows" in results else "import" if (path / "source.json").is_file() else "run"
    manifest: Json = {}
    config: Json = {}
    if kind == "run":
        if not (path / "manifest.json").is_file():
            raise UserError(
                f"{path} holds a study without its run", expected="a run folder, an import or an audited target"
            )
        manifest, config = RunFolder.open(path).manifest, read_json(path / "config.json")
    exposed, why = _exposed(path, kind, results, worst)
    attacks = _attacks(results)
    return Evidence(
        path, kind, results, attacks, _groups(results), exposed, why, _scored(path, kind, results, attacks),
        _files(path, found), _bounds(path), config, manifest,
    )  # fmt: skip


def _attacks(results: Json) -> tuple[AttackFound, ...]:
    lead = lead_of(results)
    ranked = {} if lead is None else {name: -of.interval[0] for name, of in lead.intervals.items()}
    found = [
        AttackFound(
            name,
            numbers.estimate(entry["auc"], entry["auc_ci"], decimals=3),
            {
                fpr: numbers.estimate(
                    value, entry["tpr_at_fpr_ci"][fpr], "Too few non-members to show this false-positive rate."
                )
                for fpr, value in entry["tpr_at_fpr"].items()
            },
        )
        for name, entry in results["attacks"].items()
        if entry
    ]
    return tuple(sorted(found, key=lambda each: (ranked.get(each.name, 1.0), -(each.auc.value or 0.0))))


def _groups(results: Json) -> tuple[GroupFound, ...]:
    if results["strongest"] is None:
        return ()
    slices: Json = results["attacks"][results["strongest"]["attack"]].get("slices") or {}
    return tuple(
        GroupFound(by, name, numbers.estimate(of["auc"], of["auc_ci"], decimals=3), int(of["num_members"]))
        for by, groups in slices.items()
        if by not in _OF_CELLS
        for name, of in groups.items()
        if of is not None
    )


def _exposed(path: Path, kind: Kind, results: Json, worst: int) -> tuple[tuple[Exposed, ...], str]:
    """The most exposed records, or why there are none."""
    if kind == "target":
        return (), (
            "One model was trained once: how often a record would be named takes several trainings with it and without "
            "it. The report on the run of shadow models can say it of the recipe."
        )
    signals, member = path / "signals.npy", path / "membership.npy"
    if not (signals.is_file() and member.is_file()):
        return (), "The folder holds no signals of its models."
    phi = _mean_over_queries(np.load(signals, mmap_mode="r", allow_pickle=False))
    is_member = np.load(member, allow_pickle=False)
    if phi.shape != is_member.shape:
        return (), "Signals and membership of the folder are not of the same models."
    valid = np.isfinite(phi).all(1) & ~np.isin(np.arange(len(phi)), results["failed_models"])
    found = most_exposed(phi, is_member, valid, worst)
    return tuple(found), "" if found else "It takes 2 models with and 2 without a record in each half of the models."


def _mean_over_queries(signals: np.ndarray) -> np.ndarray:
    step = max(1, _BLOCK // max(1, signals[0].size))
    blocks = [np.asarray(signals[i : i + step], np.float64).mean(2) for i in range(0, len(signals), step)]
    return np.concatenate(blocks)


def _scored(path: Path, kind: Kind, results: Json, attacks: tuple[AttackFound, ...]) -> dict[str, Scored]:
    """Scores of the leading attack and of the plain threshold, as far as the folder holds them."""
    wanted = [each.name for each in attacks[:1]] + ["global_threshold"]
    if kind == "target":
        table = read_table(path / "per_example.parquet")
        member = np.asarray(table["member"], bool)
        return {name: Scored(table[f"score_{name}"], member) for name in wanted if f"score_{name}" in table}
    member = np.load(path / "membership.npy", allow_pickle=False)
    rows = [results["target"]] if results["target"] is not None else np.arange(len(member))
    rows = np.setdiff1d(rows, results["failed_models"])
    found: dict[str, Scored] = {}
    for name in wanted:
        file = path / "scores" / f"{name}.npy"
        if file.is_file() and (scores := np.load(file, mmap_mode="r", allow_pickle=False)).shape == member.shape:
            found[name] = Scored(np.asarray(scores[rows]), member[rows])
    return found


def _files(path: Path, found: Mapping[Path, Json]) -> tuple[FileFound, ...]:
    there = [(file, str(results.get("study") or "not named")) for file, results in found.items()]
    audit = path / "audit" / "results.json"
    there += [(audit, "audit")] if audit.is_file() else []
    made_by = {"manifest.json": "the run", "membership.npy": "the run", "per_example.parquet": "records"}
    there += [(path / name, what) for name, what in made_by.items() if (path / name).is_file()]
    return tuple(FileFound(str(file.relative_to(path)), study, hash_of(file)) for file, study in there)


def _bounds(path: Path) -> tuple[BoundFound, ...]:
    """Of ``miajax audit`` of the same run."""
    file = path / "audit" / "results.json"
    bounds: Json = read_json(file)["bounds"] if file.is_file() else {}
    return tuple(
        BoundFound(name, bound["epsilon_lower"], float(bound["confidence"])) for name, bound in bounds.items() if bound
    )
