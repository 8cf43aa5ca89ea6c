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

import concurrent.futures
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np

from miajax.attacks.lira import online_variant
from miajax.attacks.options import AttackOptions
from miajax.attacks.registry import run_attacks, why_not
from miajax.campaign.config import Setup
from miajax.campaign.epochs import EpochTraces
from miajax.campaign.gathered import Campaign
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.run import run_campaign
from miajax.campaign.storing import kept
from miajax.described import described
from miajax.errors import UserError
from miajax.metrics.accuracy import mean_of_cells, share_correct
from miajax.metrics.clusters import Groups
from miajax.metrics.figures import Estimate, Figure, unresolved
from miajax.metrics.groups import JOINS, Join, PerGroup, joined, of_groups
from miajax.metrics.intervals import CONFIDENCE
from miajax.metrics.paired import Influence, influences, mean_difference, mean_rate, mean_value
from miajax.metrics.summary import POOLED, AttackSummary, summarise, unresolved_notes
from miajax.metrics.without_models import Checks
from miajax.notes import headed, not_done
from miajax.runs.atomic import atomic_file, write_text
from miajax.signals.bundle import Signals
from miajax.studies import common
from miajax.studies.attacked.entries import run_families
from miajax.studies.attacked.groups import join_of, with_groups
from miajax.studies.campaign_page import Run
from miajax.studies.head import Head, head_of, mean_over_models
from miajax.studies.invocation import Invocation
from miajax.studies.overfitting.figures import (
    AttackChange,
    AttackCurve,
    Growth,
    GrowthChange,
    Histograms,
    Losses,
    Overfitting,
    Rise,
    Side,
    Sides,
    Stopped,
    StoppedChange,
    Stopping,
)
from miajax.studies.results import FoundInCampaign
from miajax.warned import collected_warnings

ATTACKS = ("global_threshold", "gap", "lira_online", "lira_online_fixed")
FPRS = (1e-3, 1e-2)
_BINS = 60
_RULES = ("validation_loss", "validation_accuracy")


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


class _Moment(NamedTuple):
    """What all models are at one moment: after an epoch, or each at an epoch of its own.

    Attributes:
      phi, correct: ``[M, N]``.
      scores: ``{attack: float32[M, N]}``.
    """

    phi: np.ndarray
    correct: np.ndarray
    scores: common.Scores


class _AtMoment(NamedTuple):
    """What is said of one moment.

    Attributes:
      right: accuracy on members and on non-members, with every cell's influence.
      accuracy, gap, loss: with their intervals.
      attacks: by name.
    """

    right: tuple[Influence, Influence]
    accuracy: Mapping[Side, Figure]
    gap: Figure
    loss: Mapping[Side, Figure]
    attacks: Mapping[str, AttackSummary]


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
        study = _Study(campaign)
    with called.timed("blind"):
        checks = common.blind_checks(campaign)
    with called.timed("attack"):
        found = study.found(shown, options.margin, head_of(campaign), checks)
    found = dataclasses.replace(found, notes=(*common.campaign_notes(campaign), *found.notes))
    found = called.finished(
        "overfitting",
        path / "overfitting",
        found,
        lambda each: _write_report(campaign, each, called.command),
        [campaign.timing],
    )
    return FoundInCampaign(path / "overfitting", found, campaign)


