"""What studies of attacks share: figures, the head of the results, rows of examples, report inputs."""

import concurrent.futures
import contextlib
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Float

from miajax.attacks.registry import BASELINE, AttackReport
from miajax.campaign.gathered import Campaign
from miajax.campaign.made import made
from miajax.campaign.privacy import privacy_note, privacy_record
from miajax.data.dataset import Dataset
from miajax.data.pairs import complementary_partners, equal_counts
from miajax.errors import UserError
from miajax.metrics.accuracy import share_by_model
from miajax.metrics.claims import Lead, strongest
from miajax.metrics.json_form import from_json, to_json
from miajax.metrics.new_data import NewDataMeans, means_on_new_data, on_new_data
from miajax.metrics.paired import Influence
from miajax.metrics.roc import roc_curve, thin
from miajax.metrics.summary import AttackSummary, summarise
from miajax.metrics.vulnerability import Exposure, empirical_auc, exposure_at_pooled_fpr, gaussian_vulnerability
from miajax.metrics.without_models import Checks
from miajax.notes import headed, not_done, noted
from miajax.parsing import parsing
from miajax.runs.atomic import read_sealed, write_npy, write_sealed
from miajax.runs.content_notes import note_on_polarity
from miajax.runs.derived import remember
from miajax.runs.made import Made
from miajax.runs.tables import read_table, write_table
from miajax.studies.attacked.groups import with_groups
from miajax.training.devices import machine_name, usable_cores

EXPOSURE_FPR = 0.01  # pooled false-positive rate at which single examples are called exposed
# By models, the AUC of lira_online and lira_online_fixed on noise where every example is in exactly half of the models,
# but not by pairs: simulated, docs/methods.md, "Splits".
_EQUAL_COUNTS_AUC = {4: (None, 0.412), 8: (0.434, 0.473), 16: (0.490, 0.493), 64: (0.501, 0.499)}

Scores = Mapping[str, Float[np.ndarray, "models examples"]]
Rocs = Mapping[str, tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]]


def attack_figures(
    campaign: Campaign, scores: Scores, targets: Sequence[int] | None = None
) -> tuple[dict[str, AttackSummary], list[str]]:
    """Every attack's figures, and notes; a note that holds for several attacks names them once."""

    groups = campaign.setup.dataset.groups

    def summary(array: np.ndarray):
        return summarise(array, campaign.member, campaign.valid, targets=targets, groups=groups)

    with concurrent.futures.ThreadPoolExecutor(usable_cores()) as pool:
        figures = dict(zip(scores, pool.map(summary, scores.values()), strict=True))
    figures = with_groups(figures, scores, campaign.member, campaign.valid, groups, targets)
    about: dict[str, list[str]] = {}
    for name, found in figures.items():
        for remark in found.notes:
            about.setdefault(remark, []).append(name)
    everything = list(scores)
    notes = [headed(["all attacks"] if names == everything else names, remark) for remark, names in about.items()]
    return figures, [*notes]


def polarity_notes(figures: Mapping[str, AttackSummary]) -> tuple[str, ...]:
    """``note_on_polarity`` of the plain threshold."""
    threshold = figures.get(BASELINE)
    return () if threshold is None else note_on_polarity(threshold.auc.value, threshold.auc.interval)


def strongest_attack(campaign: Campaign, scores: Scores, targets: Sequence[int] | None = None) -> Lead | None:
    """See ``metrics.claims.strongest``."""
    valid = campaign.valid if targets is None else campaign.valid & np.isin(np.arange(len(campaign.valid)), targets)
    with concurrent.futures.ThreadPoolExecutor(usable_cores()) as pool:
        return strongest(scores, campaign.member, valid, each=pool.map, groups=campaign.setup.dataset.groups)


def attack_notes(skipped: Mapping[str, str], reports: Mapping[str, AttackReport]) -> list[str]:
    """Notes on attacks that did not run, and on pairs that those that ran left out of scores and populations."""
    notes: list[str] = [not_done(name, "run", reason) for name, reason in skipped.items()]
    for name, report in reports.items():
        counts = {"too few shadow models": report.too_few, "shadow models that all agree": report.degenerate}
        if found := {why: count for why, count in counts.items() if count}:
            reasons = " and ".join(f"{{}} have {why}" for why in found)
            left_out = f"of the (target, example) pairs {reasons}; they are left out."
            notes.append(noted(left_out, *found.values(), about=[name]))
        if report.outside_population:
            lacking = (
                "its populations lack {} (target, example) pairs that they should hold: no shadow model was trained "
                "without the example, so nothing says how such a model answers."
            )
            notes.append(noted(lacking, report.outside_population, about=[name]))
    return notes


