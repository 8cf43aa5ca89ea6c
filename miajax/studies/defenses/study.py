"""What protects: every defence attacked by somebody who does not know of it, and by somebody who does.

Each defence that changes training is a campaign of its own with the same pool, splits and keys as the undefended one,
in a subfolder named like it; what changes answers alone takes the answers of such a campaign. The study writes into
``<out>``, or into ``<run>/defenses`` where the folder is a campaign already, whose models then are the undefended ones:

    <name>/                    a run folder for each campaign, resumable
    results.json               the head of every study and
        rows[{defense, title, stage, train_accuracy, test_accuracy, accuracy_change{}, runtime_s, overhead_s,
              threshold_auc, threshold_advantage, threshold_change{}, gap_accuracy, lira_naive{}, lira_carried{},
              lira_adaptive{}, unflagged{}, privacy, recovered, published}]; most figures with their _ci
        lira, not_run{defense: reason}, flagged{metric, share, weight}, onion{}
    report.html, trade_off.png

``lira_naive`` has undefended shadow models, ``lira_carried`` shadow models that carry the defence, ``lira_adaptive``
also undoes what can be undone of it: all by the variant ``lira``. Naive and adaptive also hold ``top_1pct``: figures on
the examples that were most vulnerable before. Where members are drawn by group, every row has ``per_group``: the same
figures of groups, and every attack's with the scores of a group's rows joined by sum, mean and maximum; the page then
speaks of groups.
"""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from miajax.campaign.config import Setup
from miajax.campaign.gathered import Campaign
from miajax.campaign.made import training_seconds
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.run import run_campaign
from miajax.defenses import treatment as treatments
from miajax.defenses.selection import most_outlying, relabelled
from miajax.described import described
from miajax.errors import UserError
from miajax.metrics.figures import Estimate
from miajax.models.model import Model
from miajax.models.registry import MODELS, build_model
from miajax.report.objections import Speaking, objections
from miajax.runs.atomic import atomic_file, write_text
from miajax.runs.group_names import group_names
from miajax.studies import common
from miajax.studies.campaign_page import Run
from miajax.studies.defenses.answers import (
    accuracies,
    asked_about,
    borrowed_answers,
    logits_of_models,
    plain_answers,
    reweighted_answers,
    share_recovered,
)
from miajax.studies.defenses.catalogue import Defense, Strengths, catalogue
from miajax.studies.defenses.figures import Answered, Attacks, exposed, most_vulnerable, row_figures
from miajax.studies.defenses.groups import onion_of_groups, row_of_groups, top_groups
from miajax.studies.defenses.published import published_row
from miajax.studies.defenses.results import Defenses, FlaggedBy, Row
from miajax.studies.head import head_of, mean_over_models
from miajax.studies.invocation import Invocation
from miajax.studies.paper_tables import CAVEATS, SOURCE, TABLES
from miajax.studies.published import beside_published
from miajax.studies.results import FoundResult
from miajax.studies.slices import outlier_names, outlierness
from miajax.warned import collected_warnings


@described
@dataclasses.dataclass(frozen=True)
class DefensesOptions:
    """Which defences, how strong, and whom the example-specific ones protect."""

    defenses: tuple[str, ...] | None = None
    """defences to compare; all that the campaign allows when not given"""
    strengths: Strengths = dataclasses.field(default_factory=Strengths)
    flag_by: str = "probability_memorisation"
    """outlier metric that picks the examples to protect, geometry with or without its space (feature_knn_distance)"""
    flag_share: float = 0.05
    """share of the pool to protect"""
    flag_weight: float = 0.1
    """weight of down-weighted examples in the loss"""

    def __post_init__(self):
        known = catalogue(self.strengths)
        for name in self.defenses or ():
            if name not in known:
                raise UserError(f"--defenses {name} is unknown", expected="some of " + ", ".join(known))
        if self.flag_by not in outlier_names():
            raise UserError(f"--flag_by {self.flag_by} is unknown", expected="one of " + ", ".join(outlier_names()))
        if not 0.0 < self.flag_share < 1.0:
            raise UserError(f"--flag_share {self.flag_share}", expected="a share between 0 and 1")
        if not 0.0 <= self.flag_weight < 1.0:
            raise UserError(f"--flag_weight {self.flag_weight}", expected="a weight in [0, 1)")

    def wanted(self) -> list[Defense]:
        """The rows to make, the undefended models first."""
        known = catalogue(self.strengths)
        return [row for name, row in known.items() if self.defenses is None or name in {"original", *self.defenses}]


