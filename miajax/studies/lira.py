"""The main study: a shadow campaign, LiRA and the two baselines over every target, figures of merit, report."""

import concurrent.futures
import dataclasses
import importlib.metadata
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import miajax
from miajax.attacks.options import AttackOptions, LiraMode
from miajax.attacks.registry import run_attacks, why_not
from miajax.errors import UserError
from miajax.metrics.roc import roc_curve, thin
from miajax.metrics.summary import summarise
from miajax.metrics.vulnerability import empirical_auc, exposure_at_pooled_fpr, gaussian_vulnerability
from miajax.runs.atomic import atomic_file, write_json, write_npy, write_text
from miajax.runs.tables import write_table
from miajax.signals.bundle import Signals
from miajax.studies.campaign import Campaign, run_campaign
from miajax.studies.config import Setup
from miajax.studies.progress import Reporter, Silent

ATTACKS = ("global_threshold", "gap", "lira_online", "lira_online_fixed", "lira_offline", "lira_offline_fixed")
_EXPOSURE_FPR = 0.01  # pooled false-positive rate at which single examples are called exposed


@dataclasses.dataclass(frozen=True)
class LiraOptions:
    """What the study does with a finished campaign."""

    target: int | None = None
    """attack this model only; every model in turn when not given"""
    lira_mode: LiraMode = "default"
    """default, or official: the published script's numbers, its peculiarities included"""
    show_records: bool = False
    """show examples of a data set of one's own in the report, not only their numbers"""


@dataclasses.dataclass(frozen=True)
class LiraResult:
    """What the study found, besides the files it left.

    Attributes:
      campaign: the shadow models and their signals.
      scores: ``{attack: float32[M, N]}``, higher = member.
      results: what ``results.json`` holds.
    """

    campaign: Campaign
    scores: Mapping[str, np.ndarray]
    results: Mapping[str, Any]


def run_lira(
    setup: Setup,
    path: Path,
    options: LiraOptions | None = None,
    reporter: Reporter | None = None,
    *,
    command: str = "",
    begun: float | None = None,
    import_s: float = 0.0,
) -> LiraResult:
    """Trains what is missing, attacks every model (or one), and writes the whole run folder.

    Args:
      setup: the campaign.
      path: the run folder.
      options: defaults if None.
      reporter: listens; silent by default.
      command: how to reproduce the run, for the report.
      begun: ``time.perf_counter()`` when the work began; now if None.
      import_s: seconds that imports took, for the record.

    Raises:
      UserError: see ``run_campaign``; or ``target`` is not one of the models, or it diverged.
    """
    options, reporter = options or LiraOptions(), reporter or Silent()
    begun = time.perf_counter() if begun is None else begun
    if options.target is not None and not 0 <= options.target < setup.config.num_shadows:
        raise UserError(f"--target {options.target}", expected=f"a model id in 0..{setup.config.num_shadows - 1}")
    with concurrent.futures.ThreadPoolExecutor(1) as early:
        drawing = early.submit(_load_drawing)  # costs half a second, while models train
        campaign = run_campaign(setup, path, reporter)
        drawing.result()
    if options.target is not None and not campaign.valid[options.target]:
        raise UserError(f"--target {options.target} is a model that diverged", expected="a model that trained well")

    attack_begun = time.perf_counter()
    scores, figures, skipped, notes = _attack(campaign, options)
    attack_s = time.perf_counter() - attack_begun

    report_begun = time.perf_counter()
    results = _results(campaign, options, figures, skipped, notes)
    timing = results["timing"] = {
        "import_s": import_s,
        **dataclasses.asdict(campaign.timing),
        "attack_s": attack_s,
    }
    exposed = _write_tables(campaign, scores)
    rocs = _rocs(campaign, options, scores)
    _write_report(campaign, options, scores, exposed, results, rocs, command)
    timing["report_s"] = time.perf_counter() - report_begun
    timing["total_s"] = time.perf_counter() - begun
    write_json(path / "results.json", results)
    return LiraResult(campaign, scores, results)


def _load_drawing() -> None:

    import miajax.report.lira_report  # noqa: F401


def _attack(campaign: Campaign, options: LiraOptions):
    signals = Signals(scaled_logit=campaign.signals, correct=campaign.correct, labels=campaign.setup.dataset.labels)
    reasons = {name: why_not(name, signals, campaign.member, campaign.valid) for name in ATTACKS}
    skipped = {name: reason for name, reason in reasons.items() if reason}
    names = [name for name in ATTACKS if name not in skipped]
    runs = run_attacks(names, signals, campaign.member, campaign.valid, AttackOptions(lira_mode=options.lira_mode))
    targets = None if options.target is None else [options.target]
    notes = [f"{name} was not run: it {reason}." for name, reason in skipped.items()]
    for name, (_, report) in runs.items():
        if report.too_few or report.degenerate:
            notes.append(
                f"{name}: {report.too_few} (target, example) pairs have too few shadow models and "
                f"{report.degenerate} have shadow models that all agree; they are left out."
            )

    def summary(name: str):
        return summarise(runs[name][0], campaign.member, campaign.valid, targets=targets)

    with concurrent.futures.ThreadPoolExecutor() as pool:
        figures = dict(zip(names, pool.map(summary, names), strict=True))
    about: dict[str, list[str]] = {}
    for name, (_, remarks) in figures.items():
        for remark in remarks:
            about.setdefault(remark, []).append(name)
    for remark, subjects in about.items():
        notes.append(f"{'all attacks' if subjects == names else ', '.join(subjects)}: {remark}")
    scores = {name: run[0] for name, run in runs.items()}
    return scores, {name: entry for name, (entry, _) in figures.items()}, skipped, notes


