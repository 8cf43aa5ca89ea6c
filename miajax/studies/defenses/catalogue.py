"""The defences that are compared: what each changes, and when it acts."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from miajax.campaign.config import CampaignConfig
from miajax.campaign.privacy import PrivacyFlags
from miajax.described import described
from miajax.errors import UserError
from miajax.models.layers import Norm

Stage = Literal["none", "training", "data", "answers"]
"""When a defence acts: while models train, on single examples before they train, on their answers."""

Settings = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Defense:
    """One row of the comparison.

    Attributes:
      name: in results and as the folder of its campaign.
      title: what tables call it.
      stage: when it acts.
      base: the campaign whose models it takes as they are (``answers``) or trains differently.
      recipe: fields of the recipe that it sets.
      model: options of the network that it sets.
      privacy: flags of private training that it sets.
      treatment: what it does to flagged examples before training: drop, relabel or down_weight.
      control: whether the treated examples are drawn at random, as many as are flagged, to compare with.
      weight: of logit reweighting.
      flagged_only: whether only answers about flagged examples are reweighted.
      borrowed: whether answers get their scores from the model's answers to random inputs (HAMP).
    """

    name: str
    title: str
    stage: Stage
    base: str = "original"
    recipe: Settings = dataclasses.field(default_factory=dict[str, Any])
    model: Settings = dataclasses.field(default_factory=dict[str, Any])
    privacy: Settings = dataclasses.field(default_factory=dict[str, Any])
    treatment: str | None = None
    control: bool = False
    weight: float | None = None
    flagged_only: bool = False
    borrowed: bool = False

    @property
    def specific(self) -> bool:
        """Whether it protects flagged examples only."""
        return self.treatment is not None or self.flagged_only

    @property
    def settings(self) -> Settings:
        """All settings of training that it changes."""
        return {**self.recipe, **self.model, **self.privacy}

    def config(self, base: CampaignConfig) -> CampaignConfig:
        """The campaign that it needs, from the undefended one's settings."""
        changed: dict[str, Any] = {
            "recipe": dataclasses.replace(base.recipe, **self.recipe),
            "model_options": dataclasses.replace(base.model_options, **self.model),
        }
        if self.privacy:
            changed["privacy"] = PrivacyFlags(**self.privacy)
        return dataclasses.replace(base, **changed)


@described
@dataclasses.dataclass(frozen=True)
class Strengths:
    """How strong the defences are."""

    patience: int = 5
    """early stopping: epochs without a lower validation loss"""
    smoothing: float = 0.1
    """label smoothing: share of the target spread evenly"""
    mixup_alpha: float = 1.0
    """mixup: alpha of its Beta distribution"""
    relaxed_loss: float = 0.5
    """RelaxLoss: training loss to keep to, in nats"""
    relaxed_upper: float = 1.0
    """RelaxLoss: highest probability that flattened targets give the label"""
    soft_entropy: float = 0.5
    """HAMP: entropy of its soft labels as a share of the highest"""
    soft_penalty: float = 0.1
    """HAMP: weight of its reward for unsure predictions"""
    private_epsilon: float = 8.0
    """DP-SGD: budget"""
    further_epsilons: tuple[float, ...] = (1.0,)
    """DP-SGD: further budgets, a row dp_sgd_EPSILON each"""
    private_delta: float = 1e-5
    """DP-SGD: delta"""
    private_clip_norm: float = 1.0
    """DP-SGD: clipping norm"""
    private_norm: Norm | None = None
    """DP-SGD: normalisation of the network, where its own passes statistics between examples: group; its own when not
    given"""
    weights: tuple[float, ...] = (0.0, 0.1, 0.5)
    """logit reweighting: weights; 0.1 is the paper's"""

    def __post_init__(self):
        if self.patience < 1:
            raise UserError(f"--patience {self.patience}", expected="1 or more epochs")
        for epsilon in (self.private_epsilon, *self.further_epsilons):
            if not epsilon > 0:
                raise UserError(f"--private_epsilon or --further_epsilons {epsilon:g}", expected="budgets above 0")
        for weight in self.weights:
            if not 0.0 <= weight < 1.0:
                raise UserError(f"--weights {weight}", expected="shares in [0, 1): 1 changes nothing")


def catalogue(strengths: Strengths) -> dict[str, Defense]:
    """All defences by name, the undefended models first; a base stands before what rests on it."""
    s = strengths
    rows = [
        Defense("original", "Original", "none"),
        Defense("early_stopping", "Early stopping", "training", recipe={"early_stopping": s.patience}),
        *(
            Defense(f"l2_{decay}", f"L2 {decay}", "training", recipe={"weight_decay": float(decay)})
            for decay in ("5e-4", "1e-3", "5e-3")
        ),
        *(
            Defense(
                f"l2_dropout_{share}", f"L2 5e-4 + dropout .{share}", "training",
                recipe={"weight_decay": 5e-4}, model={"dropout": share / 100},
            )
            for share in (25, 50)
        ),
        Defense(
            "label_smoothing", f"Label smoothing {s.smoothing:g}", "training",
            recipe={"label_smoothing": s.smoothing},
        ),
        Defense("mixup", f"Mixup {s.mixup_alpha:g}", "training", recipe={"mixup": s.mixup_alpha}),
        Defense(
            "relaxloss", f"RelaxLoss {s.relaxed_loss:g}", "training",
            recipe={"relaxloss": s.relaxed_loss, "relaxloss_upper": s.relaxed_upper},
        ),
        Defense(
            "hamp_training", f"HAMP's training {s.soft_entropy:g}", "training",
            recipe={"hamp": s.soft_entropy, "hamp_penalty": s.soft_penalty},
        ),
        Defense("hamp", f"HAMP {s.soft_entropy:g}", "answers", base="hamp_training", borrowed=True),
        *(
            Defense(
                name, f"DP-SGD, ε {epsilon:g}", "training",
                privacy={"dp_epsilon": epsilon, "dp_delta": s.private_delta, "dp_clip_norm": s.private_clip_norm},
                model={} if s.private_norm is None else {"norm": s.private_norm},
            )
            for name, epsilon in (
                ("dp_sgd", s.private_epsilon), *((f"dp_sgd_{each:g}", each) for each in s.further_epsilons)
            )
        ),
        *(
            Defense(f"reweighting_{w:g}", f"Logit reweighting {w:g}", "answers", weight=w)
            for w in s.weights
        ),
        Defense(
            "l2_dropout_25_reweighting", "L2 5e-4 + dropout .25 + reweighting 0.1", "answers",
            base="l2_dropout_25", weight=0.1,
        ),
        Defense("drop", "Drop the flagged", "data", treatment="drop"),
        Defense("drop_random", "Drop as many at random", "data", treatment="drop", control=True),
        Defense("relabel", "Relabel the flagged", "data", treatment="relabel"),
        Defense("down_weight", "Down-weight the flagged", "data", treatment="down_weight"),
        Defense(
            "reweighting_flagged", "Logit reweighting 0.1, flagged only", "answers", weight=0.1, flagged_only=True
        ),
    ]  # fmt: skip
    return {row.name: row for row in rows}
