"""How often 95 % intervals of figures of stability hold the truth.

    python -m benchmarks.stability [--campaigns N] [--examples N] [--json FILE]

Signals are simulated (``benchmarks/_simulated_signals.py``); attack, thresholds and figures are those of ``miajax
stability``. The truth is the mean over the campaigns, each with examples and models of its own.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _flags
from benchmarks._rows import write_content
from benchmarks._simulated_signals import campaign
from benchmarks.calibrated import coverage
from miajax.attacks.options import AttackOptions
from miajax.metrics.figures import Estimate
from miajax.metrics.overlap import agreement
from miajax.signals.bundle import Signals
from miajax.studies.stability.attackers import Ensemble, attacked, exposed_by
from miajax.studies.stability.study import at_size

MODELS = (16, 64, 256)
KINDS = ("no leak", "strong")
ATTACK = "lira_online_fixed"
COLUMNS = ("jaccard", "found_by_any", "found_by_all", "flips", "shared_top", "called_jaccard")


def measured(
    kind: str, num_models: int, num_examples: int, seed: int, targets: int
) -> dict[str, tuple[float, float, float]]:
    """Of one campaign, every figure with its interval."""
    phi, member = campaign(kind, num_models, num_examples, seed)
    signals = Signals(scaled_logit=phi[..., None], correct=phi > 0, labels=np.zeros(num_examples, np.int32))
    ensemble = Ensemble(signals, member, np.ones(num_models, bool), None, paired=False)
    found = attacked(ensemble, [ATTACK], 2, targets, 0.01, AttackOptions())
    of = agreement(found.named[ATTACK], found.member)
    figures: dict[str, Estimate] = {name: getattr(of, name) for name in COLUMNS[:4]}
    sets, _ = exposed_by(ensemble, [ATTACK], num_models // 2, 2, 0.01, AttackOptions())
    top = at_size(sets[ATTACK], 0.05)
    figures |= {"shared_top": top.shared_top, "called_jaccard": top.jaccard}
    return {
        name: (each.value, *each.interval)
        for name, each in figures.items()
        if each.value is not None and each.interval is not None
    }


def table(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Of every figure its mean, and how often its interval holds that."""
    lines = [["campaign", *COLUMNS]]
    for row in rows:
        found = row["figures"]
        shown = (found.get(name) for name in COLUMNS)
        lines.append(
            [row["name"], *("null" if of is None else f"{of['mean']:.3f}: {of['covered']:.3f}" for of in shown)]
        )
    return lines


def main(
    json: Path | None = None,
    campaigns: int = 400,
    examples: int = 300,
    models: tuple[int, ...] = MODELS,
    targets: int = 12,
) -> None:
    """Measures coverage.

    Args:
      json: where to write the figures.
      campaigns: simulated for each number of models and each kind of example.
      examples: of a campaign.
      models: of a campaign.
      targets: attacked of each campaign.
    """
    rows: list[dict[str, Any]] = []
    for num_models in models:
        for kind in KINDS:
            begin = time.perf_counter()
            each = [measured(kind, num_models, examples, seed, targets) for seed in range(campaigns)]
            rows.append({"name": f"{num_models} models, {kind}", "figures": coverage(each)})
            print(f"{time.perf_counter() - begin:.0f} s", *table(rows[-1:])[1], sep="  ", flush=True)
            if json:
                write_content(json, {"campaigns": campaigns, "examples": examples, "rows": rows, "table": table(rows)})


if __name__ == "__main__":
    _flags.call(main)