class _Study:
    def __init__(self, campaign: Campaign):
        self.campaign, self.member, self.valid = campaign, campaign.member, campaign.valid
        self.traces = EpochTraces(campaign.folder, len(campaign.valid))
        self.groups = campaign.setup.dataset.groups
        self.inside, self.outside = (side & self.valid[:, None] for side in (self.member, ~self.member))
        self.notes: list[str] = []
        last = self._moment(self.traces.num_epochs, ATTACKS)
        signals = self._signals(last)
        reasons = {name: why_not(name, signals, self.member, self.valid) for name in ATTACKS}
        able = [name for name, reason in reasons.items() if not reason]
        ran = run_families(able, signals, self.member, self.valid, AttackOptions())
        self.names = tuple(ran.scores)
        reasons |= ran.failed
        self.notes += [not_done(name, "run", reason) for name, reason in reasons.items() if reason]
        lira = online_variant(int(self.valid.sum()))
        self.main = lira if lira in self.names else "global_threshold"
        self.last = last._replace(scores=ran.scores)

    def found(self, shown: Sequence[int], margin: float, head: Head, checks: Checks) -> Overfitting:
        """All that the study finds; the notes on the campaign are not among its notes."""
        epochs = range(1, self.traces.num_epochs + 1)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:  # an epoch's figures take one core, its attacks all
            by_epoch = list(pool.map(self._of_epoch, epochs))
        loss, accuracy = (self._validation(rule) for rule in _RULES)
        if self.campaign.setup.config.queries > 1:
            self.notes.append("Epochs are judged by the unmodified view of each example alone.")
        losses = tuple(each.loss["non_member"] for each in by_epoch)
        return Overfitting(
            head=head,
            checks=checks,
            epochs=tuple(epochs),
            accuracy=Sides(
                member=tuple(each.accuracy["member"] for each in by_epoch),
                non_member=tuple(each.accuracy["non_member"] for each in by_epoch),
                validation=self._means(accuracy),
            ),
            gap=tuple(each.gap for each in by_epoch),
            loss=Losses(tuple(each.loss["member"] for each in by_epoch), losses, self._means(loss), self._rise(losses)),
            attacks={name: _curve([each.attacks[name] for each in by_epoch]) for name in self.names},
            histograms=self._histograms(shown),
            main_attack=self.main,
            fpr=self._speaking_fpr(),
            growth=self._growth(by_epoch, margin),
            early_stopping=self._early_stopping(loss, accuracy),
            notes=tuple(dict.fromkeys(self.notes)),
        )

    def _signals(self, moment: _Moment) -> Signals:
        return Signals(moment.phi[:, :, None], moment.correct, self.campaign.setup.dataset.labels)

    def _moment(self, epoch: int, without: Sequence[str] = ()) -> _Moment:
        return self._attacked(self.traces.scaled_logit(epoch), self.traces.correct(epoch), without)

    def _attacked(self, phi: np.ndarray, correct: np.ndarray, without: Sequence[str] = ()) -> _Moment:
        moment = _Moment(np.where(self.valid[:, None], phi, np.nan), correct & self.valid[:, None], {})
        if without:
            return moment
        runs = run_attacks(self.names, self._signals(moment), self.member, self.valid)
        return moment._replace(scores={name: scores for name, (scores, _) in runs.items()})

    def _of_epoch(self, epoch: int) -> _AtMoment:
        return self._figures(self.last if epoch == self.traces.num_epochs else self._moment(epoch))

    def _figures(self, moment: _Moment) -> _AtMoment:
        inside, outside = (share_correct(moment.correct, side, self.groups) for side in (self.inside, self.outside))
        attacks = {
            name: summarise(scores, self.member, self.valid, fprs=FPRS, each_target=False, groups=self.groups)
            for name, scores in moment.scores.items()
        }
        attacks = with_groups(
            attacks, moment.scores, self.member, self.valid, self.groups, each_target=False, fprs=FPRS
        )  # fmt: skip
        for name, found in attacks.items():
            notes = unresolved_notes(found, found.num_non_members, POOLED)
            if found.per_group is not None:
                of = found.per_group.figures
                notes += unresolved_notes(of, of.num_non_members, f"{POOLED} by group")
            self.notes += [headed([name], note) for note in notes]
        return _AtMoment(
            right=(inside, outside),
            accuracy={"member": mean_rate([inside]), "non_member": mean_rate([outside])},
            gap=mean_difference([(inside, outside)]),
            loss={
                "member": mean_value([self._loss(moment, self.inside)]),
                "non_member": mean_value([self._loss(moment, self.outside)]),
            },
            attacks=attacks,
        )

    def _loss(self, moment: _Moment, cells: np.ndarray) -> Influence:
        """Mean cross-entropy over some cells, in nats."""
        return mean_of_cells(np.logaddexp(0.0, -moment.phi.astype(np.float64)), cells, self.groups)

    def _rise(self, by_epoch: Sequence[Figure]) -> Rise | None:
        lowest = int(np.argmin([each.value for each in by_epoch]))
        if lowest == len(by_epoch) - 1:
            return None
        pair = (self._loss(self.last, self.outside), self._loss(self._moment(lowest + 1, ATTACKS), self.outside))
        return Rise(lowest + 1, mean_difference([pair], 1 - (1 - CONFIDENCE) / (len(by_epoch) - 1)))

    def _validation(self, rule: str) -> np.ndarray | None:
        """``float64[M, E]``; None where no part of the pool was set aside."""
        if self.campaign.setup.dataset.validation_labels is None:
            return None
        return self.campaign.folder.gather(rule, len(self.valid)).astype(np.float64)

    def _means(self, validation: np.ndarray | None) -> tuple[Estimate, ...] | None:
        return None if validation is None else tuple(mean_over_models(each) for each in validation[self.valid].T)

    def _speaking_fpr(self) -> float:
        outside = self.outside if self.groups is None else of_groups(self.outside, self.groups)
        return next((fpr for fpr in FPRS if outside.sum() * fpr >= 1), FPRS[-1])

    def _histograms(self, shown: Sequence[int]) -> Histograms:
        phi = {epoch: self.traces.scaled_logit(epoch) for epoch in shown}
        pooled = np.concatenate([array[self.valid].ravel() for array in phi.values()])
        low, high = np.quantile(pooled, [0.001, 0.999])
        edges = cast(np.ndarray, np.linspace(low, high, _BINS + 1))

        def densities(side: np.ndarray) -> tuple[tuple[float, ...], ...]:
            values = [array[side] for array in phi.values()]
            counts = [np.histogram(np.clip(each, low, high), edges)[0] for each in values]
            return tuple(
                tuple((count / each.size / np.diff(edges)).tolist()) for count, each in zip(counts, values, strict=True)
            )

        return Histograms(tuple(shown), tuple(edges.tolist()), densities(self.inside), densities(self.outside))

    def _growth(self, by_epoch: Sequence[_AtMoment], margin: float) -> Growth | None:
        """What changes from the epoch where accuracy on non-members stands to the last."""
        outside = [each.right[1] for each in by_epoch]
        rises = [mean_difference([(outside[-1], each)]) for each in outside[:-1]]
        first = standing_from(rises, margin)
        if first is None:
            self.notes.append(
                f"Accuracy on non-members may still rise by {100 * margin:g} points or more after every epoch but the "
                "last."
            )
            return None
        return Growth(
            from_epoch=first + 1,
            to_epoch=len(by_epoch),
            margin=margin,
            change=GrowthChange(rises[first], self._change(self.last, self._moment(first + 1))),
        )

    def _change(self, one: _Moment, other: _Moment) -> dict[str, AttackChange]:
        """Attack by attack what ``one`` has more than ``other``, paired."""
        changes = {name: self._changed(one.scores[name], other.scores[name], self.member, self.groups)
                   for name in self.names}  # fmt: skip
        if self.groups is None:
            return changes
        whole = of_groups(self.member, self.groups)
        for name, by_row in changes.items():
            here, there = (joined(at.scores[name], self.groups, join_of(name)) for at in (one, other))
            changes[name] = dataclasses.replace(by_row, per_group=self._changed(here, there, whole, None))
        return changes

    def _changed(self, one: np.ndarray, other: np.ndarray, member: np.ndarray, groups: Groups) -> AttackChange:
        """What one attack's scores find more than another moment's, of rows or of groups."""
        fpr = self._speaking_fpr()
        here, there = (influences(scores, member, self.valid, fpr, groups=groups) for scores in (one, other))
        tpr: Estimate = unresolved(fpr, int((~member)[self.valid].sum()))
        if here.tpr is not None and there.tpr is not None:
            tpr = mean_difference([(here.tpr, there.tpr)])
        return AttackChange(mean_difference([(here.auc, there.auc)]), {fpr: tpr})

    def _early_stopping(self, loss: np.ndarray | None, accuracy: np.ndarray | None) -> Stopping | None:
        if loss is None or accuracy is None:
            self.notes.append("No part of the pool was set aside for validation: early stopping is not judged.")
            return None
        best = {"validation_loss": loss.argmin(1), "validation_accuracy": accuracy.argmax(1)}
        rules = {rule: self._stopped(np.where(self.valid, epochs, 0) + 1) for rule, epochs in best.items()}
        return Stopping(int(np.argmin(loss[self.valid].mean(0))) + 1, rules)

    def _stopped(self, epochs: np.ndarray) -> Stopped:
        """All models, each after an epoch of its own, and how that differs from the last epoch."""
        moment = self._attacked(*self.traces.each_at(epochs))
        figures = self._figures(moment)
        inside, outside = figures.right
        last = [share_correct(self.last.correct, side, self.groups) for side in (self.inside, self.outside)]
        chosen = epochs[self.valid]
        return Stopped(
            epoch_mean=float(chosen.mean()),
            epoch_min=int(chosen.min()),
            epoch_max=int(chosen.max()),
            accuracy=figures.accuracy,
            gap=figures.gap,
            attacks=figures.attacks,
            change=StoppedChange(
                member_accuracy=mean_difference([(inside, last[0])]),
                non_member_accuracy=mean_difference([(outside, last[1])]),
                gap=mean_difference([(inside.minus(outside), last[0].minus(last[1]))]),
                attacks=self._change(moment, self.last),
            ),
        )


