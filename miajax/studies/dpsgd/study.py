"""The study of private training: what each epsilon costs in accuracy, what it promises, and what attacks can refute."""

import dataclasses
import math
from pathlib import Path
from typing import Any

from miajax.campaign.config import CampaignConfig, Setup, plain
from miajax.campaign.gathered import Campaign
from miajax.campaign.made import versions
from miajax.campaign.presets import preset
from miajax.campaign.privacy import PrivacyFlags, privacy_identity, refuse_rows_of_groups
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.run import run_campaign
from miajax.campaign.stored import stored_study
from miajax.described import described
from miajax.errors import UserError
from miajax.metrics.without_models import Checks
from miajax.notes import headed, noted
from miajax.runs.atomic import atomic_file, write_sealed, write_text
from miajax.studies import common
from miajax.studies.campaign_page import Run
from miajax.studies.dpsgd.figures import AccuracyLost, BoundFacts, Budget, Dpsgd, Plain
from miajax.studies.dpsgd.points import BOUNDS, HEURISTICS, IN_VERDICT, Models, accuracy_lost, measured
from miajax.studies.invocation import Invocation
from miajax.studies.results import FoundResult
from miajax.training.dp import accounting
from miajax.training.dp.mechanism import NOT_COVERED, Privacy
from miajax.training.recipe import Recipe
from miajax.warned import collected_warnings

STUDY_FILE = "study.json"
_PRIVATE_RECIPE = "private"


@described
@dataclasses.dataclass(frozen=True)
class DpsgdOptions:
    """Which guarantees are compared, and with what."""

    epsilons: tuple[float, ...] = (math.inf, 50.0, 10.0, 8.0, 3.0, 1.0)
    """budgets, each with --num_shadows models; inf: gradients are clipped, no noise is added"""
    non_private_recipe: str | None = None
    """preset whose recipe the models without privacy train by. The value private means the private recipe, neither
    clipped nor noisy. Not given: digits for the data set of that name, private for all others"""
    significance: float = 0.05
    """probability that a lower bound on epsilon lies above the truth, at most: for each bound by itself, and for all
    refuted guarantees together"""

    def __post_init__(self):
        if not self.epsilons:
            raise UserError("--epsilons names none", expected="one or more budgets")
        for epsilon in self.epsilons:
            if not epsilon > 0:
                raise UserError(f"--epsilons {epsilon}", expected="positive budgets, or inf")
        if len(set(self.epsilons)) < len(self.epsilons):
            raise UserError(f"--epsilons {' '.join(map(str, self.epsilons))}", expected="each budget once")
        if not 0 < self.significance < 0.5:
            raise UserError(f"--significance {self.significance}", expected="a probability in (0, 0.5)")
        if self.non_private_recipe not in (None, _PRIVATE_RECIPE):
            preset(self.non_private_recipe)


@dataclasses.dataclass(frozen=True, eq=False)
class DpsgdResult(FoundResult[Dpsgd]):
    """What the study found, besides the files it left.

    Attributes:
      private: the models of all budgets, which take them in turn.
      non_private: the models without privacy.
    """

    private: Campaign
    non_private: Campaign


