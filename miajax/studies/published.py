"""Published figures to stand beside ours, and whether the two may be compared."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.presets import PRESETS
from miajax.metrics.figures import Figure, Figures
from miajax.metrics.forms import Form
from miajax.studies.comparable import flat
from miajax.studies.paper_tables import SOURCE, TABLES

_ACCURACY_MARGIN = 0.02
# What no figure depends on but through chance or rounding.
_HARMLESS = frozenset(
    (
        "seed",
        "parallel",
        "chunk",
        "lowering",
        "tune",
        "group",
        "keep",
        "models",
        "checkpoint_minutes",
        "strict",
        "data.data_path",
    )
)


@dataclasses.dataclass(frozen=True)
class Published:
    """What a source reports for the set-up of a preset; rates are fractions.

    Attributes:
      preset: whose settings are the source's.
      source: where the figures stand.
      attacks: ``{attack: (auc, tpr at FPR 0.001)}``; a TPR that is not reported is None.
      advantage: of the global threshold, where reported.
      train_accuracy, test_accuracy: where reported.
      seconds: of one training on the source's machine, where reported.
    """

    preset: str
    source: str
    attacks: Mapping[str, tuple[float, float | None]]
    advantage: float | None = None
    train_accuracy: float | None = None
    test_accuracy: float | None = None
    seconds: float | None = None


def _undefended(preset: str) -> Published:
    """The first row of the paper's table of defences."""
    campaign = PRESETS[preset].campaign
    row = TABLES[campaign.dataset, campaign.model]["original"]
    attacks = {"global_threshold": (row.threshold_auc, None)}
    return Published(
        preset, SOURCE, attacks, row.threshold_advantage, row.train_accuracy, row.test_accuracy, row.seconds
    )


PUBLISHED = (
    _undefended("purchase100"),
    _undefended("cifar10_densenet"),
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


def settings(config: CampaignConfig) -> dict[str, Any]:
    """Everything in a configuration that figures may depend on, by flat name; not the seed, nor how it is executed."""
    everything = dict(flat(dataclasses.asdict(config)))
    return {name: value for name, value in everything.items() if name not in _HARMLESS}


@dataclasses.dataclass(frozen=True)
class PublishedAttack:
    """One attack's figures there; a TPR that is not reported is None."""

    auc: float
    tpr: Annotated[float | None, Form(key="tpr_at_fpr_0.001")]


@dataclasses.dataclass(frozen=True)
class Beside:
    """A published set-up of the run's data set and network, with what differs.

    Attributes:
      differences: of the set-ups.
      comparable: False where any setting differs but the seed, where the data lie and how training is executed; where
        single examples are treated or the optimiser is one's own; or where the accuracy on non-members is off by more
        than two points, or not known.
      why_not: reasons.
    """

    source: str
    preset: str
    attacks: Mapping[str, PublishedAttack]
    advantage: float | None
    train_accuracy: float | None
    test_accuracy: float | None
    seconds: float | None
    differences: tuple[str, ...]
    comparable: bool
    why_not: tuple[str, ...]


def beside_published(setup: Setup, test_accuracy: float) -> list[Beside]:
    """Every published set-up of the run's data set and network.

    Args:
      setup: of the run.
      test_accuracy: of its models, on non-members.
    """
    entries: list[Beside] = []
    for published in PUBLISHED:
        theirs = PRESETS[published.preset].campaign
        if (theirs.dataset, theirs.model) != (setup.config.dataset, setup.config.model):
            continue
        mine, other = settings(setup.config), settings(theirs)
        reasons = [f"{name} is {mine[name]}, theirs {other[name]}" for name in mine if mine[name] != other[name]]
        if setup.treatment is not None:
            reasons.append(f"examples are treated: {setup.treatment.name}")
        if setup.trainer.optimizer is not None:
            reasons.append(f"the optimiser is {getattr(setup.trainer.optimizer, '__name__', 'one of its own')}")
        differences = (*reasons, *PRESETS[published.preset].departures)
        accuracy = published.test_accuracy
        if accuracy is None:
            reasons.append("the accuracy of the source's models is not known")
        elif not abs(test_accuracy - accuracy) <= _ACCURACY_MARGIN:
            reasons.append(f"accuracy on non-members is {test_accuracy:.4f}, theirs {accuracy:.4f}")
        entries.append(Beside(
            source=published.source,
            preset=published.preset,
            attacks={name: PublishedAttack(auc, tpr) for name, (auc, tpr) in published.attacks.items()},
            advantage=published.advantage,
            train_accuracy=published.train_accuracy,
            test_accuracy=accuracy,
            seconds=published.seconds,
            differences=differences,
            comparable=not reasons,
            why_not=tuple(reasons),
        ))  # fmt: skip
    return entries


def published_notes(
    entries: Sequence[Beside], attacks: Mapping[str, Figures], train: Figure, test: Figure, seconds: float | None = None
) -> list[str]:
    """Published and measured figures side by side, in a few sentences a source.

    Args:
      entries: of ``beside_published``.
      attacks: figures of those that ran here.
      train, test: accuracy on members and on non-members here.
      seconds: that training took here, over the number of models; None where their groups kept no record.
    """
    notes: list[str] = []
    for entry in entries:
        pairs = [
            f"{name} AUC {theirs.auc:.4f} (here {attacks[name].auc.value:.4f})"
            for name, theirs in entry.attacks.items()
            if name in attacks
        ]
        for theirs, here, title in (
            (entry.train_accuracy, train, "members"), (entry.test_accuracy, test, "non-members"),
        ):  # fmt: skip
            if theirs is not None:
                pairs.append(f"accuracy on {title} {theirs:.4f} (here {here.value:.4f})")
        if entry.seconds is not None:
            took = "not measured here" if seconds is None else f"here {seconds:.4g} s a model, many at a time"
            pairs.append(f"{entry.seconds:g} s of training on its machine ({took})")
        verdict = "Comparable" if entry.comparable else f"Not comparable: {'; '.join(entry.why_not)}"
        notes.append(
            f"Published for this data set and network by {entry.source}: {', '.join(pairs)}. {verdict}. "
            f"Differences in set-up: {'; '.join(entry.differences) or 'none'}."
        )
    return notes
