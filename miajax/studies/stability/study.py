"""Whether another set of shadow models names the same records, on disjoint sets of one run's models.

Beside the run that it reads, the study writes ``<run>/stability/results.json``, ``report.html`` and ``overlap.png``.
``results.json`` holds the head of every study and

    attacks.<name>.sub_ensembles   attackers of the same targets with disjoint shadow models: what they find, how far
                                   they agree, and what independent attackers of these rates would show
    attacks.<name>.curve.<m>       two disjoint sets of m models: how far the most exposed records are the same
    across_attacks, pairs          attacks in the place of attackers

Where members are drawn by group, records are groups throughout.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from miajax.attacks.options import RMIA_PRESETS, AttackOptions, RmiaOptions
from miajax.attacks.registry import ATTACKS, BASELINE, why_not
from miajax.campaign.config import Setup
from miajax.campaign.gathered import Campaign
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.recorded import recorded_signals
from miajax.campaign.run import run_campaign
from miajax.data.pairs import complementary_partners
from miajax.described import described
from miajax.errors import UserError
from miajax.metrics.overlap import agreement, expected_jaccard, most_named, over_pairs, shared_top
from miajax.notes import not_done
from miajax.runs.atomic import atomic_file, write_text
from miajax.signals.bundle import Signals
from miajax.studies import common
from miajax.studies.campaign_page import Run
from miajax.studies.head import head_of
from miajax.studies.invocation import Invocation
from miajax.studies.results import FoundInCampaign
from miajax.studies.stability.attackers import Ensemble, Exposed, attacked, exposed_by, sizes
from miajax.studies.stability.figures import SAME, AtSize, Measured, OfAttack, Pair, Stability
from miajax.studies.stability.runs import check_runs, exposed_in
from miajax.warned import collected_warnings

USUAL = (
    "lira_online_fixed", "lira_online", BASELINE, "calibrated", "bavaria_t", "base_online", "informia_offline",
    "mean_rank", "union", "intersection",
)  # fmt: skip
_CALLED = 0.5  # share of the models trained on a record that name it, from which on a set calls it vulnerable
_MOST_SETS = 16
_FEWEST_MODELS = 12  # three sets of four: two shadow models a side


@described
@dataclasses.dataclass(frozen=True)
class StabilityOptions:
    """How many attackers, at which rate, and who counts as most exposed."""

    attacks: tuple[str, ...] | None = None
    """attacks to compare, by name or as path/to/file.py:name, the first the one that sentences are about; ten that only
    score when not given"""
    sets: int = 2
    """attackers of each target, whose shadow models are disjoint; the run is cut into one set more"""
    targets: int = 24
    """models to attack, at most"""
    fpr: float = 0.01
    """false-positive rate of every attacker, a fraction; thresholds are set on the attacker's own models"""
    top: float = 0.01
    """share of the records that counts as the most exposed"""
    runs: tuple[Path, ...] = ()
    """folders of other runs on the same examples, such as of another --seed, that miajax lira or attacks has scored"""

    def __post_init__(self):
        if self.attacks is not None:
            object.__setattr__(self, "attacks", ATTACKS.names_of(self.attacks))
            for name in self.attacks or ():
                if not ATTACKS[name].pure:
                    raise UserError(f"--attacks {name} trains networks", expected="attacks that only score")
        if self.attacks == ():
            raise UserError("--attacks names no attack", expected="some of " + ", ".join(ATTACKS))
        if self.sets < 2:
            raise UserError(f"--sets {self.sets}", expected="2 or more attackers to compare")
        if self.targets < 1:
            raise UserError(f"--targets {self.targets}", expected="1 or more")
        for name, rate in (("fpr", self.fpr), ("top", self.top)):
            if not 0.0 < rate < 1.0:
                raise UserError(f"--{name} {rate}", expected="a share between 0 and 1, such as 0.01")

    def check(self, num_models: int) -> None:
        """Whether so many models can be cut into sets.

        Raises:
          UserError: they cannot.
        """
        needed = max(_FEWEST_MODELS, 4 * (self.sets + 1))
        if num_models < needed:
            raise UserError(
                f"{num_models} models cannot be cut into {self.sets + 1} sets of 4 or more",
                expected=f"{needed} or more models that trained well", remedy="Train more, or ask for fewer --sets",
            )  # fmt: skip


