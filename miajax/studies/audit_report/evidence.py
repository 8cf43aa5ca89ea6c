"""What a finished study left that the audit report speaks of: read once, checked, and typed from here on."""

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path

from miajax.errors import UserError
from miajax.metrics.claims import Lead
from miajax.metrics.json_form import from_json
from miajax.metrics.people import People
from miajax.metrics.spread import Spread
from miajax.metrics.summary import AttackSummary
from miajax.report import numbers
from miajax.runs.atomic import hash_of, read_json, read_sealed
from miajax.runs.folder import RunFolder
from miajax.studies.audit_report.exposure import exposed_in, scored_in
from miajax.studies.audit_report.found import (
    AttackFound,
    BoundFound,
    FileFound,
    Json,
    Kind,
    Named,
    Scored,
    SliceFound,
    lead_of,
)
from miajax.studies.found import found_results, fullest, named, reading_results

_OF_CELLS = ("prediction",)  # slices of answers, not of records


@dataclasses.dataclass(frozen=True, eq=False)
class Evidence:
    """All that the report rests on.

    Attributes:
      path: the folder that was named.
      kind: ``run``: models trained here; ``import``: models trained elsewhere, by their signals; ``target``: one model
        trained elsewhere, attacked with a run's models.
      file: ``results.json`` of the study that ran the most attacks.
      results: what it holds; whoever reads it does so within ``reading_results(file)``.
      attacks: that ran, strongest first by the lower end of the interval that ranks them.
      slices: the leading attack by slice, by record; none where no study looked.
      exposed: the records or people that leak most.
      not_exposed: why there are none.
      scored: scores of the leading attack and of one threshold for all, by attack.
      files: that the report rests on.
      bounds: lower bounds on epsilon; none where ``miajax audit`` did not run.
      config, manifest: of the run folder; empty elsewhere.
    """

    path: Path
    kind: Kind
    file: Path
    results: Json
    attacks: tuple[AttackFound, ...]
    slices: tuple[SliceFound, ...]
    exposed: tuple[Named, ...]
    not_exposed: str
    scored: Mapping[str, Scored]
    files: tuple[FileFound, ...]
    bounds: tuple[BoundFound, ...]
    config: Json
    manifest: Json

    @property
    def lead(self) -> Lead | None:
        """The strongest attack by the unit that members are drawn by."""
        return lead_of(self.results)

    @functools.cached_property
    def people(self) -> People | None:
        """The groups, where members are drawn by them."""
        return from_json(People, self.results["groups"]) if self.by_group else None

    @functools.cached_property
    def summaries(self) -> dict[str, AttackSummary]:
        """Every attack's figures of merit."""
        return {name: AttackSummary.from_json(entry) for name, entry in self.results["attacks"].items()}

    @functools.cached_property
    def spread(self) -> Spread | None:
        """How the largest leak is spread over slices, where they were asked for."""
        return from_json(Spread, self.results["spread"]) if self.results.get("spread") else None

    @property
    def privacy(self) -> Json | None:
        """The guarantee of private training, where there is one."""
        return self.results.get("privacy")

    @property
    def trained_by(self) -> str:
        """Who trained the audited model: ``miajax``, an ``estimator`` that it called, or somebody ``elsewhere``."""
        return self.shadows_by if self.kind == "run" else "elsewhere"

    @property
    def shadows_by(self) -> str:
        """Who trained its shadow models."""
        made: Json = self.results.get("made") or {}
        return "elsewhere" if self.kind == "import" else str(made.get("by") or "miajax")

    @property
    def privacy_known(self) -> bool:
        """Whether it is known if training was differentially private: miajax knows its own training alone."""
        return self.privacy is not None or self.trained_by == "miajax"

    @property
    def protected(self) -> str:
        """What the guarantee of private training is about: a record, or the group that members are drawn by."""
        return "record" if (self.privacy or {}).get("unit", "row") == "row" else self.unit

    @property
    def unit(self) -> str:
        """What was drawn as a member: a record, or what groups them, such as ``patient``."""
        return str(self.results["groups"]["name"]) if self.by_group else "record"

    @property
    def rows_by(self) -> str:
        """What rows are drawn by: the name of the groups, or ``row``."""
        return self.unit if self.by_group else "row"

    @property
    def by_group(self) -> bool:
        """Whether members are people, or other groups of records."""
        return bool(self.results.get("groups"))

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
        manifest, config = RunFolder.open(path).manifest, read_sealed(path / "config.json")
    file = named(found, results)
    with reading_results(file):
        exposed, why = exposed_in(path, kind, results, worst)
        attacks = _attacks(results)
        return Evidence(
            path, kind, file, results, attacks, _slices(results), exposed, why,
            scored_in(path, kind, results, attacks), _files(path, found), _bounds(path), config, manifest,
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
        for name, by_row in results["attacks"].items()
        if (entry := by_row and ((results.get("groups") and by_row.get("per_group")) or by_row))
    ]
    return tuple(sorted(found, key=lambda each: (ranked.get(each.name, 1.0), -(each.auc.value or 0.0))))


def _slices(results: Json) -> tuple[SliceFound, ...]:
    lead = lead_of(results)
    slices: Json = {} if lead is None else results["attacks"][lead.attack].get("slices") or {}
    return tuple(
        SliceFound(by, name, numbers.estimate(of["auc"], of["auc_ci"], decimals=3), int(of["num_members"]))
        for by, groups in slices.items()
        if by not in _OF_CELLS
        for name, of in groups.items()
        if of is not None
    )


def _files(path: Path, found: Mapping[Path, Json]) -> tuple[FileFound, ...]:
    there = [(file, str(results.get("study") or "not named")) for file, results in found.items()]
    audit = path / "audit" / "results.json"
    there += [(audit, "audit")] if audit.is_file() else []
    made_by = {
        "manifest.json": "the run",
        "membership.npy": "the run",
        "per_example.parquet": "records",
        "group_of_row.npy": "the run",
        "per_group.parquet": "groups of records",
    }
    there += [(path / name, what) for name, what in made_by.items() if (path / name).is_file()]
    return tuple(FileFound(str(file.relative_to(path)), study, hash_of(file)) for file, study in there)


def _bounds(path: Path) -> tuple[BoundFound, ...]:
    """Of ``miajax audit`` of the same run."""
    file = path / "audit" / "results.json"
    bounds: Json = read_json(file)["bounds"] if file.is_file() else {}
    return tuple(
        BoundFound(name, bound["epsilon_lower"], float(bound["confidence"])) for name, bound in bounds.items() if bound
    )
