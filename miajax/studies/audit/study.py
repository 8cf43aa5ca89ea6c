"""An empirical audit of a promise: which epsilon do a campaign's models refute, and is it more than was promised?

Every model of a ``bernoulli`` campaign throws a fair coin for every example of the pool, so every example is a canary
and every model a run that can be audited. The first models are references: what they say of canaries whose coins are
known fixes the scores, the shares to guess, the record and the threshold. The others are audited by what was fixed.

Beside the run, the study writes ``<run>/audit/results.json`` and ``report.html``. docs/audit.md describes them.
"""

import dataclasses
import functools
import importlib.util
import math
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float

from miajax.campaign.config import Setup
from miajax.campaign.gathered import Campaign
from miajax.campaign.privacy import refuse_rows_of_groups
from miajax.campaign.progress import Reporter, Silent
from miajax.campaign.run import run_campaign
from miajax.data.canaries import canary_ids
from miajax.described import described
from miajax.errors import UserError
from miajax.metrics import one_run, privacy_bounds
from miajax.metrics.clusters import renumbered
from miajax.metrics.figures import Estimate
from miajax.metrics.groups import joined, of_groups
from miajax.report import numbers
from miajax.runs.atomic import write_text
from miajax.studies import common
from miajax.studies.audit.figures import (
    Alone,
    Audit,
    Audited,
    Bound,
    Bounds,
    Canaries,
    CountBound,
    GuessBound,
    GuessedShares,
)
from miajax.studies.campaign_page import Run
from miajax.studies.head import head_of
from miajax.studies.invocation import Invocation
from miajax.studies.results import FoundInCampaign
from miajax.warned import collected_warnings

Thresholds = Literal["split", "bonferroni"]
Scored = tuple[np.ndarray, Bool[np.ndarray, "audited canaries"], Float[np.ndarray, "audited canaries"]]
IN_VERDICT = ("one_run", "many_models")
"""Bounds that assume nothing of the mechanism; the verdict rests on them."""
_NOTHING, _GAUSSIAN = "nothing of the mechanism", "Gaussian differential privacy"
_NO_REFERENCES = (0.25, 0.25)  # shares to guess where no other model says which are best


@described
@dataclasses.dataclass(frozen=True)
class AuditOptions:
    """What is tested, and how surely."""

    confidence: float = 0.95
    """probability that no bound of the verdict exceeds the truth"""
    delta: float = 1e-5
    """delta of the epsilons, where training was not private; else its own"""
    promised_epsilon: float | None = None
    """the epsilon that somebody claims; what the accountant says, when not given"""
    audited: int | None = None
    """how many models, the last ones, are audited; the others are references. Half of them when not given"""
    thresholds: Thresholds = "split"
    """of the many-model test: one, chosen on the references (split); or ten between what the references say of the
    record, each at its share of the error (bonferroni)"""
    jax_privacy: bool = False
    """show beside the bounds what jax-privacy's estimators make of the same scores; needs pip install jax-privacy"""

    def __post_init__(self):
        if not 0.5 <= self.confidence < 1:
            raise UserError(f"--confidence {self.confidence}", expected="a probability from 0.5 to below 1")
        if not 0 < self.delta < 1:
            raise UserError(f"--delta {self.delta}", expected="a probability in (0, 1)")
        if self.promised_epsilon is not None and not self.promised_epsilon >= 0:
            raise UserError(f"--promised_epsilon {self.promised_epsilon}", expected="0 or more")
        if self.audited is not None and self.audited < 1:
            raise UserError(f"--audited {self.audited}", expected="1 or more models")
        if self.thresholds not in get_args(Thresholds):
            raise UserError(f"--thresholds {self.thresholds}", expected=" or ".join(get_args(Thresholds)))
        if self.jax_privacy and importlib.util.find_spec("jax_privacy") is None:
            raise UserError("--jax_privacy True without the package", expected="pip install jax-privacy")


