"""What studies of attacks say of groups of rows, such as people: figures, who is exposed, who comes under two keys."""

import concurrent.futures
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from miajax.attacks.registry import ATTACKS
from miajax.campaign.run import Campaign
from miajax.data.groups import alike_keys
from miajax.metrics.claims import Lead, strongest
from miajax.metrics.figures import Figure
from miajax.metrics.groups import Join, figures_per_group, joined, leading_join, of_groups
from miajax.metrics.intervals import CONFIDENCE, clopper_pearson
from miajax.metrics.people import AlikeKeys, MostExposed, People
from miajax.metrics.spread import FEW
from miajax.metrics.summary import FPRS, AttackSummary
from miajax.metrics.vulnerability import Exposure, empirical_auc, exposure_at_pooled_fpr
from miajax.runs.derived import remember
from miajax.runs.group_names import group_names
from miajax.runs.tables import write_table
from miajax.studies.near_groups import near_groups
from miajax.training.devices import usable_cores

EXPOSURE_FPR = 0.01  # pooled false-positive rate at which single groups are called exposed, as single examples are
FILE = "per_group.parquet"
ALIKE_SHOWN = 20  # pairs of keys
DIVIDED = (
    "Models trained on some rows of a group and not on others: no group is a member, so that figures are by row. Their "
    "intervals resample groups."
)

Scores = Mapping[str, Float[np.ndarray, "models examples"]]


def join_of(attack: str) -> Join:
    """How the scores of a group's rows are joined for the figures that speak for the attack."""
    return leading_join(attack in ATTACKS and ATTACKS[attack].log_likelihood_ratio)


def with_groups(
    figures: Mapping[str, AttackSummary],
    scores: Scores,
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
    groups: Int[np.ndarray, " examples"] | None,
    targets: Sequence[int] | None = None,
    each_target: bool = True,
    fprs: Sequence[float] = FPRS,
) -> dict[str, AttackSummary]:
    """Every attack's figures with those per group beside them; as they are without groups."""
    if groups is None:
        return dict(figures)

    def beside(name: str) -> AttackSummary:
        leads = join_of(name)
        settings = {"targets": targets, "each_target": each_target, "fprs": fprs}
        found = figures_per_group(scores[name], member, valid, groups, leads, **settings)
        return dataclasses.replace(figures[name], per_group=found)

    with concurrent.futures.ThreadPoolExecutor(usable_cores()) as pool:
        return dict(zip(figures, pool.map(beside, figures), strict=True))


