"""Which attack for which budget: power against the number of shadow models, from disjoint subsets of one run.

Beside the run that it reads, the study writes ``<run>/low_budget/results.json``, ``report.html`` and ``power.png``.
``results.json`` holds the head of every study and

    fpr, budgets, attacks.<name>.budgets.<k>    {num_sets, num_non_members, auc, auc_ci, tpr_at_fpr, tpr_at_fpr_ci,
                                              chance_tpr_at_fpr}
    differences.<k>                             [{attack, minus, auc, auc_ci, tpr_at_fpr, tpr_at_fpr_ci}], all pairs
    recommended.<k>                             {attack, by, not_told_apart, ci_of_all, standing}

where k is the number of models: each is the target once, the k - 1 others are its shadow models, or k - 2 where models
come in complementary pairs: sets keep pairs together, and a target's partner is left out with it.

Where members are drawn by group, figures and differences also hold ``per_group``, the same by group, and
``recommended`` is by group, with what rows recommend under ``by_row``.
"""

import concurrent.futures
import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from miajax.attacks.options import RMIA_PRESETS, AttackOptions, RmiaOptions
from miajax.attacks.registry import ATTACKS, BASELINE, why_not
from miajax.campaign.config import Setup
from miajax.campaign.gathered import Campaign
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.recorded import recorded_signals
from miajax.campaign.run import run_campaign
from miajax.described import described
from miajax.errors import UserError
from miajax.metrics.claims import against, chance_of_tpr
from miajax.metrics.clusters import Groups
from miajax.metrics.figures import Estimate, fpr_key
from miajax.metrics.groups import JOINS, Join, PerGroup, joined, of_groups
from miajax.metrics.intervals import CONFIDENCE
from miajax.metrics.paired import FEWEST_SETS, Influences, influences, mean_difference, mean_rate
from miajax.notes import not_done, noted
from miajax.report.objections import Speaking, objections
from miajax.runs.atomic import atomic_file, write_text
from miajax.signals.bundle import Signals
from miajax.studies import common
from miajax.studies.attacked.entries import run_families
from miajax.studies.attacked.groups import join_of
from miajax.studies.campaign_page import Run
from miajax.studies.disjoint import disjoint_sets, signals_of
from miajax.studies.head import head_of
from miajax.studies.invocation import Invocation
from miajax.studies.low_budget.figures import AtBudget, Compared, Difference, LowBudget, Recommended
from miajax.studies.results import FoundInCampaign
from miajax.training.devices import usable_cores
from miajax.warned import collected_warnings


def contest() -> tuple[str, ...]:
    """Attacks that meet by default: all that learn from shadow models without training, and one threshold for all."""
    return tuple(
        name for name, attack in ATTACKS.items()
        if name == BASELINE or (attack.usual and attack.pure and attack.shadow_based and attack.least_queries == 1)
    )  # fmt: skip


@described
@dataclasses.dataclass(frozen=True)
class LowBudgetOptions:
    """Which attacks meet at which budgets."""

    attacks: tuple[str, ...] | None = None
    """attacks to compare, by name or as path/to/file.py:name; one threshold and all that need shadow models when not
    given"""
    budgets: tuple[int, ...] | None = None
    """numbers of models, each from disjoint subsets of the run; 2, 4, 8, ... when not given"""
    sets: int = 16
    """subsets of each size, at most; a budget has as many as the run can fill"""
    fpr: float = 0.001
    """false-positive rate at which power is compared"""

    def __post_init__(self):
        if self.attacks is not None:
            object.__setattr__(self, "attacks", ATTACKS.names_of(self.attacks))
        names = self.names
        for name in names:
            if not ATTACKS[name].pure:
                raise UserError(f"--attacks {name} trains networks", expected="attacks that scores follow from at once")
        if len(names) < 2:
            raise UserError(f"--attacks names {len(names)}", expected="2 or more attacks to compare")
        if self.sets < 1:
            raise UserError(f"--sets {self.sets}", expected="1 or more")
        if not 0.0 < self.fpr < 1.0:
            raise UserError(f"--fpr {self.fpr}", expected="a rate between 0 and 1, such as 0.001")
        for budget in self.budgets or ():
            if budget < 2:
                raise UserError(f"--budgets {budget}", expected="2 or more: a target and a shadow model")

    @property
    def names(self) -> tuple[str, ...]:
        """The attacks that meet."""
        return contest() if self.attacks is None else self.attacks

    def for_models(self, num_valid: int) -> tuple[int, ...]:
        """The budgets that so many models can fill, ascending.

        Raises:
          UserError: a budget that was asked for is larger.
        """
        if num_valid < 2:
            raise UserError(f"{num_valid} model trained well", expected="2 or more to compare attacks on")
        if self.budgets is None:
            return tuple(2**power for power in range(1, num_valid.bit_length()) if 2**power <= num_valid)
        if max(self.budgets) > num_valid:
            raise UserError(f"--budgets {max(self.budgets)}", expected=f"at most the run's {num_valid} valid models")
        return tuple(sorted(set(self.budgets)))