def _results(campaign: Campaign, options: LiraOptions, figures, skipped, notes) -> dict[str, Any]:
    setup, config = campaign.setup, campaign.setup.config
    valid = campaign.valid if options.target is None else np.arange(len(campaign.valid)) == options.target
    train, test = float(campaign.train_accuracy[valid].mean()), float(campaign.test_accuracy[valid].mean())
    official = campaign.official_test_accuracy
    unlike = []
    if config.split == "balanced" and config.num_shadows < 64:
        unlike.append(
            "Complementary pairs leak through their counts when models are few: with pure noise as signal, online "
            "attacks have AUC .433 at 8 models and .49 at 16. Use --split fixed_size, or 64 models and more."
        )
    if setup.dataset.synthetic:
        unlike.append(f"{setup.dataset.name} is synthetic: its figures say nothing about real people.")
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
        "target": options.target,
        "lira_mode": options.lira_mode,
        "train_accuracy": train,
        "test_accuracy": test,
        "generalization_gap": train - test,
        "official_test_accuracy": None if official is None else float(np.nanmean(official[valid])),
        "attacks": figures,
        "attacks_not_run": skipped,
        "num_non_members": int((~campaign.member)[valid].sum()),
        "timing": {},
        "plan": dataclasses.asdict(campaign.plan),
        "device": campaign.folder.manifest["device"],
        "versions": versions(),
        "failed_models": [int(i) for i in np.flatnonzero(~campaign.valid)],
        "notes": [*campaign.notes, *unlike, *notes],
    }


def versions() -> dict[str, str]:
    """Versions of what decides results."""
    packages = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "scipy", "scikit-learn")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"miajax": miajax.__version__, "python": platform.python_version(), **found}


def _write_tables(campaign: Campaign, scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """Writes scores and the table of examples; returns each example's AUC on the signal."""
    path, member = campaign.folder.path, campaign.member & campaign.valid[:, None]
    for name, array in scores.items():
        write_npy(path / "scores" / f"{name}.npy", array)
    n = campaign.setup.dataset.num_examples
    phi = np.where(campaign.valid[:, None], campaign.signals.mean(-1), np.nan)
    columns: dict[str, Any] = {
        "id": np.arange(n, dtype=np.int32),
        "label": campaign.setup.dataset.labels,
        "n_in": member.sum(0).astype(np.int32),
        "n_out": (~campaign.member & campaign.valid[:, None]).sum(0).astype(np.int32),
        "accuracy_in": _mean(campaign.correct, member),
        "accuracy_out": _mean(campaign.correct, ~campaign.member & campaign.valid[:, None]),
        "mean_scaled_logit_in": _mean(phi, member),
        "mean_scaled_logit_out": _mean(phi, ~campaign.member & campaign.valid[:, None]),
    }
    columns["auc"] = empirical_auc(phi, campaign.member, campaign.valid)
    columns["auc_gaussian"] = gaussian_vulnerability(phi, campaign.member, campaign.valid).auc
    for name, array in scores.items():
        exposure = exposure_at_pooled_fpr(array, campaign.member, campaign.valid, _EXPOSURE_FPR)
        columns[f"vulnerability_{name}"], columns[f"fpr_{name}"] = exposure.tpr, exposure.fpr
    write_table(path / "per_example.parquet", columns)
    return columns["auc"]


def _mean(values: np.ndarray, where: np.ndarray) -> np.ndarray:
    counts = where.sum(0)
    return np.where(counts > 0, np.where(where, values, 0.0).sum(0) / np.maximum(counts, 1), np.nan)


def _rocs(campaign: Campaign, options: LiraOptions, scores: Mapping[str, np.ndarray]):
    rows = campaign.valid if options.target is None else np.arange(len(campaign.valid)) == options.target

    def curve(array: np.ndarray):
        known = np.isfinite(array) & rows[:, None]
        return thin(roc_curve(array[known], campaign.member[known]))

    with concurrent.futures.ThreadPoolExecutor() as pool:
        return dict(zip(scores, pool.map(curve, scores.values()), strict=True))


def _write_report(
    campaign: Campaign, options: LiraOptions, scores, exposed: np.ndarray, results, rocs, command: str
) -> None:
    from miajax.report.lira_report import LiraReportInputs, lira_roc_figure, render_lira_report
    from miajax.report.plots import save_png

    dataset, path = campaign.setup.dataset, campaign.folder.path
    main = next(name for name in ("lira_online", "lira_offline", "global_threshold") if name in scores)
    shown = scores[main]
    if options.target is not None:
        shown = np.where(np.arange(len(shown))[:, None] == options.target, shown, np.nan)
    may_show = dataset.shippable or options.show_records
    pictures = None
    if dataset.image_shape is not None:
        height, width, channels = dataset.image_shape
        pictures = dataset.features.reshape(-1, height, width, channels)
        pictures = pictures[..., 0] if channels == 1 else pictures
    inputs = LiraReportInputs(
        results=results,
        config=dataclasses.asdict(campaign.setup.config),
        manifest=campaign.folder.manifest,
        command=command,
        rocs=rocs,
        signals=campaign.signals,
        membership=campaign.member,
        valid=campaign.valid,
        labels=dataset.labels,
        vulnerability=exposed,
        scores=shown,
        train_accuracies=campaign.train_accuracy,
        test_accuracies=campaign.test_accuracy,
        main_attack=main,
        pictures=pictures if may_show else None,
        class_names=dataset.class_names,
        redacted=not may_show,
    )
    write_text(path / "report.html", render_lira_report(inputs))
    with atomic_file(path / "roc.png") as file:
        save_png(lira_roc_figure(inputs), file)