@collected_warnings()
def run_stability(
    setup: Setup,
    path: Path,
    options: StabilityOptions | None = None,
    reporter: Reporter | None = None,
    invocation: Invocation | None = None,
) -> FoundInCampaign[Stability]:
    """Trains what is missing and sets what disjoint sets of the run's models find against each other.

    Args:
      setup: the campaign.
      path: the run folder.
      options: defaults if None.
      reporter: listens; silent by default.
      invocation: how the study was called; from code if None.

    Raises:
      UserError: see ``run_campaign``; too few models for the sets, or no attack can run on them.
    """
    options, reporter = options or StabilityOptions(), reporter or Silent()
    called = invocation or Invocation()
    options.check(setup.config.num_shadows)  # told before anything trains
    check_runs(options.runs, path, setup.dataset.content_hash)
    campaign = run_campaign(setup, path, reporter)
    options.check(int(campaign.valid.sum()))
    names = USUAL if options.attacks is None else options.attacks
    with called.timed("attack"):
        white_box = any(field.endswith("gradient_norm") for name in names for field in ATTACKS[name].needs)
        signals = recorded_signals(campaign, gradients=white_box)
        settings = AttackOptions(rmia=RMIA_PRESETS.get(setup.dataset.name, RmiaOptions()))
        measured, skipped = _measured(campaign, signals, names, options, settings)
    with called.timed("blind"):
        checks = common.blind_checks(campaign)
    main = next(name for name in names if name in measured.attacks)
    found = called.finished(
        "stability",
        path / "stability",
        _with_answers(
            Stability(
                head=head_of(campaign), checks=checks, measured=measured, attacks_not_run=skipped, main_attack=main,
                notes=(
                    *common.campaign_notes(campaign),
                    *(not_done(name, "run", reason) for name, reason in skipped.items()),
                ),
            )
        ),
        lambda so_far: _write_report(campaign, so_far, called.command),
        [campaign.timing],
    )  # fmt: skip
    return FoundInCampaign(path / "stability", found, campaign)


def _measured(
    campaign: Campaign,
    signals: Signals,
    names: Sequence[str],
    options: StabilityOptions,
    settings: AttackOptions,
) -> tuple[Measured, dict[str, str]]:
    member, valid, groups = campaign.member, campaign.valid, campaign.setup.dataset.groups
    reasons = {name: why_not(name, signals, member, valid) for name in names}
    skipped = {name: reason for name, reason in reasons.items() if reason}
    if options.attacks is not None and skipped:
        name, reason = next(iter(skipped.items()))
        raise UserError(f"--attacks {name}: it {reason}", remedy="Leave it out, or make a run that keeps what it needs")
    ensemble = Ensemble(signals, member, valid, groups, complementary_partners(member) is not None)
    able = [name for name in names if name not in skipped]
    found = attacked(ensemble, able, options.sets, options.targets, options.fpr, settings)
    skipped |= {name: f"{reason} in a set of {found.models} models" for name, reason in found.failed.items()}
    if not found.named:
        raise UserError(
            "no attack can run on a part of the models", remedy="Train more models, or ask for fewer --sets"
        )
    beside: dict[str, AtSize] = {}
    if options.runs:
        together = exposed_in(ensemble, list(found.named), options.runs, options.fpr, settings)
        beside = {name: at_size(of, options.top) for name, of in together.items()}
    curves = _curves(ensemble, list(found.named), options, settings)
    apart = [name for name in found.named if ATTACKS[name].family != "ensemble"]
    first = {name: found.named[name][0] for name in apart}
    units = found.member.shape[1]
    return Measured(
        fpr=options.fpr,
        top=options.top,
        num_top=_num_top(options.top, units),
        unit_records=units,
        num_attackers=options.sets,
        models_per_attacker=found.models,
        num_targets=len(found.targets),
        attacks={
            name: OfAttack(
                agreement(of, found.member), curves[name], models_until_same(curves[name]), beside.get(name)
            )
            for name, of in found.named.items()
        },
        ensembles=tuple(name for name in found.named if name not in apart),
        across_attacks=agreement(np.array(list(first.values())), found.member) if len(apart) > 1 else None,
        pairs=tuple(
            Pair(one, other, agreement(np.array([first[one], first[other]]), found.member).jaccard)
            for one, other in itertools.combinations(apart, 2)
        ),
        other_runs=tuple(path.name for path in options.runs),
    ), skipped  # fmt: skip