@collected_warnings()
def run_low_budget(
    setup: Setup,
    path: Path,
    options: LowBudgetOptions | None = None,
    reporter: Reporter | None = None,
    invocation: Invocation | None = None,
) -> FoundInCampaign[LowBudget]:
    """Trains what is missing and compares attacks on disjoint subsets of the run's models.

    Args:
      setup: the campaign.
      path: the run folder.
      options: defaults if None.
      reporter: listens; silent by default.
      invocation: how the study was called; from code if None.

    Raises:
      UserError: see ``run_campaign``; a budget exceeds the run, or no two attacks can run at any budget.
    """
    options, reporter = options or LowBudgetOptions(), reporter or Silent()
    called = invocation or Invocation()
    options.for_models(setup.config.num_shadows)  # told before anything trains
    campaign = run_campaign(setup, path, reporter)
    budgets = options.for_models(int(campaign.valid.sum()))
    with called.timed("attack"):
        white_box = any(field.endswith("gradient_norm") for name in options.names for field in ATTACKS[name].needs)
        signals = recorded_signals(campaign, gradients=white_box)
        settings = AttackOptions(rmia=RMIA_PRESETS.get(setup.dataset.name, RmiaOptions()))
        compared = _compared(campaign, signals, options, budgets, settings)
    with called.timed("blind"):
        checks = common.blind_checks(campaign)
    notes = (*common.campaign_notes(campaign), *compared.notes)
    answers = objections(Speaking(contest=tuple(compared.attacks), checks=checks))
    found = called.finished(
        "low_budget",
        path / "low_budget",
        LowBudget(head=head_of(campaign), checks=checks, compared=compared, objections=answers, notes=notes),
        lambda so_far: _write_report(campaign, so_far, called.command),
        [campaign.timing],
    )
    return FoundInCampaign(path / "low_budget", found, campaign)


