"""How often 95 % intervals hold the truth, by number of models, unlikeness of examples, and figure.

    python -m benchmarks.coverage [--campaigns N] [--examples N] [--json FILE]

Signals are simulated (``benchmarks/_simulated_signals.py``), LiRA is the real one. The truth is the mean of the figure
over the campaigns, each with examples and models of its own: what a campaign of this size shows on average.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _flags
from benchmarks._rows import write_content
from benchmarks._simulated_signals import KINDS, attack, campaign
from miajax.metrics.figures import fpr_key
from miajax.metrics.summary import summarise

MODELS = (4, 8, 16, 32, 64, 256)
FPRS = (0.001, 0.01, 0.1)
COLUMNS = {
    "auc": "AUC",
    "balanced_accuracy": "balanced accuracy",
    "tpr_at_0.1": "TPR at .1",
    "tpr_at_0.01": "TPR at .01",
    "tpr_at_0.001": "TPR at .001",
    "auc of a target": "AUC of a target",
    "balanced_accuracy of a target": "balanced accuracy of a target",
    "tpr_at_0.1 of a target": "TPR of a target at .1",
    "tpr_at_0.01 of a target": "TPR of a target at .01",
}


def attack_for(num_models: int) -> str:
    """Online LiRA, with one variance for all examples where models are too few for one of each."""
    return "lira_online" if num_models >= 8 else "lira_online_fixed"


def figures(entry: Mapping[str, Any], fprs: Sequence[float] = FPRS) -> Iterator[tuple[str, float, Sequence[float]]]:
    """Every figure that has an interval, ``(name, value, [low, high])``."""
    for block, suffix in ((entry, ""), (entry["per_target"], " of a target")):
        for name in ("auc", "balanced_accuracy"):
            yield name + suffix, block[name], block[f"{name}_ci"]
        for key in map(fpr_key, fprs):
            if block["tpr_at_fpr"][key] is not None:
                yield f"tpr_at_{key}{suffix}", block["tpr_at_fpr"][key], block["tpr_at_fpr_ci"][key]


def coverage(kind: str, num_models: int, num_examples: int, campaigns: int) -> dict[str, dict[str, float]]:
    """Of every figure: its mean, how often its interval holds that, lies below it or above it, and its median width."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in range(campaigns):
        phi, member = campaign(kind, num_models, num_examples, seed)
        scores = attack(attack_for(num_models), phi, member)
        entry = summarise(scores, member, fprs=FPRS).to_json()
        for name, value, (low, high) in figures(entry):
            found.setdefault(name, []).append((value, low, high))
    out = {}
    for name, each in found.items():
        if len(each) < campaigns:
            continue
        value, low, high = np.array(each).T
        truth = value.mean()
        out[name] = {
            "mean": float(truth),
            "sd": float(value.std(ddof=1)),
            "covered": float(np.mean((low <= truth) & (truth <= high))),
            "below": float(np.mean(high < truth)),
            "above": float(np.mean(low > truth)),
            "median_width": float(np.median(high - low)),
        }
    return out


def table(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Shares covered, a row for each kind of campaign."""
    lines = [["campaign", *COLUMNS.values()]]
    for row in rows:
        shares = (row["figures"].get(name) for name in COLUMNS)
        lines.append([row["name"], *("null" if share is None else f"{share['covered']:.3f}" for share in shares)])
    return lines


def main(json: Path | None = None, campaigns: int = 300, examples: int = 500, models: tuple[int, ...] = MODELS) -> None:
    """Measures coverage.

    Args:
      json: where to write the shares.
      campaigns: simulated for each number of models and each kind of example.
      examples: of a campaign.
      models: of a campaign; lira_online_fixed below 8, lira_online from there on.
    """
    rows = []
    for num_models in models:
        for kind in KINDS:
            begin = time.perf_counter()
            found = coverage(kind, num_models, examples, campaigns)
            name = f"{num_models} models, {kind}"
            rows.append({"name": name, "attack": attack_for(num_models), "figures": found})
            print(name, f"{time.perf_counter() - begin:.0f} s", *table(rows)[-1][1:], flush=True)
            if json:
                write_content(json, {"campaigns": campaigns, "examples": examples, "rows": rows, "table": table(rows)})


if __name__ == "__main__":
    _flags.call(main)
