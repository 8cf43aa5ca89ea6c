"""Published figures to stand beside ours, and whether the two may be compared."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from miajax.studies.config import CampaignConfig
from miajax.studies.presets import PRESETS

_ACCURACY_MARGIN = 0.02


@dataclasses.dataclass(frozen=True)
class Published:
    """What a source reports for the set-up of a preset; rates are fractions.

    Attributes:
      preset: whose settings are the source's.
      source: where the figures stand.
      attacks: ``{attack: (auc, tpr at FPR 0.001)}``; a TPR that is not reported is None.
      advantage: of the global threshold, where reported.
      train_accuracy, test_accuracy: where reported.
    """

    preset: str
    source: str
    attacks: Mapping[str, tuple[float, float | None]]
    advantage: float | None = None
    train_accuracy: float | None = None
    test_accuracy: float | None = None


PUBLISHED = (
    Published(
        "purchase100",
        "Khalil et al. 2025 (arXiv 2511.16792)",
        {"global_threshold": (0.5727, None)},
        0.1386,
        0.9776,
        0.8754,
    ),
    Published(
        "cifar10_densenet",
        "Khalil et al. 2025 (arXiv 2511.16792)",
        {"global_threshold": (0.6027, None)},
        0.2207,
        0.9997,
        0.8791,
    ),
    Published(
        "cifar10_wrn28_2",
        "README of the published LiRA code, 16 models",
        {
            "lira_online": (0.6676, 0.0169),
            "lira_online_fixed": (0.6856, 0.0593),
            "lira_offline": (0.5488, 0.0130),
            "lira_offline_fixed": (0.5549, 0.0299),
            "global_threshold": (0.5921, 0.0009),
        },
    ),
    Published(
        "cifar10_resnet18",
        "lira_analysis (arXiv 2603.07567), 256 models, 18 queries, every target",
        {
            "lira_online": (0.7648, 0.1027),
            "lira_online_fixed": (0.7628, 0.0914),
            "lira_offline": (0.5558, 0.0326),
            "lira_offline_fixed": (0.5664, 0.0454),
            "global_threshold": (0.5997, 0.0010),
        },
    ),
    Published(
        "purchase100_fcn",
        "lira_analysis (arXiv 2603.07567), 256 models, every target",
        {
            "lira_online": (0.7016, 0.0449),
            "lira_online_fixed": (0.6952, 0.0309),
            "lira_offline": (0.5511, 0.0050),
            "global_threshold": (0.5483, 0.0010),
        },
    ),
)


def _settings(config: CampaignConfig) -> dict[str, Any]:
    recipe = dataclasses.asdict(config.recipe)
    return {
        "model": config.model,
        "pool": config.data.pool,
        "max_examples": config.data.max_examples,
        "num_shadows": config.num_shadows,
        "member_fraction": config.member_fraction,
        "split": config.split,
        "queries": config.queries,
        **{f"recipe.{name}": value for name, value in recipe.items()},
    }


def beside_published(config: CampaignConfig, results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every published set-up of the run's data set and network, with what differs.

    Returns:
      JSON, one entry a source: ``source, preset, attacks{name: {auc, tpr_at_fpr_0.001}}, advantage, train_accuracy,
      test_accuracy, differences[], comparable, why_not``. Not comparable: the pool, the number of examples or models,
      the split's fraction, queries or epochs differ, or the accuracy on non-members is off by more than two points.
    """
    entries = []
    for published in PUBLISHED:
        theirs = PRESETS[published.preset].campaign
        if (theirs.dataset, theirs.model) != (config.dataset, config.model):
            continue
        mine, other = _settings(config), _settings(theirs)
        differ = [name for name in mine if mine[name] != other[name]]
        reasons = [
            f"{name} is {mine[name]}, theirs {other[name]}"
            for name in differ
            if name in ("pool", "max_examples", "num_shadows", "member_fraction", "queries", "recipe.epochs")
        ]
        accuracy = published.test_accuracy
        if accuracy is not None and abs(results["test_accuracy"] - accuracy) > _ACCURACY_MARGIN:
            reasons.append(f"accuracy on non-members is {results['test_accuracy']:.4f}, theirs {accuracy:.4f}")
        entries.append(
            {
                "source": published.source,
                "preset": published.preset,
                "attacks": {name: {"auc": a, "tpr_at_fpr_0.001": t} for name, (a, t) in published.attacks.items()},
                "advantage": published.advantage,
                "train_accuracy": published.train_accuracy,
                "test_accuracy": accuracy,
                "differences": [f"{name}: {mine[name]} here, {other[name]} there" for name in differ]
                + list(PRESETS[published.preset].departures),
                "comparable": not reasons,
                "why_not": reasons,
            }
        )
    return entries


def published_notes(entries: Sequence[Mapping[str, Any]], results: Mapping[str, Any]) -> list[str]:
    """Published and measured figures side by side, in a sentence a source."""
    notes = []
    for entry in entries:
        pairs = [
            f"{name} AUC {theirs['auc']:.4f} (here {results['attacks'][name]['auc']:.4f})"
            for name, theirs in entry["attacks"].items()
            if name in results["attacks"]
        ]
        verdict = "Comparable" if entry["comparable"] else f"Not comparable: {'; '.join(entry['why_not'])}"
        differences = "; ".join(entry["differences"]) or "none"
        notes.append(
            f"Published for this data set and network by {entry['source']}: {', '.join(pairs)}. {verdict}. "
            f"Differences in set-up: {differences}."
        )
    return notes