@collected_warnings()
def run_dpsgd(
    setup: Setup,
    path: Path,
    options: DpsgdOptions | None = None,
    reporter: Reporter | None = None,
    invocation: Invocation | None = None,
) -> DpsgdResult:
    """Trains models under every budget, as one ensemble, and without privacy; attacks both; writes the comparison.

    Args:
      setup: the campaign of one budget: its private training, but for epsilon, is that of all of them.
      path: folder of the study; ``private/`` and ``non_private/`` in it are run folders.
      options: defaults if None.
      reporter: listens; silent by default.
      invocation: how the study was called; from code if None.

    Raises:
      UserError: see ``run_campaign``.
    """
    options, reporter, config = options or DpsgdOptions(), reporter or Silent(), setup.config
    called = invocation or Invocation()
    setup.require_network("a study of DP-SGD")
    if path.exists() and not path.is_dir():
        raise UserError(f"--out {path} is a file", expected="a new folder, or one that this study began")
    private_setup, plain_setup = setups(setup, options)
    refuse_rows_of_groups(private_setup)
    asked = {
        name: plain(dataclasses.asdict(settings)) for name, settings in (("campaign", config), ("options", options))
    }
    if not (path / "private").exists():  # a study of other settings is refused below, and keeps its own
        write_sealed(path / STUDY_FILE, asked)
    private = run_campaign(private_setup, path / "private", reporter)
    non_private = run_campaign(plain_setup, path / "non_private", reporter)
    write_sealed(path / STUDY_FILE, asked)
    with called.timed("attack"):
        points, without, notes = _points(private, non_private, options)
    with called.timed("blind"):
        checks = common.blind_checks(private)
    found = _found(private, non_private, options, points, without, checks)
    found = dataclasses.replace(found, notes=(*notes, *_notes(private, found)))
    found = called.finished(
        "dpsgd", path, found, lambda so_far: _write_report(path, so_far, private, called.command),
        [private.timing, non_private.timing],
    )  # fmt: skip
    return DpsgdResult(path, found, private, non_private)


def setups(setup: Setup, options: DpsgdOptions) -> tuple[Setup, Setup]:
    """The campaign of all budgets, whose models take them in turn, and the one without privacy."""
    config, privacies = setup.config, _privacies(setup, options)
    given = (setup.dataset, setup.trainer.model, setup.trainer.optimizer)
    many = dataclasses.replace(config, num_shadows=config.num_shadows * len(privacies))
    without = dataclasses.replace(config, recipe=_plain_recipe(setup, options), privacy=PrivacyFlags())
    private = dataclasses.replace(Setup.of(many, *given, privacies=privacies), notes=setup.notes)
    return private, Setup.of(without, *given)


def identity(setup: Setup, options: DpsgdOptions) -> dict[str, Any]:
    """JSON of all that the study's models depend on, but their number: it names the study's folder."""
    budgets = [plain(privacy_identity(privacy)) for privacy in _privacies(setup, options)]
    return {**setup.identity(), "privacy": budgets, "non_private_recipe": _plain_recipe(setup, options).identity()}


def stored(path: Path) -> tuple[CampaignConfig, DpsgdOptions]:
    """What a study's folder was asked for.

    Raises:
      UserError: ``path`` is no folder of this study.
    """
    return stored_study(path, STUDY_FILE, DpsgdOptions)


def _privacies(setup: Setup, options: DpsgdOptions) -> list[Privacy]:
    base = setup.privacies[0] if setup.privacies else Privacy(epsilon=1.0)
    return [dataclasses.replace(base, epsilon=epsilon, noise_multiplier=None) for epsilon in options.epsilons]


def _plain_recipe(setup: Setup, options: DpsgdOptions) -> Recipe:
    """What models without privacy train by."""
    name = options.non_private_recipe or ("digits" if setup.dataset.name == "digits" else _PRIVATE_RECIPE)
    return setup.config.recipe if name == _PRIVATE_RECIPE else preset(name).recipe


def _points(
    private: Campaign, non_private: Campaign, options: DpsgdOptions
) -> tuple[tuple[Budget, ...], Plain, list[str]]:
    mechanisms = private.setup.mechanisms
    delta, turns = mechanisms[0].delta, len(mechanisms)
    budgets = sum(math.isfinite(mechanism.epsilon(mechanism.steps)) for mechanism in mechanisms)
    points: list[Budget] = []
    about: dict[str, list[str]] = {}
    plain_models, clipped = Models.of(non_private), None
    if math.inf in options.epsilons:
        clipped = Models.of(private, options.epsilons.index(math.inf), turns)
    for place, (epsilon, mechanism) in enumerate(zip(options.epsilons, mechanisms, strict=True)):
        models = Models.of(private, place, turns)
        point, notes = measured(models, mechanism, epsilon, delta, options.significance, budgets)
        beside = None if clipped is None or math.isinf(epsilon) else accuracy_lost(models, clipped)
        lost = AccuracyLost(accuracy_lost(models, plain_models), beside)
        points.append(Budget(**vars(point), accuracy_lost=lost))
        for note in notes:
            about.setdefault(note, []).append(f"epsilon {epsilon:g}")
    without, notes = measured(plain_models, None, None, delta, options.significance)
    same_recipe = non_private.setup.config.recipe == private.setup.config.recipe
    for note in notes:
        about.setdefault(note, []).append("no privacy")
    told: list[str] = [headed(where, note) for note, where in about.items()]
    return tuple(points), Plain(**vars(without), same_recipe=same_recipe), told


