"""What attacks show on signals without membership, beside what results call chance, and how often they look better.

    python -m benchmarks.chance [--campaigns N] [--json FILE]

Signals are noise, drawn anew for every model; the attacks are the real ones. An alarm is a campaign whose 95 % interval
lies above chance: 2.5 % of them is nominal.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from benchmarks import _flags
from benchmarks._rows import write_content
from miajax.attacks.registry import run_attacks
from miajax.data.splits import membership
from miajax.metrics.figures import fpr_key
from miajax.metrics.summary import summarise
from miajax.signals import scaled_logit as signal
from miajax.signals.bundle import Signals

SIZES = ((8, 900), (16, 300), (64, 400))  # models, examples
ATTACKS = ("attack_p", "attack_r", "rmia_online", "lira_online", "lira_online_fixed", "bavaria_t")
FPRS = (0.001, 0.01, 0.1)
_CLASSES = 4


def noise(num_models: int, num_examples: int, seed: int) -> tuple[Signals, np.ndarray]:
    """Signals that know nothing of membership, and who is a member."""
    rng = np.random.default_rng([seed, num_models])
    logits = rng.normal(size=(num_models, num_examples, 1, _CLASSES)).astype(np.float32)
    labels = rng.integers(0, _CLASSES, num_examples).astype(np.int32)
    phi = np.asarray(signal.scaled_logit(jnp.asarray(logits), jnp.asarray(labels)[:, None]))
    right = np.asarray(signal.correct(jnp.asarray(logits[:, :, 0]), jnp.asarray(labels)))
    found = Signals(scaled_logit=phi, correct=right, labels=labels, logits=logits)
    return found, membership(seed, num_examples, num_models, "fixed_size")


def alarms(name: str, num_models: int, num_examples: int, campaigns: int) -> dict[str, dict[str, float]]:
    """Of every TPR: its mean, mean chance, and the share of campaigns above chance, and above the FPR."""
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for seed in range(campaigns):
        signals, member = noise(num_models, num_examples, seed)
        scores = np.asarray(run_attacks((name,), signals, member, np.ones(num_models, bool))[name][0])
        entry = summarise(scores, member, fprs=FPRS).to_json()
        for block, suffix in ((entry, ""), (entry["per_target"], " of a target")):
            for key in map(fpr_key, FPRS):
                if block["tpr_at_fpr"][key] is not None:
                    figure = (block["tpr_at_fpr"][key], block["tpr_at_fpr_ci"][key][0], block["chance_tpr_at_fpr"][key])
                    found.setdefault(f"{key}{suffix}", []).append((*figure, float(key)))
    out = {}
    for figure, each in found.items():
        rate, low, chance, fpr = np.array(each).T
        out[figure] = {
            "mean": float(rate.mean()),
            "chance": float(chance.mean()),
            "above_chance": float((low > chance).mean()),
            "above_fpr": float((low > fpr).mean()),
        }
    return out


def table(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """For each figure its mean / chance, and alarms against chance / against the FPR."""
    figures = [f"{fpr_key(fpr)}{suffix}" for suffix in ("", " of a target") for fpr in FPRS]
    heads = [head for figure in figures for head in (f"TPR at {figure}: mean / chance", "alarms / against the FPR")]
    lines = [["campaign", *heads]]
    for row in rows:
        cells = [row["name"]]
        for found in map(row["figures"].get, figures):
            rate, share = "null", "null"
            if found is not None:
                rate = f"{found['mean']:.4f} / {found['chance']:.4f}"
                share = f"{found['above_chance']:.3f} / {found['above_fpr']:.3f}"
            cells += [rate, share]
        lines.append(cells)
    return lines


def main(json: Path | None = None, campaigns: int = 200) -> None:
    """Measures false alarms.

    Args:
      json: where to write them.
      campaigns: of each size and attack.
    """
    rows = []
    for num_models, num_examples in SIZES:
        for name in ATTACKS:
            found = alarms(name, num_models, num_examples, campaigns)
            rows.append({"name": f"{num_models} models, {num_examples} examples, {name}", "figures": found})
            print(*table(rows)[-1], sep="  ", flush=True)
            if json:
                write_content(json, {"campaigns": campaigns, "rows": rows, "table": table(rows)})


if __name__ == "__main__":
    _flags.call(main)
