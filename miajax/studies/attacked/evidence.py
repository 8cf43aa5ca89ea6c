"""What the LiRA report is made from, and what it derives from that: counts, samples to plot, per-target figures."""

import dataclasses
import functools
import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Num

from miajax.attacks.registry import BASELINE
from miajax.campaign.gathered import Campaign
from miajax.metrics import roc
from miajax.metrics.claims import Lead
from miajax.report import attack_table, numbers, plots
from miajax.report.attack_faces import face
from miajax.report.attack_table import AttackFigures
from miajax.studies import common
from miajax.studies.attacked.results import AttackedFound
from miajax.studies.attacked.words import Standing, speaking_fpr, standing

_MOST_CELLS = 500_000  # (model, example) cells behind a plot: enough for its bins, quick to draw
OFFLINE = ("lira_offline", "lira_offline_fixed")


@dataclasses.dataclass(frozen=True, eq=False)
class LiraReportInputs:
    """Everything that the report is made from.

    Attributes:
      found: the figures.
      config: the resolved configuration.
      manifest: fingerprint, hashes, plan, seeds.
      command: what was typed.
      rocs: of each attack, ``(fpr, tpr)`` of its pooled ROC, ascending.
      signals: scaled logits ``[M, N, Q]``; NaN where a model failed.
      membership: ``[M, N]``.
      valid: ``[M]``, False for a model that failed.
      labels: ``[N]``.
      vulnerability: per-example AUC ``[N]`` of the scaled logit: the probability that a model trained on the example
        shows a higher one than a model that was not; 0.5 is chance, NaN where an example has too few models. Not of an
        attack's scores: leaving the target out of its own statistics biases them against each single example.
      scores: of the main attack, ``[M, N]``; NaN where it gives none (every row but the target's, for one target).
      train_accuracies: each model's accuracy on its members, ``[M]``.
      test_accuracies: each model's accuracy on its non-members, ``[M]``.
      main_attack: the attack that ``scores`` belong to.
      pictures: ``[N, H, W]`` or ``[N, H, W, channels]``, or None where examples are no pictures.
      class_names: one a class, or empty.
      redacted: show examples by number only.
    """

    found: AttackedFound
    config: Mapping[str, Any]
    manifest: Mapping[str, Any]
    command: str
    rocs: Mapping[str, tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]]
    signals: Float[np.ndarray, "models examples queries"]
    membership: Bool[np.ndarray, "models examples"]
    valid: Bool[np.ndarray, " models"]
    labels: Int[np.ndarray, " examples"]
    vulnerability: Float[np.ndarray, " examples"]
    scores: Float[np.ndarray, "models examples"]
    train_accuracies: Float[np.ndarray, " models"]
    test_accuracies: Float[np.ndarray, " models"]
    main_attack: str = "lira_online"
    pictures: Num[np.ndarray, "examples height width *channels"] | None = None
    class_names: Sequence[str] = ()
    redacted: bool = True

    @classmethod
    def of(
        cls,
        campaign: Campaign,
        found: AttackedFound,
        scores: common.Scores,
        rocs: common.Rocs,
        per_example_auc: Float[np.ndarray, " examples"],
        *,
        otherwise: str,
        show_records: bool,
        command: str,
    ) -> "LiraReportInputs":
        """What the reports on attacks are made from.

        Args:
          campaign: the models.
          found: the figures.
          scores: of every attack.
          rocs: to plot.
          per_example_auc: ``[N]``, of the scaled logit.
          otherwise: the attack that sentences are about where none is the strongest.
          show_records: whether a data set of one's own may be shown.
          command: what was typed.
        """
        dataset, target = campaign.setup.dataset, found.head.target
        main_attack = otherwise if found.strongest is None else found.strongest.attack
        shown = scores[main_attack]
        if target is not None:
            shown = np.where(common.rows_of(campaign, target)[:, None], shown, np.nan)
        may_show = dataset.shippable or show_records
        return cls(
            found=found,
            config=dataclasses.asdict(campaign.setup.config),
            manifest=campaign.folder.manifest,
            command=command,
            rocs=rocs,
            signals=campaign.signals,
            membership=campaign.member,
            valid=campaign.valid,
            labels=dataset.labels,
            vulnerability=per_example_auc,
            scores=shown,
            train_accuracies=campaign.train_accuracy,
            test_accuracies=campaign.test_accuracy,
            main_attack=main_attack,
            pictures=common.pictures_of(dataset) if may_show else None,
            class_names=dataset.class_names,
            redacted=not may_show,
        )