@dataclasses.dataclass(frozen=True, eq=False)
class Grouping:
    """Which rows belong together, and what may be said of it.

    Attributes:
      of_row: ``int[N]``, the group of each row, 0..G-1.
      name: what groups them, such as ``patient``.
      names: ``str[G]``, of each group.
      keys: whether the names are the client's own keys, hashes of them, or the numbers in ``of_row``.
      features: of the rows, ``[N, ...]``; None where only signals are known.
      alike: keys that may be of one.
    """

    of_row: Int[np.ndarray, " examples"]
    name: str
    names: np.ndarray
    keys: Literal["own", "salted hashes", "numbers"]
    features: Num[np.ndarray, "examples *row"] | None = None
    alike: AlikeKeys = dataclasses.field(default_factory=AlikeKeys)

    @classmethod
    def of(cls, campaign: Campaign) -> "Grouping | None":
        """That of a campaign's rows; None where they have none."""
        dataset, keep = campaign.setup.dataset, campaign.setup.config.data.keep_keys
        if dataset.groups is None:
            return None
        names = group_names(dataset.group_keys, campaign.folder.path, keep)
        pairs = [(str(names[one]), str(names[other])) for one, other in alike_keys(dataset.group_keys)]
        alike = AlikeKeys(len(pairs), tuple(pairs[:ALIKE_SHOWN]))
        kind = "own" if keep else "salted hashes"
        return cls(dataset.groups, dataset.group_name, names, kind, dataset.features, alike)

    def among(self, rows: Int[np.ndarray, " kept"]) -> "Grouping":
        """Of some rows only."""
        present, of_row = np.unique(self.of_row[rows], return_inverse=True)
        features = None if self.features is None else self.features[rows]
        return dataclasses.replace(self, of_row=of_row.reshape(-1), names=self.names[present], features=features)

    def people(self, attacks: Iterable[str], lead: Lead | None, exposed: MostExposed | None) -> People:
        """What results say of the groups.

        Args:
          attacks: that ran.
          lead: the strongest of them by group.
          exposed: the most exposed group; None where it was not measured.
        """
        sizes, features = np.bincount(self.of_row), self.features
        return People(
            name=self.name,
            num_groups=len(sizes),
            fewest_rows=int(sizes.min()),
            most_rows=int(sizes.max()),
            mean_rows=float(sizes.mean()),
            single_row=int((sizes == 1).sum()),
            keys=self.keys,
            joins={name: join_of(name) for name in attacks},
            strongest=lead,
            most_exposed=exposed,
            near_copies=None if features is None else near_groups(features, self.of_row, [str(n) for n in self.names]),
            alike_keys=self.alike,
        )

    def table(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """``per_group.parquet``: names and numbers of rows before other columns ``[G]``."""
        sizes = np.bincount(self.of_row).astype(np.int32)
        whole = {"key": self.names, "rows": sizes, **columns}
        if self.keys != "salted hashes":
            return whole
        order = np.argsort(self.names)  # groups are numbered by key: their order would tell its rank
        return {name: column[order] for name, column in whole.items()}


@dataclasses.dataclass(frozen=True, eq=False)
class GroupStudy:
    """What a run says of its groups.

    Attributes:
      people: in ``results.json`` by the name ``groups``.
      columns: of ``per_group.parquet``.
      notes: what readers should know.
    """

    people: People
    columns: dict[str, np.ndarray]
    notes: list[str]

    def store(self, folder: Path) -> None:
        """Writes ``per_group.parquet`` into the run folder."""
        write_table(folder / FILE, self.columns)
        remember(folder, folder / FILE)


def group_study(campaign: Campaign, scores: Scores, targets: Sequence[int] | None = None) -> GroupStudy | None:
    """All that is said of a campaign's groups; None where rows have none.

    Args:
      campaign: the models.
      scores: of every attack that ran.
      targets: models that are attacked; all that are valid by default.
    """
    grouping = Grouping.of(campaign)
    if grouping is None:
        return None
    return study_of(grouping, scores, campaign.signals, campaign.member, campaign.valid, targets)


def study_of(
    grouping: Grouping,
    scores: Scores,
    signals: Float[np.ndarray, "models examples queries"],
    member: Bool[np.ndarray, "models examples"],
    valid: Bool[np.ndarray, " models"],
    targets: Sequence[int] | None = None,
) -> GroupStudy:
    """All that is said of the groups of any models, each of them a target.

    Args:
      grouping: of their rows.
      scores: of every attack that ran.
      signals: scaled logits.
      member: who trained on what; a group's rows are members together.
      valid: models that count.
      targets: models that are attacked; all that are valid by default.
    """
    groups = grouping.of_row
    whole = of_groups(member, groups)
    leading = {name: joined(array, groups, join_of(name)) for name, array in scores.items()}
    exposed = {name: exposure_at_pooled_fpr(array, whole, valid, EXPOSURE_FPR) for name, array in leading.items()}
    lead = strongest(leading, whole, valid if targets is None else valid & np.isin(np.arange(len(member)), targets))
    worst = None if lead is None else _most_exposed(lead.attack, exposed[lead.attack], grouping.names)
    people = grouping.people(scores, lead, worst)
    phi = np.where(valid[:, None], signals.mean(-1), np.nan)
    is_in, is_out = whole & valid[:, None], ~whole & valid[:, None]
    columns = {
        "n_in": is_in.sum(0).astype(np.int32),
        "n_out": is_out.sum(0).astype(np.int32),
        "auc": empirical_auc(joined(phi, groups, "mean"), whole, valid),
    }
    for name, array in leading.items():
        columns[f"score_in_{name}"], columns[f"score_out_{name}"] = (_mean(array, side) for side in (is_in, is_out))
        columns[f"vulnerability_{name}"], columns[f"fpr_{name}"] = exposed[name].tpr, exposed[name].fpr
    return GroupStudy(people, grouping.table(columns), _notes(people))


def study_of_one(
    grouping: Grouping, scores: Mapping[str, Float[np.ndarray, " examples"]], member: Bool[np.ndarray, " examples"]
) -> GroupStudy:
    """What is said of the groups of one model, trained once: how often one would be named cannot be counted.

    Args:
      grouping: of its rows.
      scores: of every attack that ran.
      member: rows that it was trained on; a group's rows are members together.
    """
    groups = grouping.of_row
    whole = of_groups(member[None], groups)
    leading = {name: joined(own[None], groups, join_of(name)) for name, own in scores.items()}
    people = grouping.people(scores, strongest(leading, whole, np.ones(1, bool)), None)
    columns = {"member": whole[0]} | {f"score_{name}": array[0] for name, array in leading.items()}
    return GroupStudy(people, grouping.table(columns), _notes(people))


def _most_exposed(attack: str, exposure: Exposure, names: np.ndarray) -> MostExposed | None:
    """The group that the attack names in the largest share of the models that trained on it.

    Its interval is that of Clopper and Pearson at the confidence 1 - .05 / G, since it was chosen among all G groups.
    """
    known = np.flatnonzero(np.isfinite(exposure.tpr))
    if not len(known):
        return None
    first = known[np.lexsort((-exposure.num_in[known], -exposure.tpr[known]))[0]]
    models, tpr = int(exposure.num_in[first]), float(exposure.tpr[first])
    low, high = clopper_pearson(round(tpr * models), models, 1 - (1 - CONFIDENCE) / len(known))
    shares = exposure.tpr[known]
    return MostExposed(
        group=str(names[first]),
        attack=attack,
        pooled_fpr=EXPOSURE_FPR,
        tpr=Figure(tpr, (low, high)),
        models=models,
        median_tpr=float(np.median(shares)),
        named_in_half=int((shares >= 0.5).sum()),
        num_groups=len(known),
    )


def _mean(scores: np.ndarray, side: np.ndarray) -> np.ndarray:
    side = side & np.isfinite(scores)
    counts = side.sum(0)
    return np.where(counts > 0, np.where(side, scores, 0.0).sum(0) / np.maximum(counts, 1), np.nan)


def _alike(people: People) -> list[str]:
    alike = people.alike_keys
    if not alike.count:
        return []
    listed = ", ".join(f"{one} and {other}" for one, other in alike.pairs[:5])
    return [
        f"{alike.count} {'pair' if alike.count == 1 else 'pairs'} by {people.name} have keys that differ in blanks, "
        f"case, zeros in front or the encoding of letters only: {listed}{' and more' if alike.count > 5 else ''}. "
        "If they are one person, give them one key: members are drawn by key."
    ]


def few_groups(people: People) -> list[str]:
    """A warning where few groups stand behind figures; data sets give it of themselves."""
    if people.num_groups >= FEW:
        return []
    return [
        f"Only {people.num_groups} groups by {people.name} stand behind every figure: intervals that resample groups "
        "may be too narrow, and no comparison should rest on them."
    ]


def _notes(people: People) -> list[str]:
    notes = _alike(people)
    copies = people.near_copies
    if copies is not None and copies.count:
        listed = ", ".join(f"{one} and {other} ({near} of {of} rows)" for one, other, near, of in copies.pairs[:5])
        notes.append(
            f"{copies.count} {'pair' if copies.count == 1 else 'pairs'} by {people.name} nearly copy each other under "
            f"different keys: {listed}"
            f"{' and more' if copies.count > 5 else ''}. If they are one person, give them one key: a member whose "
            "copy is a non-member makes every figure too low."
        )
    return notes
