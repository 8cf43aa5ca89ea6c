"""Report inputs by simulation: realistic ones, and awkward ones made from them."""

import dataclasses
from typing import Any

import numpy as np
from scipy.special import ndtr

from miajax.metrics import claims
from miajax.metrics.accuracy import share_by_model
from miajax.metrics.claims import Behind, strongest
from miajax.metrics.figures import Estimate, Figure, Figures, unresolved
from miajax.metrics.paired import mean_rate
from miajax.metrics.summary import AttackSummary
from miajax.studies.lira.page import LiraReportInputs
from miajax.studies.lira.results import Lira
from tests.studies.made import made

FPRS = (1e-4, 1e-3, 1e-2)
HOSTILE = "<script>alert('x')</script> $\\frac{1}{0$ & \"quoted\""


def simulated_inputs(num_models: int = 32, num_examples: int = 400, seed: int = 0, **changes: Any) -> LiraReportInputs:
    """An ensemble in which most examples leak a little and a few leak a lot; ``changes`` replace fields."""
    rng = np.random.default_rng(seed)
    membership = np.argsort(rng.random((num_models, num_examples)), axis=1) < num_examples // 2
    difficulty = rng.normal(4.5, 2.5, num_examples)
    noise = rng.uniform(0.6, 1.4, num_examples)
    pull = noise * (0.12 + 2.6 * (rng.random(num_examples) < 0.06) + 0.5 * rng.random(num_examples) ** 3)
    signals = difficulty + noise * rng.standard_normal((num_models, num_examples)) + pull * membership
    scores = {
        "lira_online": _online(signals, membership, fixed=False),
        "lira_online_fixed": _online(signals, membership, fixed=True),
        "lira_offline": _offline(signals, membership),
        "global_threshold": signals,
        "gap": (signals > 0).astype(float),
    }
    figures, rocs = {}, {}
    for name, score in scores.items():
        rocs[name] = roc(score, membership)
        figures[name] = attack_summary(*rocs[name], membership)
    inside = _masked_mean(signals > 0, membership)
    outside = _masked_mean(signals > 0, ~membership)
    means = [_moments(signals, mask, False)[0] for mask in (membership, ~membership)]
    vulnerability = ndtr((means[0] - means[1]) / (np.sqrt(2) * noise))
    found = made(Lira, {
        "dataset": "digits",
        "model": "mlp 64-128-10",
        "num_shadows": num_models,
        "num_valid": num_models,
        "num_examples": num_examples,
        "member_fraction": 0.5,
        "split": "fixed_size",
        "seed": seed,
        "num_non_members": int((~membership).sum()),
        "timing": {
            "import_s": 1.93,
            "compile_s": 2.41,
            "train_s": 4.62,
            "query_s": 0.31,
            "attack_s": 0.84,
            "report_s": None,
            "total_s": 11.27,
        },
        "plan": {"parallel": "shard_map", "devices": 2, "chunk": 4, "group": 256, "precision": "float32"},
        "device": "AMD EPYC 9V74, 2 cores",
        "versions": {"miajax": "0.1.0", "jax": "0.10.2", "python": "3.11.15"},
        "made": {
            "models": num_models,
            "models_here": 0,
            "models_timed": num_models,
            "compile_s": 2.4,
            "train_s": 250.0,
            "query_s": 1.0,
            "groups": 2,
            "groups_without_record": 0,
            "first": "2026-01-01T10:00:00+00:00",
            "last": "2026-01-02T11:00:00+00:00",
            "devices": ["AMD EPYC 9V74, 2 cores"],
            "versions": [{"miajax": "0.1.0", "jax": "0.10.2", "python": "3.11.15"}],
            "other_bits": False,
            "device_here": "another machine",
        },
    })  # fmt: skip
    accuracies = {
        "train_accuracy": mean_rate([share_by_model(signals > 0, membership, np.ones(num_models, bool), None)]),
        "test_accuracy": mean_rate([share_by_model(signals > 0, ~membership, np.ones(num_models, bool), None)]),
    }
    gap = accuracies["train_accuracy"].value - accuracies["test_accuracy"].value
    head = dataclasses.replace(found.head, **accuracies, generalization_gap=Figure(gap, (gap - 0.01, gap + 0.01)))
    lead = strongest(scores, membership, np.ones(num_models, bool))
    inputs = LiraReportInputs(
        found=dataclasses.replace(found, head=head, attacks=figures, strongest=lead),
        config={
            "dataset": "digits",
            "model": "mlp",
            "num_shadows": num_models,
            "epochs": 30,
            "batch_size": 64,
            "learning_rate": 0.1,
            "hidden": [128],
            "recipe": {"momentum": 0.9, "weight_decay": 5e-4},
        },
        manifest={"fingerprint": "3f9a1c7e52d0" + "ab" * 26, "data_sha256": "9d" * 32, "membership_sha256": "4e" * 32},
        command=f"python -m experiments.lira --num_shadows {num_models}",
        rocs=rocs,
        signals=signals[..., None].astype(np.float32),
        membership=membership,
        valid=np.ones(num_models, bool),
        labels=rng.integers(0, 10, num_examples).astype(np.int32),
        vulnerability=vulnerability,
        scores=scores["lira_online"].astype(np.float32),
        train_accuracies=inside,
        test_accuracies=outside,
        pictures=rng.integers(0, 17, (num_examples, 8, 8)).astype(np.float32),
        redacted=False,
    )
    return dataclasses.replace(inputs, **changes)


