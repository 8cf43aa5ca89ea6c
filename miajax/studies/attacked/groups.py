"""What studies of attacks say of groups of rows, such as people: figures, who is exposed, who comes under two keys."""

import concurrent.futures
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from miajax.attacks.registry import ATTACKS
from miajax.campaign.run import Campaign
from miajax.metrics.claims import strongest
from miajax.metrics.figures import Figure
from miajax.metrics.groups import Join, figures_per_group, joined, leading_join, of_groups
from miajax.metrics.intervals import CONFIDENCE, clopper_pearson
from miajax.metrics.people import MostExposed, People
from miajax.metrics.summary import FPRS, AttackSummary
from miajax.metrics.vulnerability import Exposure, empirical_auc, exposure_at_pooled_fpr
from miajax.runs.derived import remember
from miajax.runs.group_names import group_names
from miajax.runs.tables import write_table
from miajax.studies.near_groups import near_groups

EXPOSURE_FPR = 0.01  # pooled false-positive rate at which single groups are called exposed, as single examples are
FILE = "per_group.parquet"

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

    with concurrent.futures.ThreadPoolExecutor() as pool:
        return dict(zip(figures, pool.map(beside, figures), strict=True))


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
    dataset, member = campaign.setup.dataset, campaign.member
    groups = dataset.groups
    if groups is None:
        return None
    valid = campaign.valid if targets is None else campaign.valid & np.isin(np.arange(len(member)), targets)
    whole, sizes = of_groups(member, groups), np.bincount(groups)
    leading = {name: joined(array, groups, join_of(name)) for name, array in scores.items()}
    exposed = {
        name: exposure_at_pooled_fpr(array, whole, campaign.valid, EXPOSURE_FPR) for name, array in leading.items()
    }
    lead, keep_keys = strongest(leading, whole, valid), campaign.setup.config.data.keep_keys
    names = group_names(dataset.group_keys, campaign.folder.path, keep_keys)
    people = People(
        name=dataset.group_name,
        num_groups=len(sizes),
        fewest_rows=int(sizes.min()),
        most_rows=int(sizes.max()),
        mean_rows=float(sizes.mean()),
        single_row=int((sizes == 1).sum()),
        keys="own" if keep_keys else "salted hashes",
        joins={name: join_of(name) for name in scores},
        strongest=lead,
        most_exposed=None if lead is None else _most_exposed(lead.attack, exposed[lead.attack], names),
        near_copies=near_groups(dataset.features, groups, [str(name) for name in names]),
    )
    return GroupStudy(people, _columns(campaign, whole, leading, exposed, names, sizes), _notes(people))


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


def _columns(
    campaign: Campaign,
    whole: Bool[np.ndarray, "models groups"],
    leading: Scores,
    exposed: Mapping[str, Exposure],
    names: np.ndarray,
    sizes: np.ndarray,
) -> dict[str, np.ndarray]:
    groups = campaign.setup.dataset.groups
    assert groups is not None
    valid = campaign.valid
    phi = np.where(valid[:, None], campaign.signals.mean(-1), np.nan)
    is_in, is_out = whole & valid[:, None], ~whole & valid[:, None]
    columns = {
        "key": names,
        "rows": sizes.astype(np.int32),
        "n_in": is_in.sum(0).astype(np.int32),
        "n_out": is_out.sum(0).astype(np.int32),
        "auc": empirical_auc(joined(phi, groups, "mean"), whole, valid),
    }
    for name, array in leading.items():
        columns[f"score_in_{name}"], columns[f"score_out_{name}"] = (_mean(array, side) for side in (is_in, is_out))
        columns[f"vulnerability_{name}"], columns[f"fpr_{name}"] = exposed[name].tpr, exposed[name].fpr
    if campaign.setup.config.data.keep_keys:
        return columns
    order = np.argsort(names)  # groups are numbered by key: their order would tell its rank
    return {name: column[order] for name, column in columns.items()}


def _mean(scores: np.ndarray, side: np.ndarray) -> np.ndarray:
    side = side & np.isfinite(scores)
    counts = side.sum(0)
    return np.where(counts > 0, np.where(side, scores, 0.0).sum(0) / np.maximum(counts, 1), np.nan)


def _notes(people: People) -> list[str]:
    copies = people.near_copies
    if not copies.count:
        return []
    listed = ", ".join(f"{one} and {other} ({near} of {of} rows)" for one, other, near, of in copies.pairs[:5])
    return [
        f"{copies.count} {'pair' if copies.count == 1 else 'pairs'} by {people.name} nearly copy each other under "
        f"different keys: {listed}"
        f"{' and more' if copies.count > 5 else ''}. If they are one person, give them one key: a member whose copy "
        "is a non-member makes every figure too low."
    ]
