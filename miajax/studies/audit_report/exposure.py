"""Who is most exposed, and the scores behind curves: what the arrays and tables of a folder say of single records."""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from miajax.array_files import load_npy
from miajax.metrics.groups import joined, of_groups
from miajax.metrics.intervals import CONFIDENCE
from miajax.metrics.most_exposed import Shares, most_exposed, shares_of
from miajax.runs.group_names import read_groups
from miajax.runs.tables import read_table
from miajax.studies.attacked.groups import FILE as GROUPS_TABLE
from miajax.studies.audit_report.found import AttackFound, Kind, Named, Scored, lead_of
from miajax.typed import Json

_BLOCK = 1 << 24  # cells of signals that are averaged at a time


def exposed_in(path: Path, kind: Kind, results: Json, worst: int) -> tuple[tuple[Named, ...], str]:
    """The most exposed records, or people where members are drawn by them, or why there are none."""
    if kind == "target":
        unit = str(results["groups"]["name"]) if results.get("groups") else "record"
        return (), (
            f"One model was trained once: how often a {unit} would be named takes several trainings with it and "
            "without it. The report on the run of shadow models can say it of the recipe."
        )
    if results.get("groups"):
        return _people(path, results, worst)
    signals, member = path / "signals.npy", path / "membership.npy"
    if not (signals.is_file() and member.is_file()):
        return (), "The folder holds no signals of its models."
    phi = _mean_over_queries(load_npy(signals))
    is_member = np.asarray(load_npy(member))
    if phi.shape != is_member.shape:
        return (), "Signals and membership of the folder are not of the same models."
    valid = np.isfinite(phi).all(1) & ~np.isin(np.arange(len(phi)), results["failed_models"])
    counts = [field.name for field in dataclasses.fields(Shares)]
    found = [
        Named(name=str(one.record), **{name: getattr(one, name) for name in counts})
        for one in most_exposed(phi, is_member, valid, worst)
    ]
    return tuple(found), "" if found else "It takes 2 models with and 2 without a record in each half of the models."


def _people(path: Path, results: Json, worst: int) -> tuple[tuple[Named, ...], str]:
    """The people that the leading attack tells best, of all of them; every interval at 1 - .05 / (2 G)."""
    file, lead = path / GROUPS_TABLE, lead_of(results)
    if lead is None or not file.is_file():
        return (), "No attack could be measured by group." if lead is None else f"The folder holds no {GROUPS_TABLE}."
    table = read_table(file)
    shares = [np.asarray(table[f"{what}_{lead.attack}"], np.float64) for what in ("vulnerability", "fpr")]
    counts = [np.asarray(table[name], np.int64) for name in ("n_in", "n_out")]
    known = np.flatnonzero(np.isfinite(shares[0]) & np.isfinite(shares[1]) & (counts[0] > 0) & (counts[1] > 0))
    confidence = 1 - (1 - CONFIDENCE) / max(1, 2 * len(known))
    found: list[Named] = []
    for group in known:
        (inside, num_in), (outside, num_out) = (
            (round(float(share[group] * count[group])), int(count[group]))
            for share, count in zip(shares, counts, strict=True)
        )
        counted = shares_of(inside, num_in, outside, num_out, confidence)
        found.append(Named(name=str(table["key"][group]), **vars(counted)))
    found.sort(key=lambda one: one.named_out_ci[1] - one.named_in_ci[0])
    return tuple(found[:worst]), "" if found else "No group has models on both sides."


def _mean_over_queries(signals: Float[np.ndarray, "models examples queries"]) -> Float[np.ndarray, "models examples"]:
    step = max(1, _BLOCK // max(1, signals[0].size))
    blocks = [np.asarray(signals[i : i + step], np.float64).mean(2) for i in range(0, len(signals), step)]
    return np.concatenate(blocks)


def scored_in(path: Path, kind: Kind, results: Json, attacks: tuple[AttackFound, ...]) -> dict[str, Scored]:
    """Scores of the leading attack and of the plain threshold, by group where members are drawn by it."""
    wanted = [each.name for each in attacks[:1]] + ["global_threshold"]
    if kind == "target":
        table = read_table(path / (GROUPS_TABLE if results.get("groups") else "per_example.parquet"))
        of_target = np.asarray(table["member"], bool)
        return {name: Scored(table[f"score_{name}"], of_target) for name in wanted if f"score_{name}" in table}
    member: Bool[np.ndarray, "models examples"] = np.asarray(load_npy(path / "membership.npy"))
    rows = [results["target"]] if results["target"] is not None else np.arange(len(member))
    rows = np.setdiff1d(rows, results["failed_models"])
    groups = read_groups(path, member.shape[1]) if results.get("groups") else None
    found: dict[str, Scored] = {}
    for name in wanted:
        file = path / "scores" / f"{name}.npy"
        if not file.is_file() or (scores := load_npy(file)).shape != member.shape:
            continue
        own = np.asarray(scores[rows])
        if groups is None:
            found[name] = Scored(own, member[rows])
        elif name in results["groups"]["joins"]:
            together = joined(own, groups, results["groups"]["joins"][name])
            found[name] = Scored(together, of_groups(member, groups)[rows])
    return found
