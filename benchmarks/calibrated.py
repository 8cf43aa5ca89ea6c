"""What per-record calibration shows, beside the truth, and how often its 95 % intervals hold.

    python -m benchmarks.calibrated [--campaigns N] [--examples N] [--json FILE]

Signals are simulated (``benchmarks/_simulated_signals.py``), attacks and calibration are the real ones. Two truths: the
rate of an attacker who knows every record's own distribution, in closed form, which shows the bias; and the mean over
the campaigns, which the intervals are for.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from benchmarks import _flags
from benchmarks._rows import write_content
from benchmarks._simulated_signals import KINDS, attack, campaign
from miajax.metrics.figures import fpr_key
from miajax.metrics.per_record import FPRS, of_standardised

MODELS = (16, 64, 256)
ATTACKS = ("signal", "lira_online", "lira_online_fixed")
SHOWN = ("no leak", "strong", "few exposed")


def truth(kind: str, fpr: float, examples: int = 200_000) -> float:
    """The mean over records of the TPR at each record's own threshold for ``fpr``."""
    gap, _ = KINDS[kind](np.random.default_rng(0), examples)
    return float(ndtr(gap - ndtri(1.0 - fpr)).mean())


def measured(kind: str, num_models: int, num_examples: int, seed: int) -> dict[str, tuple[float, float, float]]:
    """Of one campaign, ``{"attack fpr": (TPR, low, high)}``, and the AUC."""
    phi, member = campaign(kind, num_models, num_examples, seed)
    valid = np.ones(num_models, bool)
    found: dict[str, tuple[float, float, float]] = {}
    for name in ATTACKS:
        scores = phi if name == "signal" else attack(name, phi, member)
        of = of_standardised(scores, member, valid, fpr=0.01)
        if of is None:
            continue
        found[f"{name} auc"] = (of.auc.value, *of.auc.interval)
        for fpr, tpr in of.tpr_at_fpr.items():
            if tpr.value is not None and tpr.interval is not None:
                found[f"{name} {fpr_key(fpr)}"] = (tpr.value, *tpr.interval)
        if of.records is not None:
            found[f"{name} over 2x"] = (of.records.over[2].measured, 0.0, 1.0)
            found[f"{name} over 2x by luck"] = (of.records.over[2].by_luck, 0.0, 1.0)
    return found


def coverage(each: Sequence[Mapping[str, tuple[float, float, float]]]) -> dict[str, dict[str, float]]:
    """Of every figure that all campaigns have: mean, spread, and how often its interval holds the mean."""
    found: dict[str, dict[str, float]] = {}
    for name in each[0]:
        if not all(name in of for of in each):
            continue
        value, low, high = np.array([of[name] for of in each]).T
        mean = float(value.mean())
        found[name] = {
            "mean": mean,
            "sd": float(value.std(ddof=1)),
            "covered": float(np.mean((low <= mean) & (mean <= high))),
            "below": float(np.mean(high < mean)),
            "above": float(np.mean(low > mean)),
        }
    return found


def table(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A row for each kind of campaign and attack."""
    heads = [f"{what} at {fpr_key(fpr)}" for fpr in FPRS[::-1] for what in ("true TPR", "mean TPR", "covered")]
    lines = [["campaign", "attack", "AUC", *heads]]
    for row in rows:
        for name in ATTACKS:
            of = row["figures"]
            if f"{name} auc" not in of:
                continue
            line = [row["name"], name, f"{of[f'{name} auc']['mean']:.3f}"]
            for fpr in FPRS[::-1]:
                at = of.get(f"{name} {fpr_key(fpr)}")
                line += [f"{row['truth'][fpr_key(fpr)]:.4f}"]
                line += ["null", "null"] if at is None else [f"{at['mean']:.4f}", f"{at['covered']:.3f}"]
            lines.append(line)
    return lines


def main(json: Path | None = None, campaigns: int = 400, examples: int = 500, models: tuple[int, ...] = MODELS) -> None:
    """Measures bias and coverage.

    Args:
      json: where to write the figures.
      campaigns: simulated for each number of models and each kind of example.
      examples: of a campaign.
      models: of a campaign.
    """
    rows: list[dict[str, Any]] = []
    for num_models in models:
        for kind in SHOWN:
            begin = time.perf_counter()
            each = [measured(kind, num_models, examples, seed) for seed in range(campaigns)]
            true = {fpr_key(fpr): truth(kind, fpr) for fpr in FPRS}
            rows.append({"name": f"{num_models} models, {kind}", "truth": true, "figures": coverage(each)})
            print(f"{time.perf_counter() - begin:.0f} s", flush=True)
            for line in table(rows[-1:])[1:]:
                print(*line, sep="  ", flush=True)
            if json:
                write_content(json, {"campaigns": campaigns, "examples": examples, "rows": rows, "table": table(rows)})


if __name__ == "__main__":
    _flags.call(main)
