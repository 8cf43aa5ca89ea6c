"""What the evidence says, as sentences for readers who are no statisticians. None claims that something is absent."""

import math

from miajax.metrics.claims import against, at_once
from miajax.report import claims, numbers
from miajax.report.attack_faces import face
from miajax.report.numbers import Estimate
from miajax.report.privacy_words import epsilon_text
from miajax.studies.attacked.groups import EXPOSURE_FPR
from miajax.studies.audit_report.evidence import Evidence
from miajax.studies.audit_report.found import Named, SliceFound
from miajax.studies.audit_report.options import NOT_STATED, AuditReportOptions
from miajax.typed import Json

NOT_MEASURED = "Not measured"
UNNAMED = "trained elsewhere"  # models from a plan, without --model_name


def subject_sentence(evidence: Evidence) -> str:
    """What was attacked."""
    results = evidence.results
    models = numbers.counted(int(results["num_valid"]), "model")
    data = f"{results['dataset']} ({numbers.counted(int(results['num_examples']), 'record')})"
    if evidence.kind == "target":
        return f"One model, {results['target']}, was attacked, with {models} trained as its shadows on {data}."
    where = f"of the kind {results['model']}"
    if evidence.trained_by == "elsewhere":
        named = "" if evidence.kind == "import" or results["model"] == UNNAMED else f" {where}"
        where = f"trained elsewhere{named}"
    if results["target"] is not None:
        return f"Model {results['target']} of {models} {where} on {data} was attacked, the others as its shadows."
    return (
        f"{models[:1].upper()}{models[1:]} {where}, each on its own random part of {data}, were attacked in turn, "
        "each with the others as its shadows."
    )


def model_name(evidence: Evidence) -> str:
    """What the audited model is called where the auditor gave it no name."""
    if evidence.kind == "target":
        return str(evidence.results["target"])
    name = str(evidence.results["model"])
    return "a model trained elsewhere" if evidence.kind == "import" or name == UNNAMED else name


def about_recipe(evidence: Evidence) -> str:
    """Whether figures are about a model or about a way of making models."""
    if evidence.kind == "target":
        return "The figures are about this one model."
    return (
        "The figures are about models made in this way. A model in use that was trained on all of the data was not "
        "attacked itself; miajax audit_target attacks it."
    )


def stated_or_not(options: AuditReportOptions, field: str) -> str:
    """What the auditor stated."""
    return options.stated(field) or NOT_STATED


def means_finding(evidence: Evidence) -> str:
    """What the leading attack takes."""
    if evidence.lead is None:
        return "No attack could be measured, so that no means were tested"
    count = len(evidence.attacks)
    return f"{numbers.counted(count, 'attack')} tested; the strongest needs {face(evidence.lead.attack).needs}"


def cost_sentence(evidence: Evidence) -> str:
    """What it takes to make the shadow models, as far as it was recorded."""
    made: Json = evidence.results.get("made") or {}
    seconds = numbers.finite(made.get("train_s"))
    count = numbers.counted(int(evidence.results["num_valid"]), "shadow model")
    if seconds is None or not int(made.get("models_timed") or 0):
        return f"What training the {count} took was not recorded."
    devices = ", ".join(str(each) for each in made.get("devices") or ())
    return (
        f"Training the {count} took {numbers.seconds(seconds)}{' on ' + devices if devices else ''}, given "
        "the data and the recipe."
    )


def answers_sentence(evidence: Evidence) -> str:
    """What attacks see of the model."""
    if evidence.kind != "target":
        return "Attacks see the model's full scores for every class. A model that shows less gives less away to them."
    kinds = {
        "logits": "its scores for every class", "probabilities": "its probabilities for every class",
        "labels": "only the class that it predicts",
    }  # fmt: skip
    return f"Of the audited model attacks see {kinds[str(evidence.results['answers']['kind'])]}."


def worst_finding(evidence: Evidence) -> str:
    """The most exposed record, or that it was not measured."""
    if not evidence.exposed:
        return f"{NOT_MEASURED}: how exposed the single most exposed {evidence.unit} is"
    worst = strongest_record(evidence.exposed)
    told = named_clause(worst)
    if worst.above_chance:
        return f"The most exposed {evidence.unit} found was {told}"
    unshown = f"No single {evidence.unit} could be shown to be named more often with it than without"
    return f"{unshown}; the surest was {told}" if worst.more_often else unshown


def strongest_record(exposed: tuple[Named, ...]) -> Named:
    """Of the records that were chosen, the one with the largest difference that its intervals leave."""
    return max(exposed, key=lambda each: each.named_in_ci[0] - each.named_out_ci[1])


def named_clause(one: Named) -> str:
    """How often a record was named with and without it, as the end of a sentence."""
    return (
        f"named in {numbers.count(one.named_in)} of {numbers.counted(one.num_in, 'training')} with it and in "
        f"{numbers.count(one.named_out)} of {numbers.count(one.num_out)} without"
    )


