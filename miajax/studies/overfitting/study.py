"""How vulnerability grows while models train, and what stopping early does about it.

All shadow models advance together, so that one training run gives every attack at every epoch. Beside the run the study
writes ``<run>/overfitting/results.json``, ``report.html`` and ``curves.png``. ``results.json`` holds the head of every
study and, with E epochs counted from 1,

    epochs                  [E]
    accuracy                {member, non_member, validation} and each with _ci: [E]; intervals [E][2]; validation is
                            null where no part of the pool was set aside, and its intervals let models vary alone
    gap, gap_ci             [E], [E][2]: accuracy on members minus accuracy on non-members
    loss                    as accuracy, in nats; rise: {epoch, value, ci}, what the loss on non-members rises from its
                            lowest epoch to the last, paired, by an interval that counts all epochs
    attacks.<name>          {auc, auc_ci, advantage, advantage_ci}: [E]; {tpr_at_fpr, tpr_at_fpr_ci,
                            chance_tpr_at_fpr}.<fpr>: [E]
    histograms              {epochs, edges, member, non_member}: densities of the scaled logit, [chosen epochs][bins]
    main_attack, fpr        what sentences speak of
    growth                  null, or {from_epoch, to_epoch, margin, change}: from the epoch where accuracy on
                            non-members stands (the 95 % interval of its rise lies below the margin) to the last
    early_stopping          null, or {best_epoch, rules.<rule>: {epoch_mean, epoch_min, epoch_max, accuracy, gap,
                            attacks.<name>, change}}; every model is taken at its own best validation epoch, shadow
                            models too, and ``change`` holds that minus the last epoch, paired, with intervals

In ``growth`` and ``early_stopping`` a figure with its interval is ``{value, ci}``. Where members are drawn by group,
every attack, also there, has ``per_group``, and ``fpr`` is one that so many groups resolve.
"""

import dataclasses
from pathlib import Path

import numpy as np

from miajax.campaign.config import Setup
from miajax.campaign.gathered import Campaign
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.run import run_campaign
from miajax.campaign.storing import kept
from miajax.described import described
from miajax.errors import UserError
from miajax.report.objections import Speaking, objections
from miajax.runs.atomic import atomic_file, write_text
from miajax.studies import common
from miajax.studies.campaign_page import Run
from miajax.studies.head import head_of
from miajax.studies.invocation import Invocation
from miajax.studies.overfitting.epochs import Epochs
from miajax.studies.overfitting.figures import (
    Overfitting,
)
from miajax.studies.results import FoundInCampaign
from miajax.warned import collected_warnings


@described
@dataclasses.dataclass(frozen=True)
class OverfittingOptions:
    """What is shown of the epochs."""

    histogram_epochs: tuple[int, ...] | None = None
    """epochs, from 1, whose scaled logits are drawn; four from the first to the last when not given"""
    margin: float = 0.005
    """accuracy on non-members stands from where the 95 % interval of its rise to the last epoch lies below this"""

    def __post_init__(self):
        if not 0.0 < self.margin < 1.0:
            raise UserError(f"--margin {self.margin}", expected="a difference of accuracies between 0 and 1")

    def shown(self, num_epochs: int) -> tuple[int, ...]:
        """The epochs to draw.

        Raises:
          UserError: there is no such epoch.
        """
        if self.histogram_epochs is None:
            return tuple(sorted({round(epoch) for epoch in np.geomspace(1, num_epochs, 4).tolist()}))
        for epoch in self.histogram_epochs:
            if not 1 <= epoch <= num_epochs:
                raise UserError(f"--histogram_epochs {epoch}", expected=f"epochs 1 to {num_epochs}")
        return tuple(sorted(set(self.histogram_epochs)))


@collected_warnings()
def run_overfitting(
    setup: Setup,
    path: Path,
    options: OverfittingOptions | None = None,
    reporter: Reporter | None = None,
    invocation: Invocation | None = None,
) -> FoundInCampaign[Overfitting]:
    """Trains what is missing, and attacks every model after every epoch.

    Args:
      setup: the campaign; its validation part, if it has one, is what early stopping is judged by.
      path: the run folder.
      options: defaults if None.
      reporter: listens; silent by default.
      invocation: how the study was called; from code if None.

    Raises:
      UserError: see ``run_campaign``; the recipe itself stops early; the run kept no records of its epochs.
    """
    options, reporter = options or OverfittingOptions(), reporter or Silent()
    called = invocation or Invocation()
    setup.require_network("a study of overfitting over epochs")
    recipe = setup.config.recipe
    if recipe.early_stopping:
        raise UserError(
            f"--early_stopping {recipe.early_stopping} hides the epochs that this study is about",
            expected="0",
            remedy="Leave it out: stopping each model at its best validation epoch is part of the study",
        )
    shown = options.shown(recipe.epochs)
    keep = tuple(dict.fromkeys((*kept(setup), "losses", "margins")))
    setup = dataclasses.replace(setup, config=dataclasses.replace(setup.config, keep=keep))
    campaign = run_campaign(setup, path, reporter)
    with called.timed("attack"):
        study = Epochs(campaign)
    with called.timed("blind"):
        checks = common.blind_checks(campaign)
    with called.timed("attack"):
        found = study.found(shown, options.margin, head_of(campaign), checks)
    found = dataclasses.replace(
        found,
        objections=objections(Speaking(contest=tuple(found.attacks), checks=checks)),
        notes=(*common.campaign_notes(campaign), *found.notes),
    )
    found = called.finished(
        "overfitting",
        path / "overfitting",
        found,
        lambda each: _write_report(campaign, each, called.command),
        [campaign.timing],
    )
    return FoundInCampaign(path / "overfitting", found, campaign)


def _write_report(campaign: Campaign, found: Overfitting, command: str) -> None:
    from miajax.report.plots import save_png
    from miajax.studies.overfitting.page import curves_figure, render_overfitting_report

    folder = campaign.folder.path / "overfitting"
    write_text(folder / "report.html", render_overfitting_report(found, Run.of(campaign, command)))
    with atomic_file(folder / "curves.png") as file:
        save_png(curves_figure(found), file)