def with_found(inputs: LiraReportInputs, **changes: Any) -> LiraReportInputs:
    """The same inputs with other figures."""
    return dataclasses.replace(inputs, found=dataclasses.replace(inputs.found, **changes))


def with_head(inputs: LiraReportInputs, **changes: Any) -> LiraReportInputs:
    """The same inputs with another head of the figures."""
    return with_found(inputs, head=dataclasses.replace(inputs.found.head, **changes))


def with_failures(inputs: LiraReportInputs, failed: list[int]) -> LiraReportInputs:
    """The same inputs after some models diverged: NaN everywhere, as the run folder keeps them."""
    valid = inputs.valid.copy()
    valid[failed] = False
    columns = np.where(valid, 1.0, np.nan)
    masked = dataclasses.replace(
        inputs,
        valid=valid,
        signals=inputs.signals * columns[:, None, None],
        scores=inputs.scores * columns[:, None],
        train_accuracies=inputs.train_accuracies * columns,
        test_accuracies=inputs.test_accuracies * columns,
    )
    return with_head(masked, failed_models=tuple(failed), num_valid=int(valid.sum()))


def for_one_target(inputs: LiraReportInputs, target: int) -> LiraReportInputs:
    """The same inputs when a single model was attacked."""
    scores = np.full_like(inputs.scores, np.nan)
    scores[target] = inputs.scores[target]
    curve = roc(scores[target][None], inputs.membership[target][None])
    found = attack_summary(*curve, inputs.membership[target][None])
    figures = {"lira_online": dataclasses.replace(found, per_target=None)}
    one = dataclasses.replace(inputs, scores=scores, rocs={"lira_online": curve})
    non_members = int((~inputs.membership[target]).sum())
    lead = strongest({"lira_online": scores}, inputs.membership, np.arange(len(scores)) == target)
    headed = with_head(one, target=target, num_non_members=non_members)
    return with_found(headed, attacks=figures, strongest=lead)


def with_nothing_measured(inputs: LiraReportInputs) -> LiraReportInputs:
    """No attack ran, no model's making was recorded, and everything that may be missing is."""
    bare = dataclasses.replace(
        inputs,
        scores=np.full_like(inputs.scores, np.nan),
        vulnerability=np.full_like(inputs.vulnerability, np.nan),
        rocs={},
        config={},
        manifest={},
    )
    unknown = dict.fromkeys(("first", "last", "train_s", "query_s", "compile_s"))
    kept = dataclasses.replace(inputs.found.head.made, **unknown, devices=(), versions=(), models_timed=0)
    return with_found(
        with_head(bare, made=kept, plan={}), attacks={}, attacks_not_run={}, strongest=None, timing={}, notes=()
    )