@collected_warnings()
def run_audit(
    setup: Setup,
    path: Path,
    options: AuditOptions | None = None,
    reporter: Reporter | None = None,
    invocation: Invocation | None = None,
) -> FoundInCampaign[Audit]:
    """Trains what is missing and audits it.

    Args:
      setup: the campaign; its data set may hold canaries.
      path: the run folder.
      options: defaults if None.
      reporter: listens; silent by default.
      invocation: how the study was called; from code if None.

    Raises:
      UserError: see ``run_campaign``; the coins are not fair and independent, canaries would be carved away, or more
        models are to be audited than there are.
    """
    options, reporter = options or AuditOptions(), reporter or Silent()
    called = invocation or Invocation()
    config = setup.config
    if config.split != "bernoulli" or config.member_fraction != 0.5:
        raise UserError(
            f"an audit of --split {config.split} with --member_fraction {config.member_fraction}",
            expected="--split bernoulli with --member_fraction 0.5",
            remedy="Bounds hold only if a fair coin of its own decides over every example",
        )
    if config.validation_fraction and config.data.canaries:
        raise UserError(
            f"--validation_fraction {config.validation_fraction} with --canaries",
            expected="0, since validation examples are carved from the pool that holds the canaries",
        )
    refuse_rows_of_groups(setup)
    if options.audited is not None and options.audited > config.num_shadows:
        raise UserError(f"--audited {options.audited}", expected=f"at most --num_shadows {config.num_shadows}")
    campaign = run_campaign(setup, path, reporter)
    with called.timed("attack"):
        canaries = _canaries(campaign)
        signal, member = campaign.signals.mean(-1)[:, canaries], campaign.member[:, canaries]
        if (groups := renumbered(setup.dataset.groups, canaries)) is not None:
            # A group's rows share one coin: the canary is the group, and what models say of it the mean of its rows.
            signal, member = joined(signal, groups, "mean"), of_groups(member, groups)
            canaries = canaries[np.unique(groups, return_index=True)[1]]
        models = np.flatnonzero(campaign.valid)
        privacy = common.campaign_privacy(campaign)
        delta = options.delta if privacy is None else float(privacy["delta"])
        promised = options.promised_epsilon
        if promised is None and privacy is not None:
            promised = privacy["epsilon"]
        audited = min(len(models), options.audited or max(1, len(models) // 2))
        error = 1 - options.confidence
        found = audit(signal[models], member[models], audited, delta, promised, error, options.thresholds)
        if options.jax_privacy:
            found = with_jax_privacy(found, signal[models], member[models], audited, options.thresholds)
    with called.timed("blind"):
        checks = common.blind_checks(campaign)
    result = Audit(
        head=head_of(campaign),
        checks=checks,
        canaries=Canaries(
            kind=config.data.canary_kind if config.data.canaries else "natural",
            count=len(canaries),
            seed=config.data.canary_seed,
        ),
        audit=_by_id(found, models, canaries),
        notes=(*common.campaign_notes(campaign), *_notes(found, config.data.canaries)),
    )
    scored = _scores(signal[models], member[models], audited)
    result = called.finished(
        "audit", path / "audit", result, lambda so_far: _write_report(campaign, so_far, scored, called.command),
        [campaign.timing],
    )  # fmt: skip
    return FoundInCampaign(path / "audit", result, campaign)


def _by_id(found: Audited, models: np.ndarray, canaries: np.ndarray) -> Audited:
    """Models and canaries by their ids instead of their places."""

    def named(bound: CountBound | None) -> CountBound | None:
        return bound and dataclasses.replace(bound, canary=int(canaries[bound.canary]))

    bounds = dataclasses.replace(
        found.bounds,
        many_models=named(found.bounds.many_models),
        many_models_gdp=named(found.bounds.many_models_gdp),
    )
    each = tuple(dataclasses.replace(alone, model=int(models[alone.model])) for alone in found.per_model)
    return dataclasses.replace(found, bounds=bounds, per_model=each)


def audit(
    signal: Float[np.ndarray, "models canaries"],
    member: Bool[np.ndarray, "models canaries"],
    audited: int,
    delta: float,
    promised: float | None,
    significance: float,
    thresholds: Thresholds = "split",
) -> Audited:
    """What so many models give away of canaries, and whether it is more than was promised.

    Args:
      signal: what models say of the canaries, higher = member.
      member: fair, independent coins.
      audited: how many models, the last ones, are audited; the others are references.
      delta: of the epsilons.
      promised: an epsilon, or None.
      significance: 1 - confidence.
      thresholds: of the many-model test.
    """
    references = len(signal) - audited
    _, coins, scores = _scores(signal, member, audited)
    each = significance / len(IN_VERDICT)
    shares = {"all_models": _NO_REFERENCES, "one_model": _NO_REFERENCES}
    if references >= 2:
        half = references // 2
        rehearsal = one_run.likelihood_ratio(signal[half:references], signal[:half], member[:half])
        for name, runs, error in (("all_models", audited, each), ("one_model", 1, significance)):
            shares[name] = one_run.shares_to_name(rehearsal, member[half:references], runs, delta, error)
    pooled = one_run.together(one_run.guess(scores, coins, *shares["all_models"]))
    gaussian, both = 1 - significance, 1 - each
    bounds = Bounds(
        one_run=GuessBound(
            epsilon_lower=one_run.one_run_epsilon(pooled, delta, each), confidence=both, **pooled._asdict(),
            largest_possible=one_run.ceiling(pooled.canaries, delta, each), assumes=_NOTHING, in_verdict=True,
        ),
        one_run_gdp=GuessBound(
            epsilon_lower=one_run.gdp_one_run_epsilon(pooled, delta, significance), confidence=gaussian,
            **pooled._asdict(),
            largest_possible=one_run.ceiling(pooled.canaries, delta, significance, one_run.gdp_one_run_epsilon),
            assumes=_GAUSSIAN, in_verdict=False,
        ),
    )  # fmt: skip
    if references >= 2:
        is_reference = np.arange(len(signal)) < references
        tested = privacy_bounds.many_models(signal, member, is_reference, ~is_reference, delta, each)
        trials, threshold = tested.counts, tested.threshold
        if thresholds == "bonferroni":
            trials = privacy_bounds.counts_at_many_thresholds(tested, signal, member, is_reference, ~is_reference)
            threshold = None
        perfect = privacy_bounds.perfect(trials)
        named, wrongly = (_counted(of) for of in (trials.true_positives, trials.false_positives))
        counts: dict[str, Any] = {
            "canary": tested.example, "true_positives": named, "members": trials.members, "false_positives": wrongly,
            "non_members": trials.non_members,
        }  # fmt: skip
        bounds = dataclasses.replace(
            bounds,
            many_models=CountBound(
                epsilon_lower=privacy_bounds.epsilon_from_counts(trials, delta, each), confidence=both,
                largest_possible=privacy_bounds.epsilon_from_counts(perfect, delta, each),
                thresholds=thresholds, threshold=threshold, assumes=_NOTHING, in_verdict=True, **counts,
            ),
            many_models_gdp=CountBound(
                epsilon_lower=privacy_bounds.gdp_epsilon_from_counts(trials, delta, significance), confidence=gaussian,
                largest_possible=privacy_bounds.gdp_epsilon_from_counts(perfect, delta, significance),
                assumes=_GAUSSIAN, in_verdict=False, **counts,
            ),
        )  # fmt: skip
    per_model = tuple(
        Alone(references + row, one_run.one_run_epsilon(found, delta, significance), found.correct, found.made)
        for row, found in enumerate(one_run.guess(scores, coins, *shares["one_model"]))
    )
    counted = [bound for bound in bounds.named().values() if bound.in_verdict]
    lower, ceiling = max(each.epsilon_lower for each in counted), max(each.largest_possible for each in counted)
    return Audited(
        delta=delta,
        confidence=1 - significance,
        references=references,
        audited=audited,
        shares={name: GuessedShares(high, low) for name, (high, low) in shares.items()},
        bounds=bounds,
        per_model=per_model,
        promised_epsilon=promised,
        epsilon_lower=lower,
        largest_possible=ceiling,
        violated=None if promised is None else lower > promised,
        verdict=verdict(promised, lower, 1 - significance, ceiling),
    )


def with_jax_privacy(
    found: Audited, signal: np.ndarray, member: np.ndarray, audited: int, thresholds: Thresholds
) -> Audited:
    """Adds to each bound its counterpart in jax-privacy's ``auditing`` at the same confidence.

    Both see the same scores of the same audited models. jax-privacy chooses thresholds on the scores it measures: on
    half of them (split), or all with a correction for their number. There is none where one side has fewer than two
    scores, and for the Gaussian bound over many models: ``epsilon_from_gdp`` of jax-privacy 2.0 takes the modulus of a
    mu from upper bounds on both error rates, which is large where there is no leak at all.
    """
    from jax_privacy import auditing

    own = {
        "one_run": auditing.CanaryScoreAuditor.epsilon_one_run,
        "one_run_gdp": auditing.CanaryScoreAuditor.epsilon_one_run_fdp,
        "many_models": functools.partial(auditing.CanaryScoreAuditor.epsilon_clopper_pearson, one_sided=False),
    }
    strategy = auditing.Split(seed=0) if thresholds == "split" else auditing.Bonferroni()
    signal, coins, scores = _scores(signal, member, audited)

    def beside(name: str, bound: Bound) -> Estimate:
        shown, inside = scores, coins
        if isinstance(bound, CountBound):
            shown, inside = signal[:, bound.canary], coins[:, bound.canary]
        if name not in own or min(inside.sum(), (~inside).sum()) < 2:
            return Estimate(None, reason="jax-privacy has no bound of this kind for so few scores.")
        auditor = auditing.CanaryScoreAuditor(shown[inside], shown[~inside])
        return Estimate(float(own[name](auditor, 1 - bound.confidence, found.delta, threshold_strategy=strategy)))

    named = found.bounds.named().items()
    bounds = {name: dataclasses.replace(bound, jax_privacy=beside(name, bound)) for name, bound in named}
    return dataclasses.replace(found, bounds=dataclasses.replace(found.bounds, **bounds))


def verdict(promised: float | None, lower: float, confidence: float, ceiling: float) -> str:
    """The audit in one sentence; the promise is rounded up, bound and ceiling down.

    Args:
      promised: an epsilon, or None.
      lower: the lower bound found.
      confidence: at which it holds.
      ceiling: the largest epsilon that so many models and canaries could have refuted.
    """
    most = numbers.lower(ceiling)
    found = (
        f"lower bound found {numbers.lower(lower)} of at most {most} that so many models and canaries can "
        f"show, at confidence {100 * confidence:g} %"
    )
    if promised is None:
        return f"No epsilon promised, {found}."
    outcome = "the promise is refuted" if lower > promised else "the promise is not refuted"
    if lower <= promised and ceiling <= promised:
        outcome += ", and no attack could have refuted it here"
    return f"Epsilon promised {math.ceil(promised * 100) / 100:,.2f}, {found}: {outcome}."


def _scores(signal: np.ndarray, member: np.ndarray, audited: int) -> Scored:
    """Signals, coins and scores of the audited models; the references make the scores."""
    known = len(signal) - audited
    scores = one_run.likelihood_ratio(signal[known:], signal[:known], member[:known])
    return signal[known:], member[known:], scores


def _canaries(campaign: Campaign) -> np.ndarray:
    data, size = campaign.setup.config.data, campaign.setup.dataset.num_examples
    return canary_ids(size, data.canaries, data.canary_seed) if data.canaries else np.arange(size)


def _notes(found: Audited, planted: int) -> list[str]:
    notes: list[str] = []
    if not planted:
        notes.append("No canaries were planted: every example of the pool is one, most of them easy to predict.")
    if found.references < 8:
        notes.append(
            f"{found.references} reference models fix the scores: with 8 or more, attacks and bounds are stronger."
        )
    if found.promised_epsilon is not None and found.bounds.one_run.canaries * found.delta > 0.1:
        notes.append("Canaries times delta exceeds 0.1, which weakens the one-run bound: audit fewer canaries.")
    return notes


def _write_report(campaign: Campaign, found: Audit, scored: Scored, command: str) -> None:
    from miajax.studies.audit.page import render_audit_report

    _, coins, scores = scored
    html = render_audit_report(found, Run.of(campaign, command), scores[coins], scores[~coins])
    write_text(campaign.folder.path / "audit" / "report.html", html)


def _counted(of: Any) -> int | tuple[int, ...]:
    """One count, or those of several thresholds."""
    counts = tuple(int(count) for count in np.ravel(of))
    return counts[0] if len(counts) == 1 else counts