def blind_checks(campaign: Campaign) -> Checks:
    """Whether members differ from others without any model.

    Membership is drawn at random: one model shows whether the draw, or copies in the pool, went wrong. Every study of a
    run says the same; ``blind.json`` in the run folder spares the others the work.
    """
    from miajax.studies.blind import CHECKS, blind_baseline, near_duplicates  # with scipy.stats: while models trained

    dataset, file = campaign.setup.dataset, campaign.folder.path / "blind.json"
    one = campaign.member[int(np.flatnonzero(campaign.valid)[0])]
    of = {
        "checks": CHECKS,
        "content_hash": campaign.folder.manifest["identity"]["content_hash"],
        "member": hashlib.sha256(np.packbits(one).tobytes()).hexdigest(),
    }
    with contextlib.suppress(UserError):  # not there, or damaged: made again
        if (known := read_sealed(file, required=lambda _: True)).get("of") == of:
            with parsing(str(file), expected="checks as miajax wrote them"):
                return from_json(Checks, known["found"])
    found = Checks(
        blind=blind_baseline(dataset.features, dataset.labels, one, quick=True, groups=dataset.groups),
        near_duplicates=near_duplicates(dataset.features, one, dataset.test_features),
    )
    write_sealed(file, {"of": of, "found": to_json(found)})
    return found


def rows_of(campaign: Campaign, target: int | None) -> Bool[np.ndarray, " models"]:
    """The models that count: all valid ones, or one target."""
    return campaign.valid if target is None else np.arange(len(campaign.valid)) == target


def unit_of(dataset: Dataset) -> dict[str, Any]:
    """``unit`` and ``num_groups`` of ``results.json``: what members are drawn by."""
    groups = dataset.groups
    return {"unit": "row" if groups is None else "group", "num_groups": None if groups is None else len(set(groups))}


def accuracies(campaign: Campaign, models: Bool[np.ndarray, " models"]) -> tuple[Influence, Influence]:
    """Mean accuracy of some models on their members and on their non-members, with every cell's influence."""
    sides = (campaign.member, ~campaign.member)
    groups = campaign.setup.dataset.groups
    inside, outside = (share_by_model(campaign.correct, side, models, groups) for side in sides)
    return inside, outside


def made_by(campaigns: Sequence[Campaign]) -> Made:
    """What every command that made these models spent on them, this one included."""
    return made(campaigns, machine_name(jax.local_devices()[0]))


def campaign_privacy(campaign: Campaign, target: int | None = None) -> dict[str, Any] | None:
    """``privacy`` of ``results.json``; None where training is not private.

    Raises:
      ValueError: the models of a sweep have no mechanism in common.
    """
    mechanisms = campaign.setup.mechanisms
    if not mechanisms or campaign.private_steps is None:
        return None
    mechanism, *others = mechanisms
    if others:
        raise ValueError("the models of a sweep have no mechanism in common")
    steps = campaign.private_steps[rows_of(campaign, target)]
    return privacy_record(mechanism, steps, campaign.setup.told_by_preparation())


def campaign_notes(campaign: Campaign) -> list[str]:
    """What a reader of any figure of this campaign should know."""
    setup = campaign.setup
    notes = list(campaign.notes)
    if (privacy := campaign_privacy(campaign)) is not None:
        notes.append(privacy_note(privacy))
    notes += design_notes(campaign.member)
    if setup.dataset.synthetic:
        notes.append(f"{setup.dataset.name} is synthetic: its figures say nothing about real people.")
    return notes


def design_notes(member: Bool[np.ndarray, "models examples"]) -> list[str]:
    """What the way in which members were drawn means for attacks: shadow models left out, or counts that tell."""
    partners = complementary_partners(member)
    if partners is not None:
        pairs = int((partners != np.arange(len(partners))).sum()) // 2
        return [
            f"{pairs} pairs of models trained on complementary halves. Nobody who attacks a target has a model of "
            "exactly its non-members, so every attack leaves the target's partner out as well: a pair shadows others, "
            f"not itself, and of {len(member)} models {len(member) - 2} are left as shadow models."
        ]
    if (count := equal_counts(member)) is None:
        return []
    num_models = len(member)
    known = min(_EQUAL_COUNTS_AUC, key=lambda models: abs(np.log(models / num_models)))
    online, fixed = _EQUAL_COUNTS_AUC[known]
    found = f"lira_online_fixed has an AUC of {fixed:.3f}" + (f" and lira_online of {online:.3f}" if online else "")
    return [
        f"Every example is in exactly {count} of the {num_models} models, and they are no complementary pairs: the "
        "other models' members give the target's away, and attacks see it in how many models each side has. With noise "
        f"as signal and {known} models of which half hold each example, {found}, where 0.5 is true (docs/methods.md "
        "has all attacks and sizes). No choice of shadow models mends it; independent draws or complementary pairs do."
    ]


