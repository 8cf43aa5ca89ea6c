"""What studies of attacks share: figures, the head of the results, rows of examples, report inputs."""

import concurrent.futures
import dataclasses
import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

import miajax
from miajax.attacks.registry import AttackReport
from miajax.data.dataset import Dataset
from miajax.metrics.roc import roc_curve, thin
from miajax.metrics.summary import summarise
from miajax.metrics.vulnerability import Exposure, empirical_auc, exposure_at_pooled_fpr, gaussian_vulnerability
from miajax.runs.atomic import write_npy
from miajax.studies.campaign import Campaign
from miajax.studies.privacy import privacy_note, privacy_record

if TYPE_CHECKING:
    from miajax.report.lira_evidence import LiraReportInputs

EXPOSURE_FPR = 0.01  # pooled false-positive rate at which single examples are called exposed

Scores = Mapping[str, Float[np.ndarray, "models examples"]]
Rocs = Mapping[str, tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]]


def attack_figures(
    campaign: Campaign, scores: Scores, targets: Sequence[int] | None = None
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Every attack's entry of ``results.json``, and notes; a note that holds for several attacks names them once."""

    def summary(array: np.ndarray):
        return summarise(array, campaign.member, campaign.valid, targets=targets)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        figures = dict(zip(scores, pool.map(summary, scores.values()), strict=True))
    about: dict[str, list[str]] = {}
    for name, (_, remarks) in figures.items():
        for remark in remarks:
            about.setdefault(remark, []).append(name)
    notes = [
        f"{'all attacks' if subjects == list(scores) else ', '.join(subjects)}: {remark}"
        for remark, subjects in about.items()
    ]
    return {name: entry for name, (entry, _) in figures.items()}, notes


def attack_notes(skipped: Mapping[str, str], reports: Mapping[str, AttackReport]) -> list[str]:
    """Notes on attacks that did not run, and on cells that those that ran left out."""
    notes = [f"{name} was not run: it {reason}." for name, reason in skipped.items()]
    for name, report in reports.items():
        if report.too_few or report.degenerate:
            notes.append(
                f"{name}: {report.too_few} (target, example) pairs have too few shadow models and "
                f"{report.degenerate} have shadow models that all agree; they are left out."
            )
    return notes


def blind_checks(campaign: Campaign) -> dict[str, Any]:
    """``blind`` and ``near_duplicates`` of ``results.json``: whether members differ from others without any model.

    Membership is drawn at random: one model shows whether the draw, or copies in the pool, went wrong.
    """
    from miajax.studies.blind import blind_baseline, near_duplicates  # with scipy.stats: while models trained

    dataset = campaign.setup.dataset
    one = campaign.member[int(np.flatnonzero(campaign.valid)[0])]
    return {
        "blind": blind_baseline(dataset.features, dataset.labels, one, quick=True),
        "near_duplicates": near_duplicates(dataset.features, one, dataset.test_features),
    }


def rows_of(campaign: Campaign, target: int | None) -> Bool[np.ndarray, " models"]:
    """The models that count: all valid ones, or one target."""
    return campaign.valid if target is None else np.arange(len(campaign.valid)) == target


def results_head(campaign: Campaign, target: int | None = None) -> dict[str, Any]:
    """What ``results.json`` says of the models before it comes to attacks."""
    setup, config = campaign.setup, campaign.setup.config
    valid = rows_of(campaign, target)
    train, test = float(campaign.train_accuracy[valid].mean()), float(campaign.test_accuracy[valid].mean())
    official = campaign.official_test_accuracy
    return {
        "dataset": setup.dataset.name,
        "model": setup.trainer.model.name,
        "num_shadows": config.num_shadows,
        "num_valid": int(campaign.valid.sum()),
        "num_examples": setup.dataset.num_examples,
        "member_fraction": config.member_fraction,
        "split": config.split,
        "seed": config.seed,
        "queries": config.queries,
        "target": target,
        "train_accuracy": train,
        "test_accuracy": test,
        "generalization_gap": train - test,
        "official_test_accuracy": None if official is None else float(np.nanmean(official[valid])),
        "privacy": campaign_privacy(campaign, target),
        "num_non_members": int((~campaign.member)[valid].sum()),
        "timing": {},
        "plan": dataclasses.asdict(campaign.plan),
        "device": campaign.folder.manifest["device"],
        "versions": versions(),
        "failed_models": [int(i) for i in np.flatnonzero(~campaign.valid)],
    }


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
    setup, config = campaign.setup, campaign.setup.config
    notes = list(campaign.notes)
    if (privacy := campaign_privacy(campaign)) is not None:
        notes.append(privacy_note(privacy))
    if config.split == "balanced" and config.num_shadows < 64:
        notes.append(
            "Complementary pairs leak through their counts when models are few: with pure noise as signal, online "
            "attacks have AUC .433 at 8 models and .49 at 16. Use --split fixed_size, or 64 models and more."
        )
    if setup.dataset.synthetic:
        notes.append(f"{setup.dataset.name} is synthetic: its figures say nothing about real people.")
    return notes


def versions() -> dict[str, str]:
    """Versions of what decides results."""
    packages = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy", "scikit-learn")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"miajax": miajax.__version__, "python": platform.python_version(), **found}


def store_scores(path: Path, scores: Scores) -> None:
    """Writes ``scores/<attack>.npy``."""
    for name, array in scores.items():
        write_npy(path / "scores" / f"{name}.npy", array)


def exposures(campaign: Campaign, scores: Scores) -> dict[str, Exposure]:
    """How every attack treats each example at the pooled false-positive rate ``EXPOSURE_FPR``."""
    return {
        name: exposure_at_pooled_fpr(array, campaign.member, campaign.valid, EXPOSURE_FPR)
        for name, array in scores.items()
    }


def example_columns(campaign: Campaign, exposed: Mapping[str, Exposure]) -> dict[str, np.ndarray]:
    """Columns of ``per_example.parquet``: what models say of each example, then its TPR and FPR under every attack."""
    is_in = campaign.member & campaign.valid[:, None]
    is_out = ~campaign.member & campaign.valid[:, None]
    phi = np.where(campaign.valid[:, None], campaign.signals.mean(-1), np.nan)
    columns = {
        "id": np.arange(campaign.setup.dataset.num_examples, dtype=np.int32),
        "label": campaign.setup.dataset.labels,
        "n_in": is_in.sum(0).astype(np.int32),
        "n_out": is_out.sum(0).astype(np.int32),
        "accuracy_in": _mean(campaign.correct, is_in),
        "accuracy_out": _mean(campaign.correct, is_out),
        "mean_scaled_logit_in": _mean(phi, is_in),
        "mean_scaled_logit_out": _mean(phi, is_out),
        "auc": empirical_auc(phi, campaign.member, campaign.valid),
        "auc_gaussian": gaussian_vulnerability(phi, campaign.member, campaign.valid).auc,
    }
    for name, exposure in exposed.items():
        columns[f"vulnerability_{name}"], columns[f"fpr_{name}"] = exposure.tpr, exposure.fpr
    return columns


def _mean(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    counts = where.sum(0)
    return np.where(counts > 0, np.where(where, values, 0.0).sum(0) / np.maximum(counts, 1), np.nan)


def pooled_rocs(campaign: Campaign, scores: Scores, target: int | None = None) -> Rocs:
    """Every attack's pooled ROC, thinned for a plot."""
    rows = rows_of(campaign, target)

    def curve(array: np.ndarray):
        known = np.isfinite(array) & rows[:, None]
        return thin(roc_curve(array[known], campaign.member[known]))

    with concurrent.futures.ThreadPoolExecutor() as pool:
        return dict(zip(scores, pool.map(curve, scores.values()), strict=True))


def pictures_of(dataset: Dataset) -> np.ndarray | None:
    """All examples as pictures ``[N, H, W]`` or ``[N, H, W, 3]``; None where they are none."""
    if dataset.image_shape is None:
        return None
    height, width, channels = dataset.image_shape
    pictures = dataset.features.reshape(-1, height, width, channels)
    return pictures[..., 0] if channels == 1 else pictures


def report_inputs(
    campaign: Campaign,
    results: Mapping[str, Any],
    scores: Scores,
    rocs: Rocs,
    per_example_auc: Float[np.ndarray, " examples"],
    *,
    main_attack: str,
    show_records: bool,
    command: str,
) -> "LiraReportInputs":
    """What the reports on attacks are made from.

    Args:
      campaign: the models.
      results: ``results.json``.
      scores: of every attack.
      rocs: to plot.
      per_example_auc: ``[N]``, of the scaled logit.
      main_attack: the attack that sentences are about.
      show_records: whether a data set of one's own may be shown.
      command: what was typed.
    """
    from miajax.report.lira_evidence import LiraReportInputs  # with jinja2: costs time that models train in

    dataset, target = campaign.setup.dataset, results["target"]
    shown = scores[main_attack]
    if target is not None:
        shown = np.where(rows_of(campaign, target)[:, None], shown, np.nan)
    may_show = dataset.shippable or show_records
    return LiraReportInputs(
        results=results,
        config=dataclasses.asdict(campaign.setup.config),
        manifest=campaign.folder.manifest,
        command=command,
        rocs=rocs,
        signals=campaign.signals,
        membership=campaign.member,
        valid=campaign.valid,
        labels=dataset.labels,
        vulnerability=per_example_auc,
        scores=shown,
        train_accuracies=campaign.train_accuracy,
        test_accuracies=campaign.test_accuracy,
        main_attack=main_attack,
        pictures=pictures_of(dataset) if may_show else None,
        class_names=dataset.class_names,
        redacted=not may_show,
    )