@dataclasses.dataclass(frozen=True)
class Evidence:
    """The inputs with everything that more than one sentence or figure needs of them."""

    inputs: LiraReportInputs

    @functools.cached_property
    def num_models(self) -> int:
        """Models that trained well."""
        return int(np.count_nonzero(self.inputs.valid))

    @functools.cached_property
    def scored(self) -> Bool[np.ndarray, "models examples"]:
        """Cells that the main attack gives a score."""
        return np.isfinite(self.inputs.scores) & self.inputs.valid[:, None]

    @functools.cached_property
    def targets(self) -> Int[np.ndarray, " targets"]:
        """Models that are targets."""
        return np.flatnonzero(self.scored.any(axis=1))

    @functools.cached_property
    def members(self) -> Int[np.ndarray, " targets"]:
        """Of each target, the members with a score."""
        return np.count_nonzero((self.scored & self.inputs.membership)[self.targets], axis=1)

    @functools.cached_property
    def non_members(self) -> Int[np.ndarray, " targets"]:
        """Of each target, the non-members with a score."""
        return np.count_nonzero((self.scored & ~self.inputs.membership)[self.targets], axis=1)

    @property
    def pooled_non_members(self) -> int:
        """Non-members behind every pooled rate."""
        return int(self.non_members.sum())

    @property
    def non_members_per_target(self) -> int:
        """Non-members behind a target's own rates: the smallest number of any target."""
        return int(self.non_members.min(initial=self.pooled_non_members))

    @functools.cached_property
    def attacks(self) -> tuple[AttackFigures, ...]:
        """Pooled figures of every attack that ran."""
        return tuple(AttackFigures(name, found) for name, found in self.inputs.found.figures.items())

    @functools.cached_property
    def attacks_per_target(self) -> tuple[AttackFigures, ...]:
        """Figures of every attack as means over targets, of those attacks that have them."""
        every = ((name, found.per_target) for name, found in self.inputs.found.figures.items())
        return tuple(AttackFigures(name, own) for name, own in every if own is not None)

    def figures(self, attack: str) -> AttackFigures:
        """Pooled figures of one attack, or why it did not run."""
        why = self.inputs.found.attacks_not_run.get(attack)
        reason = attack_table.NOT_COMPUTED if why is None else f"Not run: it {why}."
        return AttackFigures(attack, self.inputs.found.figures.get(attack), reason)

    @functools.cached_property
    def main(self) -> AttackFigures:
        """Pooled figures of the main attack."""
        return self.figures(self.inputs.main_attack)

    @property
    def lead(self) -> Lead | None:
        """The strongest attack and how it was chosen, or None."""
        return self.inputs.found.strongest

    @functools.cached_property
    def fpr(self) -> float | None:
        """The false-positive rate that sentences speak of: that by which attacks are ranked, where there is one."""
        if self.lead is not None and self.lead.fpr is not None:
            return float(self.lead.fpr)
        return speaking_fpr(self.main)

    @functools.cached_property
    def main_standing(self) -> Standing | None:
        """The main attack at that rate."""
        return standing(self.main, self.fpr)

    @functools.cached_property
    def baseline_standing(self) -> Standing | None:
        """One threshold for all examples at that rate; None where it did not run or is the main attack itself."""
        return standing(self.figures(BASELINE), self.fpr) if self.inputs.main_attack != BASELINE else None

    @functools.cached_property
    def offline_standing(self) -> Standing | None:
        """The strongest attack that trains no model on the record, at that rate."""
        offline = [standing(self.figures(name), self.fpr) for name in OFFLINE]
        return max((each for each in offline if each is not None), key=lambda each: each.rate, default=None)

    @functools.cached_property
    def plotted_scores(self) -> tuple[Float[np.ndarray, " members"], Float[np.ndarray, " others"], int]:
        """Scores of members, of non-members, and the number of targets they come from."""
        rows = self._thinned(self.targets)
        scores, member = self.inputs.scores[rows], self.inputs.membership[rows]
        return scores[member], scores[~member], len(rows)

    @functools.cached_property
    def plotted_signals(self) -> tuple[Float[np.ndarray, " members"], Float[np.ndarray, " others"], int]:
        """Scaled logits (mean over queries) of members, of non-members, and the number of models they come from."""
        rows = self._thinned(np.flatnonzero(self.inputs.valid))
        signals, member = self.inputs.signals[rows].mean(axis=2), self.inputs.membership[rows]
        return signals[member], signals[~member], len(rows)

    @functools.cached_property
    def threshold_mark(self) -> plots.Mark | None:
        """Where the main attack's threshold lies at the rate that sentences speak of."""
        _, others, _ = self.plotted_scores
        others = others[np.isfinite(others)]
        if self.fpr is None or not others.size:
            return None
        return plots.Mark(float(np.quantile(others, 1 - self.fpr)), f"{numbers.level(self.fpr)} false alarms")

    @functools.cached_property
    def curves(self) -> list[plots.Curve]:
        """The pooled ROC of every attack with the intervals that were reported on it."""
        curves: list[plots.Curve] = []
        for attack, (fpr, tpr) in self.inputs.rocs.items():
            look = face(attack)
            known = [(at, self.figures(attack).tpr(at)) for at in attack_table.reported_fprs(self.attacks)]
            bars = [(at, e.value, *e.interval) for at, e in known if e.value is not None and e.interval is not None]
            curves.append(plots.Curve(look.label, fpr, tpr, **look.drawn, intervals=bars))
        return curves

    @functools.cached_property
    def target_aucs(self) -> list[float]:
        """The main attack's AUC on every target, or on as many as are quick to rank."""
        scores, membership = self.inputs.scores, self.inputs.membership
        rankable = self.targets[(self.members > 0) & (self.non_members > 0)]
        return [roc.auc(roc.roc_curve(scores[row], membership[row])) for row in self._thinned(rankable)]

    @functools.cached_property
    def num_in_and_out(self) -> tuple[Int[np.ndarray, " examples"], Int[np.ndarray, " examples"]]:
        """Of each example, the valid models trained with it and without it."""
        num_in = np.count_nonzero(self.inputs.membership[self.inputs.valid], axis=0)
        return num_in, self.num_models - num_in

    @functools.cached_property
    def luck(self) -> Float[np.ndarray, " examples"]:
        """Standard deviation of a harmless example's AUC (Mann-Whitney): sqrt((n_in + n_out + 1) / (12 n_in n_out))."""
        num_in, num_out = (counts.astype(np.float64) for counts in self.num_in_and_out)
        return np.sqrt((num_in + num_out + 1) / (12 * np.maximum(num_in * num_out, 1)))

    @functools.cached_property
    def luckiest(self) -> Float[np.ndarray, " examples"]:
        """The AUC that about one of N harmless examples would exceed."""
        measured = max(2, int(np.count_nonzero(np.isfinite(self.inputs.vulnerability))))
        return 0.5 + self.luck * statistics.NormalDist().inv_cdf(1 - 1 / measured)

    @functools.cached_property
    def exposed(self) -> Bool[np.ndarray, " examples"]:
        """Examples whose AUC exceeds what the luckiest harmless one would show."""
        return self.inputs.vulnerability > self.luckiest  # NaN compares as False

    def _thinned(self, rows: Int[np.ndarray, " rows"]) -> Int[np.ndarray, " kept"]:
        """Evenly chosen rows, as many as hold ``_MOST_CELLS`` cells."""
        most = max(1, _MOST_CELLS // max(1, self.inputs.membership.shape[1]))
        step = max(1, math.ceil(len(rows) / most))
        return rows[::step]
