"""What is said of each attack beside its figures: time, precision, reached rates, stability, figures by group."""

import concurrent.futures
import dataclasses
import time
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import rankdata

from miajax.attacks.options import AttackOptions
from miajax.attacks.registry import ATTACKS, AttackReport, run_attacks, why_not
from miajax.campaign.run import Campaign
from miajax.data.pairs import complementary_partners, halved
from miajax.errors import UserError
from miajax.metrics.calibration import PRIORS, Reached, shadow_calibrated
from miajax.metrics.figures import Estimate, fpr_key
from miajax.metrics.roc import ppv
from miajax.metrics.slices import summarise_slices
from miajax.metrics.summary import FPRS, AttackSummary
from miajax.metrics.vulnerability import Exposure, exposure_at_pooled_fpr, fpr_dispersion
from miajax.notes import noted
from miajax.signals.bundle import Signals
from miajax.studies import common
from miajax.studies.attacked.entry import Calibrated, Entry, InSlice, PerExample, Precision, precision_of
from miajax.training.devices import usable_cores

_NO_ALARM = "No false alarm, or nothing but false alarms."
_NO_RANKS = "Too few models in each half, all examples alike, or an attack that trains networks."
_FAR = 3.0  # times the FPR aimed at, from which on a note says that the aim was missed


@dataclasses.dataclass(frozen=True)
class Ran:
    """Attacks that have run.

    Attributes:
      scores: ``{attack: float32[M, N]}``.
      reports: what stands behind them.
      seconds: of each attack's family, since attacks of a family share their work; compiling included.
      failed: why others gave no score, in words that end a sentence.
    """

    scores: dict[str, np.ndarray]
    reports: dict[str, AttackReport]
    seconds: dict[str, float]
    failed: dict[str, str]


def run_families(
    names: Sequence[str], signals: Signals, member: np.ndarray, valid: np.ndarray, settings: AttackOptions
) -> Ran:
    """Runs attacks family by family, each timed; an attack that fails on these signals does not stop the others."""
    runs: dict[str, tuple[np.ndarray, AttackReport]] = {}
    seconds: dict[str, float] = {}
    failed: dict[str, str] = {}
    for family in dict.fromkeys(ATTACKS[name].family for name in names):
        together = [name for name in names if ATTACKS[name].family == family]
        begun = time.perf_counter()
        try:
            runs |= run_attacks(together, signals, member, valid, settings)
        except UserError:
            for name in together:
                try:
                    runs |= run_attacks((name,), signals, member, valid, settings)
                except UserError as error:
                    failed[name] = str(error).removeprefix(f"attack {name} ").rstrip(".")
        seconds |= dict.fromkeys(together, time.perf_counter() - begun)
    ran = [name for name in names if name in runs]
    return Ran({name: runs[name][0] for name in ran}, {name: runs[name][1] for name in ran}, seconds, failed)


def rank_stability(
    names: Sequence[str], signals: Signals, campaign: Campaign, settings: AttackOptions
) -> dict[str, float | None]:
    """Spearman correlation of the examples' vulnerability in one half of the models with that in the other.

    Halves have no model in common, neither as target nor as shadow, and no complementary pair: what one of a pair says
    of its members, the other says of its non-members. Attacks that train networks are left out.
    """
    halves = halved(campaign.valid, complementary_partners(campaign.member))
    stability: dict[str, float | None] = dict.fromkeys(names)
    able = [
        name
        for name in names
        if ATTACKS[name].pure and not any(why_not(name, signals, campaign.member, half) for half in halves)
    ]
    tprs: dict[str, list[np.ndarray]] = {name: [] for name in able}
    for half in halves:  # masks, not rows: nothing is compiled anew
        for name, array in run_families(able, signals, campaign.member, half, settings).scores.items():
            tprs[name].append(exposure_at_pooled_fpr(array, campaign.member, half, common.EXPOSURE_FPR).tpr)
    return stability | {name: _rank_correlation(*both) for name, both in tprs.items() if len(both) == 2}


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    known = np.isfinite(one) & np.isfinite(other)
    ranks = rankdata(one[known]), rankdata(other[known])
    if known.sum() < 2 or any(np.ptp(rank) == 0 for rank in ranks):
        return None
    return float(np.corrcoef(*ranks)[0, 1])