def _compared(
    campaign: Campaign, signals: Signals, options: LowBudgetOptions, budgets: Sequence[int], settings: AttackOptions
) -> Compared:
    names = options.names
    attacks: dict[str, dict[int, AtBudget]] = {name: {} for name in names}
    differences: dict[int, list[Difference]] = {}
    recommended: dict[int, Recommended | None] = {}
    notes: list[str] = []
    groups = campaign.setup.dataset.groups
    for budget in budgets:
        sets = disjoint_sets(campaign.valid, budget, options.sets)
        scores, skipped = _scored(campaign, signals, names, sets, settings)
        notes += [not_done(name, "run on {} models", reason, budget) for name, reason in skipped.items()]
        by_row = _by_row(scores, campaign.member, sets, options.fpr, groups)
        whole = {} if groups is None else _by_group(scores, campaign.member, sets, options.fpr, groups)
        leading = {name: of[join_of(name)] for name, of in whole.items()}
        for unit, measured in (("", by_row), (" by group", leading)):
            if unresolved := [name for name, found in measured.items() if any(each.tpr is None for each in found)]:
                few = f"TPR at FPR {{}}{unit} is null on {{}} models: too few non-members to resolve it."
                notes.append(noted(few, fpr_key(options.fpr), budget, about=unresolved, null=True))
        there = {name: _at_budget(found, campaign.member, sets) for name, found in by_row.items()}
        pairs = itertools.combinations(by_row, 2)
        differences[budget] = [_difference(one, other, by_row) for one, other in pairs]
        recommended[budget] = _recommended(there, by_row, options.fpr) if there else None
        if groups is not None and there:
            members = of_groups(campaign.member, groups)
            of_whole = {name: _joins(name, of, members, sets) for name, of in whole.items()}
            there = {name: dataclasses.replace(at, per_group=of_whole[name]) for name, at in there.items()}
            differences[budget] = [
                dataclasses.replace(each, per_group=_difference(each.attack, each.minus, leading))
                for each in differences[budget]
            ]
            best = _recommended({name: of.lead for name, of in of_whole.items()}, leading, options.fpr)
            recommended[budget] = dataclasses.replace(best, by_row=recommended[budget])
        for name, at in there.items():
            attacks[name][budget] = at
    if not any(differences.values()):
        raise UserError(
            "no two of the attacks can run at any of the budgets",
            remedy="Choose other --attacks, larger --budgets, or a run that keeps logits",
        )
    ran = {name: by_budget for name, by_budget in attacks.items() if by_budget}
    return Compared(options.fpr, budgets, ran, differences, recommended, notes)


def _scored(
    campaign: Campaign,
    signals: Signals,
    names: Sequence[str],
    sets: Sequence[np.ndarray],
    settings: AttackOptions,
) -> tuple[dict[str, list[np.ndarray]], dict[str, str]]:
    """Every attack's scores on every set, NaN where it gives none; and why others cannot run on all sets."""
    skipped: dict[str, str] = {}
    scores: dict[str, list[np.ndarray]] = {name: [] for name in names}
    for rows in sets:
        subset, member, valid = signals_of(signals, rows), campaign.member[rows], np.ones(len(rows), bool)
        reasons = {name: why_not(name, subset, member, valid) for name in names if name not in skipped}
        skipped |= {name: reason for name, reason in reasons.items() if reason}
        able = [name for name in names if name not in skipped]
        ran = run_families(able, subset, member, valid, settings)
        skipped |= ran.failed
        for name, array in ran.scores.items():
            known = np.isfinite(array)
            if not ((known & member).any() and (known & ~member).any()):
                skipped[name] = "gives no score to any member, or to any non-member"
            scores[name].append(np.where(known, array, np.nan))
    return {name: of for name, of in scores.items() if name not in skipped}, skipped


def _by_row(
    scores: Mapping[str, Sequence[np.ndarray]],
    member: np.ndarray,
    sets: Sequence[np.ndarray],
    fpr: float,
    groups: Groups,
) -> dict[str, list[Influences]]:
    """Every attack on every set, asked about rows."""

    def figures(job: tuple[str, int]) -> Influences:
        return _influences(scores[job[0]][job[1]], member[sets[job[1]]], len(sets), fpr, groups)

    return _of_all(list(scores), len(sets), figures)


def _by_group(
    scores: Mapping[str, Sequence[np.ndarray]],
    member: np.ndarray,
    sets: Sequence[np.ndarray],
    fpr: float,
    groups: np.ndarray,
) -> dict[str, dict[Join, list[Influences]]]:
    """Every attack on every set, asked about groups, by how the scores of a group's rows are joined."""
    whole = of_groups(member, groups)
    found: dict[str, dict[Join, list[Influences]]] = {name: {} for name in scores}
    for join in JOINS:

        def figures(job: tuple[str, int], join: Join = join) -> Influences:
            together = joined(scores[job[0]][job[1]], groups, join)
            return _influences(together, whole[sets[job[1]]], len(sets), fpr, None)

        for name, of in _of_all(list(scores), len(sets), figures).items():
            found[name][join] = of
    return found


def _influences(scores: np.ndarray, member: np.ndarray, num_sets: int, fpr: float, groups: Groups) -> Influences:
    """Cells without a score, for want of models, count as never named, so that all attacks face the same cells."""
    named = np.where(np.isnan(scores), -np.inf, scores)
    return influences(
        named, member, np.ones(len(member), bool), fpr, keep_cells=num_sets < FEWEST_SETS, groups=groups
    )  # fmt: skip


