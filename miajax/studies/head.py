"""What results say of the models and of the run before they come to attacks; every study of a campaign says it."""

import dataclasses
from typing import Annotated

import numpy as np

from miajax.campaign.gathered import Campaign
from miajax.campaign.made import versions
from miajax.metrics.accuracy import interval_over_models
from miajax.metrics.figures import Estimate, Figure
from miajax.metrics.forms import SPREAD
from miajax.metrics.paired import mean_difference, mean_rate
from miajax.metrics.without_models import Checks
from miajax.report.provenance import Ran
from miajax.runs.made import Made
from miajax.studies import common
from miajax.studies.results import Found, Record


@dataclasses.dataclass(frozen=True, kw_only=True)
class Head:
    """The models of a run.

    Attributes:
      unit, num_groups: what members are drawn by: ``row``, or ``group``, of how many.
      target: the only model that was attacked, or None.
      train_accuracy, test_accuracy: on members and on non-members.
      generalization_gap: paired.
      official_test_accuracy: on the data set's own test split.
      privacy: of private training; None where it is not private.
      num_non_members: pooled over targets.
      made: what all commands that made the models spent.
      failed_models: those that did not train well.
    """

    dataset: str
    model: str
    num_shadows: int
    num_valid: int
    num_examples: int
    member_fraction: float
    split: str
    seed: int
    queries: int
    target: int | None
    train_accuracy: Figure
    test_accuracy: Figure
    generalization_gap: Figure
    official_test_accuracy: Estimate
    privacy: Record | None
    num_non_members: int
    plan: Record
    device: str
    versions: Record
    made: Made
    failed_models: tuple[int, ...]
    unit: str = "row"
    num_groups: int | None = None


def head_of(campaign: Campaign, target: int | None = None) -> Head:
    """The head of a campaign's results; ``target`` is the only model that is attacked, if there is one."""
    setup, config = campaign.setup, campaign.setup.config
    valid = common.rows_of(campaign, target)
    official = campaign.official_test_accuracy
    inside, outside = common.accuracies(campaign, valid)
    return Head(
        dataset=setup.dataset.name,
        model=setup.trainer.model.name,
        num_shadows=config.num_shadows,
        num_valid=int(campaign.valid.sum()),
        num_examples=setup.dataset.num_examples,
        member_fraction=config.member_fraction,
        split=config.split,
        seed=config.seed,
        queries=config.queries,
        target=target,
        train_accuracy=mean_rate([inside]),
        test_accuracy=mean_rate([outside]),
        generalization_gap=mean_difference([(inside, outside)]),
        official_test_accuracy=Estimate(None, reason="The data set has no test split of its own.")
        if official is None
        else mean_over_models(official[valid]),
        privacy=common.campaign_privacy(campaign, target),
        num_non_members=int((~campaign.member)[valid].sum()),
        plan=dataclasses.asdict(campaign.plan),
        device=campaign.folder.manifest["device"],
        versions=versions(),
        made=common.made_by([campaign]),
        failed_models=tuple(int(i) for i in np.flatnonzero(~campaign.valid)),
        **common.unit_of(setup.dataset),
    )


def mean_over_models(values: np.ndarray) -> Estimate:
    """The mean of a figure that each model has, models being the sample; NaN is left out."""
    interval = interval_over_models(values)
    return Estimate(float(np.nanmean(values)), None if interval is None else (interval[0], interval[1]))


@dataclasses.dataclass(frozen=True, kw_only=True)
class CampaignFound(Found):
    """What a study of one campaign found.

    Attributes:
      head: the models.
      checks: whether members differ from others without any model.
    """

    head: Annotated[Head, SPREAD]
    checks: Annotated[Checks, SPREAD]

    @property
    def ran(self) -> Ran:
        """The run as its page prints it."""
        head = self.head
        return Ran(
            num_shadows=head.num_shadows, seed=head.seed, device=head.device, plan=head.plan, versions=head.versions,
            made=head.made, timing=self.timing, privacy=head.privacy,
        )  # fmt: skip