@collected_warnings()
def run_defenses(
    setup: Setup,
    path: Path,
    options: DefensesOptions | None = None,
    reporter: Reporter | None = None,
    invocation: Invocation | None = None,
) -> FoundResult[Defenses]:
    """Trains what is missing of every defence's campaign and attacks them all.

    Args:
      setup: the undefended campaign; early stopping needs a validation part, the same pool for all rows.
      path: the folder to write, or the run folder of the undefended campaign.
      options: defaults if None.
      reporter: listens; silent by default.
      invocation: how the study was called; from code if None.

    Raises:
      UserError: see ``run_campaign``; a defence that was asked for cannot run.
    """
    study = _Study(setup, path, options or DefensesOptions(), reporter or Silent(), invocation or Invocation())
    return study.run()


class _Study:
    def __init__(self, setup: Setup, path: Path, options: DefensesOptions, reporter: Reporter, called: Invocation):
        setup.require_network("a study of defences, most of which change how a network trains,")
        self.options, self.reporter, self.called = options, reporter, called
        inside_run = (path / "manifest.json").is_file()
        self.folder, self.run_path = (path / "defenses", path) if inside_run else (path, path / "original")
        self.setup = setup
        self.campaigns: dict[str, Campaign] = {}
        self._flags: np.ndarray | None = None
        self._dropped: dict[bool, Attacks] = {}  # after dropping, by whether the dropped were drawn at random

    def run(self) -> FoundResult[Defenses]:
        original = self._campaign("original")
        self._before = self._attacked(plain_answers(original), catalogue(self.options.strengths)["original"])
        self._top = most_vulnerable(self._before.defended, np.ones(original.setup.dataset.num_examples, bool))
        self._top_groups = None if self._before.groups is None else top_groups(self._before)
        head = head_of(original)
        beside = beside_published(self.setup, head.test_accuracy.value)
        self._published = next((each for each in beside if each.source == SOURCE), None)
        rows: list[Row] = []
        not_run: dict[str, str] = {}
        for defense in self.options.wanted():
            try:
                row = self._row(defense)
            except UserError as error:
                if self.options.defenses is not None and defense.name in self.options.defenses:
                    raise
                not_run[defense.name] = str(error)
                self.reporter.say(f"{defense.title} is left out: {error}")
                continue
            rows.append(row)
            row = row.of_unit
            self.reporter.say(
                f"{defense.title}: accuracy on non-members {row.test_accuracy.value:.4f}, adaptive LiRA AUC "
                f"{row.lira_adaptive.auc.value:.3f}"
            )
        published = (self.setup.dataset.name, self.setup.trainer.model.name) in TABLES
        about = [f"Published figures are from {SOURCE}.", *CAVEATS] if published else []
        with self.called.timed("blind"):
            checks = common.blind_checks(original)
        options, onion, names = self.options, None, None
        if len(self._dropped) == 2:
            three = self._dropped[False], self._dropped[True], self._before
            onion = exposed(*three)
            if onion is not None and self._top_groups is not None:
                onion = dataclasses.replace(onion, per_group=onion_of_groups(*three))
        if self._top_groups is not None:
            dataset, keep = self.setup.dataset, self.setup.config.data.keep_keys
            every = group_names(dataset.group_keys, original.folder.path, keep)
            names = tuple(sorted(str(name) for name in every[self._top_groups]))
        found = Defenses(
            head=dataclasses.replace(head, made=common.made_by(list(self.campaigns.values()))),
            checks=checks,
            rows=tuple(rows),
            not_run=not_run,
            lira=self._before.lira,
            flagged=FlaggedBy(options.flag_by, options.flag_share, options.flag_weight),
            onion=onion,
            most_vulnerable=tuple(int(i) for i in np.flatnonzero(self._top)),
            most_vulnerable_groups=names,
            published_source=SOURCE if published else None,
            objections=objections(Speaking(checks=checks)),
            notes=(*common.campaign_notes(original), *about),
        )
        found = self.called.finished(
            "defenses", self.folder, found, lambda so_far: self._write_report(original, so_far)
        )
        return FoundResult(self.folder, found)

    def _campaign(self, name: str) -> Campaign:
        """Trains a campaign, or finds it."""
        if name in self.campaigns:
            return self.campaigns[name]
        setup, path = self.setup, self.run_path
        if name != "original":
            setup, path = self._defended_setup(catalogue(self.options.strengths)[name]), self.folder / name
        with self.called.timed("train"):
            self.campaigns[name] = run_campaign(setup, path, self.reporter)
        return self.campaigns[name]

    def _defended_setup(self, defense: Defense) -> Setup:
        config = defense.config(self.setup.config)
        if defense.treatment != "relabel" and defense.name not in {row.base for row in self.options.wanted()}:
            config = dataclasses.replace(config, keep=())
        return Setup.of(
            config,
            self.setup.dataset,
            model=self._model(defense),
            optimizer=self.setup.trainer.optimizer,
            privacies=None if defense.privacy else self.setup.privacies,
            treatment=None if defense.treatment is None else self._treatment(defense),
        )

    def _model(self, defense: Defense) -> Model | None:
        """The undefended network, or None where the registry has to build it with other options."""
        model, config = self.setup.trainer.model, self.setup.config
        if not defense.model:
            return model
        listed = build_model(config.model, 2, config.model_options) if config.model in MODELS else None
        if listed is None or (listed.name, listed.config) != (model.name, model.config):
            raise UserError(
                f"{defense.title} sets {', '.join(defense.model)} of the network, and {model.name} is one of your own",
                expected="a network of the registry: " + ", ".join(MODELS),
                remedy="Leave this defence out, or compare a version of your network that has it as a run of its own",
            )
        return None

    def _row(self, defense: Defense) -> Row:
        flagged = self._flagged(defense) if defense.specific else None
        overhead, undone = 0.0, None
        if defense.stage == "answers":
            base = self._campaign(defense.base)
            with self.called.timed("attack"):
                if defense.borrowed:
                    answered, overhead = borrowed_answers(base)
                else:
                    answered, overhead = reweighted_answers(base, defense.weight or 0.0, flagged)
                    undone = share_recovered(answered, base.signals, flagged)
        else:
            base = self._campaign(defense.name)
            answered = plain_answers(base)
            if defense.treatment == "relabel" and base.setup.treatment is not None:
                labels = base.setup.treatment.labels
                assert labels is not None
                answered = dataclasses.replace(answered, known=asked_about(base, labels))
        train, test = accuracies(answered, ~self.campaigns["original"].member)
        official = None if defense.stage == "answers" else base.official_test_accuracy
        with self.called.timed("attack"):
            attacks = self._before if defense.name == "original" else self._attacked(answered, defense)
            comparisons = len(self.options.wanted()) - 1
            figures = row_figures(attacks, self._before, self._top, flagged, comparisons)
            if self._top_groups is not None:
                of_groups = row_of_groups(attacks, self._before, self._top_groups, flagged, comparisons)
                figures = dataclasses.replace(figures, per_group=of_groups)
        if defense.treatment == "drop":
            self._dropped[defense.control] = attacks
        return Row(
            **vars(figures),
            defense=defense.name,
            title=defense.title,
            stage=defense.stage,
            specific=defense.specific,
            control=defense.control,
            num_valid=int(answered.valid.sum()),
            train_accuracy=train,
            test_accuracy=test,
            official_test_accuracy=Estimate(None, reason="Not measured on the data set's own test split.")
            if official is None
            else mean_over_models(official[base.valid]),
            runtime_s=training_seconds(base.folder, len(base.valid)),
            overhead_s=overhead,
            recovered=undone,
            privacy=common.campaign_privacy(base),
            published=published_row(self.setup.dataset.name, self.setup.trainer.model.name, defense, self._published),
        )

    def _attacked(self, answered: Answered, defense: Defense) -> Attacks:
        original = plain_answers(self.campaigns["original"])
        dropped = self._flagged(defense) if defense.treatment == "drop" else np.zeros(answered.member.shape[1], bool)
        return Attacks(original, answered, ~dropped)

    def _flagged(self, defense: Defense) -> np.ndarray:
        """``bool[N]``, the examples that an outlier metric of the undefended models picks, or as many at random."""
        share = self.options.flag_share
        if defense.control:
            drawn = np.random.default_rng(self.setup.config.seed).random(self.setup.dataset.num_examples)
            return np.asarray(most_outlying(jnp.asarray(drawn), share))
        if self._flags is None:
            scores, reason = outlierness(self.campaigns["original"], self.options.flag_by)
            if scores is None:
                raise UserError(f"--flag_by {self.options.flag_by}: {reason}", expected="another outlier metric")
            self._flags = np.asarray(most_outlying(jnp.asarray(scores), share))
        return self._flags

    def _treatment(self, defense: Defense) -> treatments.Treatment:
        flagged = self._flagged(defense)
        if defense.treatment == "drop":
            return treatments.drop(flagged)
        if defense.treatment == "down_weight":
            return treatments.down_weight(flagged, self.options.flag_weight)
        original, labels = self.campaigns["original"], self.setup.dataset.labels.copy()
        few = np.flatnonzero(flagged)
        said = np.stack([jax.nn.softmax(logits[few, 0]) for _, logits in logits_of_models(original)])
        seen = (labels[few], np.ones(len(few), bool), said, original.member[:, few], original.valid)
        labels[few] = relabelled(*map(jnp.asarray, seen))
        return treatments.relabel(labels)

    def _write_report(self, original: Campaign, found: Defenses) -> None:
        from miajax.report.plots import save_png
        from miajax.studies.defenses.page import render_defenses_report, trade_off_figure

        run = Run(dataclasses.asdict(self.setup.config), original.folder.manifest, self.called.command)
        html = render_defenses_report(found, run)
        write_text(self.folder / "report.html", html)
        with atomic_file(self.folder / "trade_off.png") as file:
            save_png(trade_off_figure(found.of_unit.rows), file)
