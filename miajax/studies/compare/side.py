"""One of two runs to compare, as its folder holds it, and whether two of them can be compared at all."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from miajax.array_files import load_npy
from miajax.errors import UserError
from miajax.metrics.groups import Join, joined, of_groups, undivided
from miajax.metrics.json_form import from_json
from miajax.runs.atomic import read_json
from miajax.runs.folder import RunFolder, differences
from miajax.runs.group_names import GROUPS_FILE, read_groups
from miajax.studies.compare.results import Setting
from miajax.studies.found import reading_results
from miajax.studies.results import Record
from miajax.typed import Json


@dataclasses.dataclass(frozen=True)
class Stored:
    """What a comparison reads of a run's ``results.json``."""

    dataset: str
    model: str
    privacy: Record | None = None
    lira_mode: str = "default"


@dataclasses.dataclass(frozen=True, eq=False)
class Side:
    """A finished run or import.

    Attributes:
      path: its folder.
      member: ``bool[M, N]``.
      valid: ``bool[M]``.
      correct: ``bool[M, N]``, or None where it was not kept.
      labels: ``int[N]``, or None.
      identity: what its models depend on; empty for an import.
      scores: ``{attack: file}`` of scores of all M models.
      results: its ``results.json``.
      manifest: of a run folder; empty for an import.
      notes: what was left out.
      groups: ``int32[N]``, whose row each is, or None; intervals resample them.
      by_group: whether members were drawn by group.
    """

    path: Path
    member: Bool[np.ndarray, "models examples"]
    valid: Bool[np.ndarray, " models"]
    correct: Bool[np.ndarray, "models examples"] | None
    labels: Int[np.ndarray, " examples"] | None
    identity: Json
    scores: Mapping[str, Path]
    results: Stored
    manifest: Json
    notes: tuple[str, ...]
    groups: Int[np.ndarray, " examples"] | None = None
    by_group: bool = False

    def score(self, attack: str) -> np.ndarray:
        """``float32[M, N]``, higher = more likely a member."""
        return load_npy(self.scores[attack])

    def of_groups(self, attack: str, join: Join) -> tuple[np.ndarray, np.ndarray]:
        """``(float64[M, G], bool[M, G])``: scores of groups, and which model trained on which."""
        assert self.groups is not None, "members were drawn by group"
        return joined(self.score(attack), self.groups, join), of_groups(self.member, self.groups)


def read_side(path: Path) -> Side:
    """A finished run, or signals that were imported.

    Raises:
      UserError: it is neither, or not finished, or nothing was attacked there.
    """
    results = _results(path)
    member = _array(path / "membership.npy")
    if member.ndim != 2 or member.dtype != bool:
        raise UserError(f"{path / 'membership.npy'} holds {member.dtype}{list(member.shape)}", expected="bool[M, N]")
    if (path / "source.json").is_file():
        identity: dict[str, Any] = {}
        manifest: dict[str, Any] = {}
        correct = None
        valid = np.asarray(np.isfinite(_array(path / "signals.npy")).all((1, 2)))
    else:
        folder = RunFolder.open(path)
        manifest, identity = folder.manifest, folder.manifest["identity"]
        done = sum(len(models) for models in folder.done())
        if done < len(member):
            raise UserError(f"{path} has {done} of {len(member)} models", expected="a finished run")
        valid, correct = (folder.gather(kind, len(member)) for kind in ("valid", "correct"))
    labels = _array(path / "labels.npy") if (path / "labels.npy").is_file() else None
    files = {file.stem: file for file in sorted((path / "scores").glob("*.npy"))}
    whole = {name: load_npy(file).shape == member.shape for name, file in files.items()}
    stale = [name for name, of_all in whole.items() if not of_all]
    notes = (
        f"Scores in {path.name} of {', '.join(stale)} are not of all its {len(member)} models and are left out; "
        f"miajax attacks scores them again.",
    ) if stale else ()  # fmt: skip
    scores = {name: file for name, file in files.items() if whole[name]}
    if not scores:
        raise UserError(
            f"{path} holds no attack's scores of its {len(member)} models", remedy=f"Run miajax attacks --run {path}"
        )
    groups = read_groups(path, member.shape[1]) if (path / GROUPS_FILE).is_file() else None
    by_group = groups is not None and undivided(member, groups)  # models of an import may divide groups
    return Side(path, member, valid, correct, labels, identity, scores, results, manifest, notes, groups, by_group)