def _of_all(
    names: Sequence[str], num_sets: int, figures: Callable[[tuple[str, int]], Influences]
) -> dict[str, list[Influences]]:
    with concurrent.futures.ThreadPoolExecutor(usable_cores()) as pool:
        found = list(pool.map(figures, itertools.product(names, range(num_sets))))
    return {name: found[place * num_sets :][:num_sets] for place, name in enumerate(names)}


def _at_budget(found: Sequence[Influences], member: np.ndarray, sets: Sequence[np.ndarray]) -> AtBudget:
    num_non_members = min(int((~member[rows]).sum()) for rows in sets)
    tprs = [each.tpr for each in found if each.tpr is not None]
    behind = "1 non-member" if num_non_members == 1 else f"{num_non_members:,} non-members"
    none = Estimate(None, reason=f"Not resolvable: {behind} in a set.")
    tpr = mean_rate(tprs) if len(tprs) == len(found) else none
    return AtBudget(len(sets), num_non_members, mean_rate([each.auc for each in found]), tpr)


def _joins(
    name: str, of: Mapping[Join, Sequence[Influences]], whole: np.ndarray, sets: Sequence[np.ndarray]
) -> PerGroup[AtBudget]:
    """One attack by group; ``whole`` says which model trained on which group."""
    return PerGroup[AtBudget].of(join_of(name), whole.shape[1], lambda join: _at_budget(of[join], whole, sets))


def _difference(
    one: str, other: str, measured: Mapping[str, Sequence[Influences]], confidence: float = CONFIDENCE
) -> Difference:
    both = list(zip(measured[one], measured[other], strict=True))
    pairs = [(a.tpr, b.tpr) for a, b in both if a.tpr is not None and b.tpr is not None]
    none = Estimate(None, reason="Not resolvable at this budget.")
    tpr = mean_difference(pairs, confidence) if len(pairs) == len(both) else none
    return Difference(one, other, mean_difference([(a.auc, b.auc) for a, b in both], confidence), tpr)


def _recommended(
    there: Mapping[str, AtBudget],
    measured: Mapping[str, Sequence[Influences]],
    fpr: float,
) -> Recommended:
    """The attack with the highest TPR (AUC where that is null), and those whose difference from it may be 0.

    Every attack was in the choice: intervals of the k - 1 paired differences from the best hold at once (Hsu 1984).
    """
    tprs = {name: found.tpr.value for name, found in there.items() if found.tpr.value is not None}
    by_tpr = len(tprs) == len(there)
    values = tprs if by_tpr else {name: found.auc.value for name, found in there.items()}
    best = max(values, key=values.__getitem__)
    level = 1 - (1 - CONFIDENCE) / max(1, len(measured) - 1)
    behind = {name: _difference(best, name, measured, level) for name in measured if name != best}
    equal = [name for name, each in behind.items() if _may_be_0(each.tpr if by_tpr else each.auc)]
    found = measured[best]
    one = [each.tpr for each in found if each.tpr is not None] if by_tpr else [each.auc for each in found]
    interval = mean_rate(one, 1 - (1 - CONFIDENCE) / len(measured)).interval
    standing = against(interval, chance_of_tpr(fpr, there[best].tpr.chance) if by_tpr else 0.5)
    return Recommended(best, "tpr_at_fpr" if by_tpr else "auc", equal, interval, standing)


def _may_be_0(difference: Estimate) -> bool:
    return difference.interval is not None and difference.interval[0] <= 0.0 <= difference.interval[1]


def _write_report(campaign: Campaign, found: LowBudget, command: str) -> None:
    from miajax.report.plots import save_png
    from miajax.studies.low_budget.page import power_figure, render_low_budget_report

    folder = campaign.folder.path / "low_budget"
    write_text(folder / "report.html", render_low_budget_report(found, Run.of(campaign, command)))
    with atomic_file(folder / "power.png") as file:
        save_png(power_figure(found.compared), file)
