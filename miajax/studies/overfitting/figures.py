"""The figures of the study of epochs, as values: what the page, the sentences and the table read."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

from miajax.metrics.figures import Estimate, Figure
from miajax.metrics.forms import LEFT_OUT, SPREAD, TOGETHER, Form
from miajax.metrics.groups import PerGroup
from miajax.metrics.json_form import Together
from miajax.metrics.summary import AttackSummary
from miajax.studies.head import CampaignFound

ByEpoch = tuple[Figure, ...]
"""After epochs 1 to E."""
Side = Literal["member", "non_member"]
SIDES: tuple[Side, ...] = ("member", "non_member")


@dataclasses.dataclass(frozen=True)
class Sides:
    """Accuracy or loss after every epoch; ``validation`` is None where no part of the pool was set aside."""

    member: ByEpoch
    non_member: ByEpoch
    validation: tuple[Estimate, ...] | None


@dataclasses.dataclass(frozen=True)
class Rise:
    """What the loss on non-members rises from its lowest epoch to the last, by an interval that counts all epochs."""

    epoch: int
    change: Annotated[Figure, SPREAD]


@dataclasses.dataclass(frozen=True)
class Losses(Sides):
    """Mean cross-entropy in nats; ``rise`` is None where the last epoch is the lowest."""

    rise: Rise | None


@dataclasses.dataclass(frozen=True)
class AttackCurve:
    """One attack after every epoch; ``per_group`` where members are drawn by group."""

    auc: ByEpoch
    advantage: ByEpoch
    tpr_at_fpr: Annotated[Mapping[float, tuple[Estimate, ...]], Form(chance="chance_tpr_at_fpr")]
    per_group: Annotated["PerGroup[AttackCurve] | None", LEFT_OUT] = None


@dataclasses.dataclass(frozen=True)
class AttackChange:
    """What one attack finds more than at another moment, paired; ``per_group`` by group, scores joined as they lead."""

    auc: Together
    tpr_at_fpr: Mapping[float, Annotated[Estimate, TOGETHER]]
    per_group: Annotated["AttackChange | None", LEFT_OUT] = None


@dataclasses.dataclass(frozen=True)
class Histograms:
    """Densities of the scaled logit: ``[chosen epochs][bins]``."""

    epochs: tuple[int, ...]
    edges: tuple[float, ...]
    member: tuple[tuple[float, ...], ...]
    non_member: tuple[tuple[float, ...], ...]


@dataclasses.dataclass(frozen=True)
class GrowthChange:
    """The last epoch minus the one from which accuracy on non-members stands."""

    non_member_accuracy: Together
    attacks: Mapping[str, AttackChange]


@dataclasses.dataclass(frozen=True)
class Growth:
    """From the epoch where the interval of what accuracy on non-members still rises lies below ``margin``."""

    from_epoch: int
    to_epoch: int
    margin: float
    change: GrowthChange


@dataclasses.dataclass(frozen=True)
class StoppedChange:
    """Every model at its own epoch minus all at the last."""

    member_accuracy: Together
    non_member_accuracy: Together
    gap: Together
    attacks: Mapping[str, AttackChange]


@dataclasses.dataclass(frozen=True)
class Stopped:
    """All models, each taken at its own best validation epoch."""

    epoch_mean: float
    epoch_min: int
    epoch_max: int
    accuracy: Mapping[Side, Together]
    gap: Together
    attacks: Mapping[str, AttackSummary]
    change: StoppedChange


@dataclasses.dataclass(frozen=True)
class Stopping:
    """What stopping early does, by rule; ``best_epoch`` is the lowest of the mean validation loss."""

    best_epoch: int
    rules: Mapping[str, Stopped]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Overfitting(CampaignFound):
    """What the study of epochs found.

    Attributes:
      gap: accuracy on members minus accuracy on non-members.
      main_attack, fpr: what sentences speak of, on the unit that members are drawn by.
      growth: None where accuracy on non-members is not shown to stand before the last epoch.
      early_stopping: None without a validation part.
    """

    epochs: tuple[int, ...]
    accuracy: Sides
    gap: ByEpoch
    loss: Losses
    attacks: Mapping[str, AttackCurve]
    histograms: Histograms
    main_attack: str
    fpr: float
    growth: Growth | None
    early_stopping: Stopping | None

    @property
    def main(self) -> AttackCurve:
        """The curve of the attack that sentences speak of."""
        return self.attacks[self.main_attack]

    @property
    def of_unit(self) -> "Overfitting":
        """The same with what attacks find of groups in the place of what they find of rows, where members are groups.

        Accuracies and losses stay those of rows.
        """
        attacks = {name: curve.per_group.lead for name, curve in self.attacks.items() if curve.per_group}
        if not attacks:
            return self
        growth, stopping = self.growth, self.early_stopping
        if growth is not None:
            growth = dataclasses.replace(growth, change=_of_groups(growth.change))
        if stopping is not None:
            rules = {
                rule: dataclasses.replace(
                    of,
                    attacks={name: each.per_group.figures for name, each in of.attacks.items() if each.per_group},
                    change=_of_groups(of.change),
                )
                for rule, of in stopping.rules.items()
            }
            stopping = dataclasses.replace(stopping, rules=rules)
        return dataclasses.replace(self, attacks=attacks, growth=growth, early_stopping=stopping)


_Change = TypeVar("_Change", GrowthChange, StoppedChange)


def _of_groups(change: _Change) -> _Change:
    attacks = {name: each.per_group for name, each in change.attacks.items() if each.per_group}
    return dataclasses.replace(change, attacks=attacks)