def _num_top(top: float, units: int) -> int:
    return min(max(1, round(top * units)), units - 1)


def _curves(
    ensemble: Ensemble, names: Sequence[str], options: StabilityOptions, settings: AttackOptions
) -> dict[str, dict[int, AtSize]]:
    curves: dict[str, dict[int, AtSize]] = {name: {} for name in names}
    for size in sizes(int(ensemble.valid.sum())):
        found, _ = exposed_by(ensemble, names, size, _MOST_SETS, options.fpr, settings)
        for name, sets in found.items():
            if len(sets) > 1:
                curves[name][size] = at_size(sets, options.top)
    return curves


def at_size(sets: Sequence[Exposed], top: float) -> AtSize:
    """How alike disjoint sets of models of one size are in whom they expose, paired one by one.

    Args:
      sets: two or more.
      top: share of the records that counts as the most exposed.
    """
    count = _num_top(top, len(sets[0].mean_score))
    tops = np.array([most_named(of.exposure.tpr, of.mean_score, count) for of in sets])
    called = np.array([of.exposure.tpr >= _CALLED for of in sets])  # NaN is not
    whole = 2 * (len(sets) // 2)
    one, other = called[0:whole:2], called[1:whole:2]
    chances = [expected_jaccard(len(a), int(a.sum()), int(b.sum())) for a, b in zip(one, other, strict=True)]
    return AtSize(
        num_sets=whole,
        shared_top=shared_top(tops),
        num_called=float(called[:whole].sum(1).mean()),
        jaccard=over_pairs(
            (one & other).astype(float), (one | other).astype(float), chance=float(np.mean(chances)),
            reason="No set calls a record vulnerable.",
        ),
    )  # fmt: skip


def models_until_same(curve: Mapping[int, AtSize]) -> dict[float, int | None]:
    """The fewest models from which on, at that size and all larger ones, sets share so much of the top."""
    found: dict[float, int | None] = {}
    for share in SAME:
        enough: int | None = None
        for size in sorted(curve, reverse=True):
            if (curve[size].shared_top.value or 0.0) < share:
                break
            enough = size
        found[share] = enough
    return found


def _with_answers(found: Stability) -> Stability:
    from miajax.report.objections import Speaking, objections
    from miajax.studies.stability.words import overlap_sentence

    of = found.measured
    speaking = Speaking(
        contest=tuple(of.attacks), not_run=found.attacks_not_run, checks=found.checks, overlap=overlap_sentence(found)
    )
    return dataclasses.replace(found, objections=objections(speaking))


def _write_report(campaign: Campaign, found: Stability, command: str) -> None:
    from miajax.report.plots import save_png
    from miajax.studies.stability.page import overlap_figure, render_stability_report

    folder = campaign.folder.path / "stability"
    write_text(folder / "report.html", render_stability_report(found, Run.of(campaign, command)))
    with atomic_file(folder / "overlap.png") as file:
        save_png(overlap_figure(found), file)