def store_scores(path: Path, scores: Scores) -> None:
    """Writes ``scores/<attack>.npy`` and records their hashes."""
    files = {name: path / "scores" / f"{name}.npy" for name in scores}
    for name, array in scores.items():
        write_npy(files[name], array)
    remember(path, *files.values())


def exposures(campaign: Campaign, scores: Scores) -> dict[str, Exposure]:
    """How every attack treats each example at the pooled false-positive rate ``EXPOSURE_FPR``."""
    return {
        name: exposure_at_pooled_fpr(array, campaign.member, campaign.valid, EXPOSURE_FPR)
        for name, array in scores.items()
    }


def example_columns(
    campaign: Campaign, exposed: Mapping[str, Exposure]
) -> tuple[dict[str, np.ndarray], NewDataMeans | None]:
    """What is known of single examples.

    Returns:
      Columns of ``per_example.parquet`` (what models say of each example, then its TPR and FPR under every attack), and
      what the per-example AUCs are on data drawn anew.
    """
    is_in = campaign.member & campaign.valid[:, None]
    is_out = ~campaign.member & campaign.valid[:, None]
    phi = np.where(campaign.valid[:, None], campaign.signals.mean(-1), np.nan)
    auc = empirical_auc(phi, campaign.member, campaign.valid)
    fresh = on_new_data(auc, phi, campaign.member, campaign.valid)
    columns = {
        "id": np.arange(campaign.setup.dataset.num_examples, dtype=np.int32),
        "label": campaign.setup.dataset.labels,
        "n_in": is_in.sum(0).astype(np.int32),
        "n_out": is_out.sum(0).astype(np.int32),
        "accuracy_in": _mean(campaign.correct, is_in),
        "accuracy_out": _mean(campaign.correct, is_out),
        "mean_scaled_logit_in": _mean(phi, is_in),
        "mean_scaled_logit_out": _mean(phi, is_out),
        "auc": auc,
        "auc_gaussian": gaussian_vulnerability(phi, campaign.member, campaign.valid).auc,
        "auc_new_data": fresh.auc,
        "auc_new_data_low": fresh.auc_low,
    }
    for name, exposure in exposed.items():
        columns[f"vulnerability_{name}"], columns[f"fpr_{name}"] = exposure.tpr, exposure.fpr
    return columns, means_on_new_data(auc, fresh)


def join_examples(path: Path, columns: Mapping[str, np.ndarray]) -> None:
    """Writes columns into the table of examples; columns of other studies stay, if they are of the same examples."""
    there = read_table(path) if path.exists() else {}
    same = "id" in there and np.array_equal(there["id"], columns["id"])
    write_table(path, {**(there if same else {}), **columns})
    remember(path.parent, path)


def _mean(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    counts = where.sum(0)
    return np.where(counts > 0, np.where(where, values, 0.0).sum(0) / np.maximum(counts, 1), np.nan)


def pooled_rocs(campaign: Campaign, scores: Scores, target: int | None = None) -> Rocs:
    """Every attack's pooled ROC, thinned for a plot."""
    rows = rows_of(campaign, target)

    def curve(array: np.ndarray):
        known = np.isfinite(array) & rows[:, None]
        return thin(roc_curve(array[known], campaign.member[known]))

    with concurrent.futures.ThreadPoolExecutor(usable_cores()) as pool:
        return dict(zip(scores, pool.map(curve, scores.values()), strict=True))


def pictures_of(dataset: Dataset) -> np.ndarray | None:
    """All examples as pictures ``[N, H, W]`` or ``[N, H, W, 3]``; None where they are none."""
    if dataset.image_shape is None:
        return None
    height, width, channels = dataset.image_shape
    pictures = dataset.features.reshape(-1, height, width, channels)
    return pictures[..., 0] if channels == 1 else pictures