def attack_entries(
    campaign: Campaign,
    ran: Ran,
    figures: Mapping[str, AttackSummary],
    exposed: Mapping[str, Exposure],
    stability: Mapping[str, float | None],
    groups: Mapping[str, np.ndarray],
) -> tuple[dict[str, Entry], list[str]]:
    """Every attack's whole entry, and notes on what is null in them."""
    together = campaign.setup.dataset.groups

    def calibrated(name: str):
        of = (ran.scores[name], campaign.member, campaign.valid)
        reached = (shadow_calibrated(*of, fpr, groups=together) for fpr in FPRS)
        return dict(zip(FPRS, reached, strict=True))

    def sliced(job: tuple[str, str]):
        name, slicing = job
        by_category, notes = summarise_slices(
            ran.scores[name], campaign.member, campaign.valid, {slicing: groups[slicing]},
            each_target=False, groups=together,
        )  # fmt: skip
        return by_category[slicing], notes

    jobs = [(name, slicing) for name in ran.scores for slicing in groups]
    with concurrent.futures.ThreadPoolExecutor(usable_cores()) as pool:
        thresholds = dict(zip(ran.scores, pool.map(calibrated, ran.scores), strict=True))
        slices = dict(zip(jobs, pool.map(sliced, jobs), strict=True))
    entries = {
        name: Entry(
            figures=figures[name],
            seconds=ran.seconds[name],
            precision={fpr: _precision(tpr) for fpr, tpr in figures[name].tpr_at_fpr.items()},
            calibrated={fpr: reached and Calibrated.of(reached) for fpr, reached in thresholds[name].items()},
            per_example=PerExample(
                common.EXPOSURE_FPR,
                _known(fpr_dispersion(exposed[name]), _NO_ALARM),
                _known(stability[name], _NO_RANKS),
            ),
            slices={
                slicing: {category: found and _in_slice(found) for category, found in slices[name, slicing][0].items()}
                for slicing in groups
            },
        )
        for name in ran.scores
    }
    notes = list(dict.fromkeys(note for _, remarks in slices.values() for note in remarks))
    for fpr in FPRS:
        if all(found[fpr] is None for found in thresholds.values()):
            notes.append(
                noted(
                    "thresholds calibrated at FPR {} are null: a model's own non-members resolve no such rate.",
                    fpr_key(fpr), about=["all attacks"], null=True,
                )
            )  # fmt: skip
    return entries, [*notes, *_unkept_aims(thresholds)]


def _unkept_aims(thresholds: Mapping[str, Mapping[float, Reached | None]]) -> list[str]:
    """Notes on thresholds that reach far more false alarms than they were set for, at the largest rate resolved."""
    notes: list[str] = []
    for name, by_fpr in thresholds.items():
        resolved = [(fpr, found) for fpr, found in by_fpr.items() if found is not None]
        aim, found = max(resolved, key=lambda each: each[0], default=(0.0, None))
        if found is not None and found.fpr.interval[0] > _FAR * aim:
            notes.append(
                noted(
                    "thresholds set on other models for FPR {} reach {:.3f} on the target. Its highest scores are ties "
                    "whose common value differs from model to model, so that a threshold between two of those values "
                    "names the whole tie.",
                    fpr_key(aim), found.fpr.value, about=[name],
                )
            )  # fmt: skip
    return notes


def _precision(tpr: Estimate) -> Precision:
    """Precision where false positives are as frequent as true ones are by chance: without power it is the prior.

    By prior; there is none where the rate is not resolved, or no member is named: an attacker would call nobody.
    """
    if not tpr.value or tpr.chance is None:
        return precision_of(dict.fromkeys(PRIORS))
    return precision_of({prior: ppv(tpr.value, tpr.chance, prior) for prior in PRIORS})


def _known(value: float | None, why_not: str) -> Estimate:
    return Estimate(None, reason=why_not) if value is None else Estimate(value)


def _in_slice(found: AttackSummary) -> InSlice:
    return InSlice(found.auc, found.advantage, found.tpr_at_fpr, found.num_members, found.num_non_members)