def with_lead(
    inputs: LiraReportInputs, attack: str, value: float, interval: list[float], equal: list[str]
) -> LiraReportInputs:
    """The same inputs where another attack leads, with another figure and equals."""
    lead = inputs.found.strongest
    assert lead is not None
    low, high = interval
    intervals = {**lead.intervals, attack: Figure(value, (low, high))}
    less = {name: Behind(0.001, (0.0005, 0.0015), Figure(0.01, (0.0, 0.02))) for name in intervals if name != attack}
    changed = dataclasses.replace(
        lead,
        attack=attack,
        value=value,
        ci=(low, high),
        standing=claims.against(interval, lead.chance),
        intervals=intervals,
        differences=less,
        not_told_apart=tuple(equal),
    )
    return dataclasses.replace(with_found(inputs, strongest=changed), main_attack=attack)


def roc(scores: np.ndarray, membership: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All corners of the pooled ROC; ties share one."""
    order = np.argsort(-scores.ravel(), kind="stable")
    ranked, member = scores.ravel()[order], membership.ravel()[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    fpr, tpr = np.cumsum(~member)[last] / (~member).sum(), np.cumsum(member)[last] / member.sum()
    return np.insert(fpr, 0, 0.0), np.insert(tpr, 0, 0.0)


def attack_summary(fpr: np.ndarray, tpr: np.ndarray, membership: np.ndarray) -> AttackSummary:
    """An attack's figures with rough intervals; those of single targets resolve an FPR of 0.01 only."""
    non_members = int((~membership).sum())
    auc = float(np.trapezoid(tpr, fpr))
    at: dict[float, Estimate] = {}
    for level in FPRS:
        value = float(tpr[np.searchsorted(fpr, level, side="right") - 1])
        half = 2 * np.sqrt(max(value, 1 / non_members) * 6 / non_members)
        shown = Figure(value, (max(0.0, value - half), value + half))
        at[level] = shown if level * non_members >= 1 else unresolved(level, non_members)
    advantage, zero = float(np.max(tpr - fpr)), float(tpr[np.searchsorted(fpr, 0, side="right") - 1])
    fewest = int((~membership).sum(axis=1).min())
    own = Figures(
        auc=Figure(auc, (auc - 0.004, auc + 0.004)),
        advantage=Figure(advantage, (advantage - 0.008, advantage + 0.008)),
        absolute_advantage=Estimate(advantage),
        tpr_at_fpr={level: at[level] if level == 0.01 else unresolved(level, fewest) for level in FPRS},
        tpr_at_zero_fp=Figure(zero, (0.6 * zero, 1.7 * zero + 1 / non_members)),
    )
    return AttackSummary(
        auc=Figure(auc, (auc - 0.007, auc + 0.007)),
        advantage=own.advantage,
        absolute_advantage=own.absolute_advantage,
        tpr_at_fpr=at,
        tpr_at_zero_fp=own.tpr_at_zero_fp,
        num_targets=len(membership),
        num_members=int(membership.sum()),
        num_non_members=non_members,
        num_scores_missing=0,
        per_target=own,
        notes=(),
    )


def _masked_mean(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return (values & mask).sum(axis=1) / mask.sum(axis=1)


def _online(signals: np.ndarray, membership: np.ndarray, fixed: bool) -> np.ndarray:
    inside, outside = (_moments(signals, mask, fixed) for mask in (membership, ~membership))
    return _log_density(signals, *inside) - _log_density(signals, *outside)


def _offline(signals: np.ndarray, membership: np.ndarray) -> np.ndarray:
    mean, spread = _moments(signals, ~membership, False)
    return (signals - mean) / spread


def _moments(signals: np.ndarray, mask: np.ndarray, fixed: bool) -> tuple[np.ndarray, np.ndarray]:
    number = np.maximum(mask.sum(axis=0), 1)
    mean = np.where(mask, signals, 0.0).sum(axis=0) / number
    spread = np.sqrt(np.where(mask, (signals - mean) ** 2, 0.0).sum(axis=0) / number) + 0.3
    return mean, np.full_like(spread, spread.mean()) if fixed else spread


def _log_density(x: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    return -0.5 * ((x - mean) / spread) ** 2 - np.log(spread)