def standing_from(rises: Sequence[Figure], margin: float) -> int | None:
    """The place of the first epoch from which on an accuracy is shown to rise by less than ``margin``; None if none is.

    Equivalence, not the absence of a difference: with fewer models the intervals are wider and the place later.

    Args:
      rises: of each epoch but the last, the last epoch's accuracy minus its own.
      margin: a difference of accuracies.
    """
    open_ended = [place for place, rise in enumerate(rises) if rise.ci[1] >= margin]
    first = open_ended[-1] + 1 if open_ended else 0
    return first if first < len(rises) else None


def _curve(found: Sequence[AttackSummary]) -> AttackCurve:
    """One attack's figures of all epochs."""
    whole = [each.per_group for each in found if each.per_group is not None]
    per_group = None
    if whole:
        by_join: dict[Join, AttackCurve] = {join: _curve([each.by_join[join] for each in whole]) for join in JOINS}
        per_group = PerGroup[AttackCurve].of(whole[0].leads, whole[0].num_groups, by_join.__getitem__)
    return AttackCurve(
        per_group=per_group,
        auc=tuple(each.auc for each in found),
        advantage=tuple(each.advantage for each in found),
        tpr_at_fpr={fpr: tuple(each.tpr_at_fpr[fpr] for each in found) for fpr in FPRS},
    )


def _write_report(campaign: Campaign, found: Overfitting, command: str) -> None:
    from miajax.report.plots import save_png
    from miajax.studies.overfitting.page import curves_figure, render_overfitting_report

    folder = campaign.folder.path / "overfitting"
    write_text(folder / "report.html", render_overfitting_report(found, Run.of(campaign, command)))
    with atomic_file(folder / "curves.png") as file:
        save_png(curves_figure(found), file)