def _found(
    private: Campaign,
    non_private: Campaign,
    options: DpsgdOptions,
    points: tuple[Budget, ...],
    without: Plain,
    checks: Checks,
) -> Dpsgd:
    setup, mechanism = private.setup, private.setup.mechanisms[0]
    shared = (
        "unit",
        "most_rows",
        "adjacency",
        "accountant",
        "sampling",
        "sampling_rate",
        "slots",
        "batch_size",
        "num_members",
        "release",
    )
    record = mechanism.record()
    bounds = [each.spent(each.steps) for each in setup.mechanisms]
    names = {bound.accountant for bound in bounds if math.isfinite(bound.epsilon)}
    record["accountant"] = names.pop() if len(names) == 1 else mechanism.accountant
    return Dpsgd(
        dataset=setup.dataset.name,
        model=setup.trainer.model.name,
        num_shadows=setup.config.num_shadows + non_private.setup.config.num_shadows,
        num_valid=int(private.valid.sum() + non_private.valid.sum()),
        num_examples=setup.dataset.num_examples,
        **common.unit_of(setup.dataset),
        member_fraction=setup.config.member_fraction,
        split=setup.config.split,
        seed=setup.config.seed,
        delta=mechanism.delta,
        mechanism={
            name: record[name] for name in (*shared, "augmentation_multiplicity", "statistics", "planned_steps")
        },
        not_covered=(*setup.told_by_preparation(), *NOT_COVERED),
        plan=dataclasses.asdict(private.plan),
        device=private.folder.manifest["device"],
        versions=versions(),
        made=common.made_by([private, non_private]),
        epsilons=tuple(f"{epsilon:g}" for epsilon in options.epsilons),
        significance=options.significance,
        points=points,
        non_private=without,
        bounds={name: BoundFacts(text, name in HEURISTICS, name in IN_VERDICT) for name, text in BOUNDS.items()},
        checks=checks,
    )


def _notes(private: Campaign, found: Dpsgd) -> list[str]:
    notes, adjacency = list(private.notes), private.setup.mechanisms[0].step.adjacency
    if private.setup.config.split != "bernoulli" and adjacency == accounting.ADD_OR_REMOVE_ONE:
        notes.append(
            "Under a split of fixed size, models with and without a record differ in a second record too: lower bounds "
            "are for replacing a record, the accountant's epsilon for adding one, which is refuted only where a bound "
            "exceeds twice epsilon at (1 + e^epsilon) delta. Use --split bernoulli."
        )
    for point in found.points:
        if point.refuted_by:
            notes.append(
                noted(
                    f"Epsilon {{:.4g}} is refuted by {', '.join(point.refuted_by)}: a bug in the mechanism, or chance, "
                    "which refutes any of the guarantees with probability {:g} at most.",
                    point.guarantee.epsilon,
                    found.significance,
                )
            )
    if private.setup.dataset.synthetic:
        notes.append(f"{private.setup.dataset.name} is synthetic: its figures say nothing about real people.")
    return notes


def _write_report(path: Path, found: Dpsgd, private: Campaign, command: str) -> None:
    from miajax.report.plots import save_png
    from miajax.studies.dpsgd.page import privacy_figure, render_dpsgd_report

    write_text(path / "report.html", render_dpsgd_report(found, Run.of(private, command)))
    with atomic_file(path / "dpsgd.png") as file:
        save_png(privacy_figure(found.of_unit), file)