def _results(path: Path) -> Stored:
    for file in (path / "attacks" / "results.json", path / "results.json"):
        if file.is_file():
            read = read_json(file)
            with reading_results(file):
                return from_json(Stored, read)
    raise UserError(
        f"{path} holds no results.json",
        expected="a finished run that was attacked",
        remedy="miajax lira or miajax attacks writes one",
    )


def _array(file: Path) -> np.ndarray:
    return np.array(load_npy(file))


def check_comparable(before: Side, after: Side, encoded_otherwise: bool = False) -> list[str]:
    """Whether both are about the same records in the same order, as far as their folders can tell.

    Args:
      before, after: the runs.
      encoded_otherwise: the user says that the records are the same where features were encoded otherwise.

    Returns:
      Notes on what could not be told.

    Raises:
      UserError: they are not; what differs is named.
    """
    pair = f"{before.path} and {after.path} cannot be compared"
    pools = [side.member.shape[1] for side in (before, after)]
    if pools[0] != pools[1]:
        raise UserError(f"{pair}: their pools hold {pools[0]} and {pools[1]} examples", expected="the same data")
    known = before.labels is not None and after.labels is not None
    if known and (other := int((before.labels != after.labels).sum())):
        raise UserError(f"{pair}: {other} of {pools[0]} labels differ", expected="the same data in the same order")
    drawn = ["by group" if side.by_group else "by row" for side in (before, after)]
    if drawn[0] != drawn[1]:
        raise UserError(
            f"{pair}: members were drawn {drawn[0]} before and {drawn[1]} after",
            expected="the same unit in both",
            remedy="Their figures answer different questions; run one of them again, with or without --group_column",
        )
    if before.groups is not None and after.groups is not None and (before.groups != after.groups).any():
        raise UserError(
            f"{pair}: rows have other groups before than after",
            expected="the same groups in both",
            remedy="Run one of them again with the other's --group_column",
        )
    hashes = [str(side.identity.get("content_hash") or "") for side in (before, after)]
    if all(hashes) and hashes[0] != hashes[1]:
        if not encoded_otherwise:
            raise UserError(
                f"{pair}: the content of their data differs (SHA-256 {hashes[0][:12]} and {hashes[1][:12]})",
                expected="the same data",
                remedy="Where only the encoding of the same records differs, add --encoded_otherwise",
            )
        return ["The features of the two runs differ; that they are the same records, encoded otherwise, was declared."]
    if all(hashes):
        return []
    same_members = before.member.shape == after.member.shape and bool((before.member == after.member).all())
    if not known and not same_members:
        raise UserError(
            f"{pair}: without labels on both sides nothing shows that they hold the same data",
            expected="labels in both, or the same membership",
            remedy="Import with --labels",
        )
    by = "labels" if known else "memberships"
    return [f"An import holds no features: that both runs are about the same records is judged by their {by} alone."]


def _spread(identity: Json) -> dict[str, Any]:
    """The identity with its list of mechanisms by name, so that their settings are compared one by one."""
    mechanisms: list[Json] = identity.get("privacy") or []
    by_place = {str(place): of for place, of in enumerate(mechanisms)} if len(mechanisms) > 1 else {}
    return {**identity, "privacy": by_place or dict(mechanisms[0] if mechanisms else {})}


def settings_that_differ(before: Side, after: Side) -> tuple[Setting, ...]:
    """What the two runs' models were made otherwise by."""
    found: list[Setting] = []
    for line in differences(_spread(before.identity), _spread(after.identity)):
        name, _, values = line.partition(": ")
        one, _, other = values.partition(" there, ")
        found.append(Setting(name, one, other.removesuffix(" asked for")))
    counts = [str(len(side.member)) for side in (before, after)]
    if counts[0] != counts[1]:
        found.append(Setting("num_shadows", *counts))
    return tuple(found)