def worst_sentences(evidence: Evidence) -> list[str]:
    """What the figures of single records mean and do not mean."""
    if not evidence.exposed:
        return [f"{NOT_MEASURED}. {evidence.not_exposed}"]
    count, unit = len(evidence.exposed), evidence.unit
    shown = sum(one.above_chance for one in evidence.exposed)
    told = (
        f"{numbers.count(shown)} of the {count} {'is' if shown == 1 else 'are'} named measurably more often with than "
        "without."
    )
    if evidence.by_group:
        share = numbers.level(EXPOSURE_FPR)
        rule = (
            f"These are the {numbers.counted(count, unit)} that the strongest attack tells best, at a false-alarm "
            "rate of "
            f"{share} over all. Each {unit} was looked at, and the intervals hold for all of them at once with "
            f"probability 95 %. {told}"
        )
        missed = "Those outside this list may be exposed as much: so few models cannot order them."
    else:
        rule = (
            f"Half of the models chose these {numbers.counted(count, unit)} and the rule by which each is named; the "
            "other half, which had no part in the choice, was counted. The intervals of all rows hold at once with "
            f"probability 95 %. {told}"
        )
        missed = "A record outside this list may be exposed as much: half of the models can miss it."
    upper = max(one.named_in_ci[1] for one in evidence.exposed)
    others = "For the others, a" if shown else "A"
    unseen = f"{claims.unseen((0.0, upper), f'{others} leak')}. " if shown < count else ""
    return [rule, unseen + missed]


def slices_finding(slices: tuple[SliceFound, ...]) -> str:
    """The group of which the attack finds most."""
    found = for_all(slices)
    if not found:
        return "No group of records has an AUC with an interval."
    most, auc = found[0]
    return (
        f"Of {numbers.counted(len(found), 'group')} of records, {most.by.replace('_', ' ')} {most.name} has the "
        f"highest lower end: AUC {auc}, the interval that holds for all of them at once."
    )


def for_all(slices: tuple[SliceFound, ...]) -> list[tuple[SliceFound, Estimate]]:
    """Slices with their AUC and an interval that holds for all at once, the highest lower end first.

    One of them is spoken of because it is the highest: its interval accounts for that.
    """
    known = [each for each in slices if each.auc.value is not None and each.auc.interval is not None]
    found: list[tuple[float, SliceFound, Estimate]] = []
    for each in known:
        value, interval = each.auc.value, each.auc.interval
        assert value is not None and interval is not None
        wide = at_once(value, interval, len(known))
        found.append((wide[0], each, numbers.estimate(value, wide, decimals=3)))
    return [(each, auc) for _, each, auc in sorted(found, key=lambda one: -one[0])]


def gap_sentence(evidence: Evidence) -> str:
    """Overfitting, which eases membership inference."""
    results = evidence.results
    if results.get("generalization_gap") is None:
        return f"{NOT_MEASURED}: the answers hold no accuracy, so that overfitting could not be judged."
    interval = results["generalization_gap_ci"]
    member, other = (numbers.percent(results[name]) for name in ("train_accuracy", "test_accuracy"))
    told = (
        f"Accuracy is {member} on members and {other} on non-members: a gap of "
        f"{numbers.points(results['generalization_gap'], interval)}"
    )
    return told + ("." if against(interval, 0.0) == "above" else ", not measurably different from none.")


def privacy_finding(evidence: Evidence) -> str:
    """Whether training bounds what leaks."""
    if not evidence.privacy_known:
        return "Whether the model was trained with differential privacy was not recorded"
    privacy = evidence.privacy
    if privacy is None:
        return "No differential privacy was used: no proof bounds what other attacks could find"
    if privacy["epsilon"] is None:
        return "Training clipped gradients, but its noise gives no guarantee"
    return (
        f"Differential privacy bounds what leaks: epsilon {epsilon_text(privacy['epsilon'])} at delta "
        f"{privacy['delta']:g}"
    )


def odds_sentence(epsilon: float | None) -> str:
    """What epsilon means for one unit."""
    if epsilon is None:
        return "There is no finite epsilon, so that nothing is promised."
    factor = math.exp(epsilon) if epsilon < 700 else math.inf
    digits = 2 - math.floor(math.log10(factor)) if factor < 1e6 else 0
    size = f"{math.ceil(factor * 10**digits - 1e-9) / 10**digits:,g}" if factor < 1e6 else "more than a million"
    weak = " So large a factor promises next to nothing by itself." if factor > 1000 else ""
    return (
        "Whatever an attacker believes before, the odds that one unit was in the training change by a factor of at "
        "most "
        f"e^ε = {size} by what the model shows, but for an event of probability δ.{weak}"
    )


def residual_sentence(evidence: Evidence) -> str:
    """The remaining risk as far as it was measured; no verdict."""
    lead = evidence.lead
    if lead is None:
        return "The remaining risk was not measured."
    return f"{claims.lead_sentence(lead)} {claims.LOWER_BOUND}"
