"""What a comparison of two runs says, as sentences. No sentence claims that nothing changed, or that nothing leaks."""

from collections.abc import Sequence

from miajax.report import claims, numbers
from miajax.report.attack_faces import face
from miajax.studies.compare.results import Comparison


def headline(found: Comparison) -> str:
    """How the attack that was strongest before fares after; its interval counts all attacks."""
    lead, entry = found.lead, found.entry
    label = face(lead.attack).inline
    label = label[:1].upper() + label[1:] + _asked(found)
    rates = lead.fpr is not None
    if lead.fpr is not None:
        moved = f"{numbers.percent(entry.after.value)} of the members instead of {numbers.percent(entry.before.value)}"
        where = f" at {numbers.one_per(float(lead.fpr))}"
    else:
        moved, where = f"{entry.after.value:.3f} instead of {entry.before.value:.3f}", ""
    verb = "names" if rates else "has an AUC of"
    if entry.standing == "not shown":
        low, high = entry.change_ci_of_all
        ends = [_points(end) if rates else numbers.difference(end) for end in (low, high)]
        fits = f"a change from {ends[0]} to {ends[1]} fits as well"
        return f"{label} {verb} {moved}{where}: not measurably different; {fits}"
    less = entry.standing == "below"
    return f"{label} {verb} {moved}{where}: measurably {'less' if less else 'more'} than before"


def _asked(found: Comparison) -> str:
    return ", by group," if found.unit == "group" else ""


def headline_sentence(found: Comparison) -> str:
    """The change with its interval and what it accounts for."""
    lead, entry = found.lead, found.entry
    count = len(found.attacks)
    change = (numbers.difference if lead.fpr is None else _points)(entry.change.value, entry.change_ci_of_all)
    for_all = "a 95 % interval" if count == 1 else f"an interval that holds for all {count} attacks at once"
    what = "The AUC" if lead.fpr is None else "The share"
    return f"{what} changed by {change}, {for_all}. The attack was chosen because it was strongest before."


def _points(change: float, interval: Sequence[float] | None = None) -> str:
    return numbers.points(change, interval, signed=True)


def attacks_finding(found: Comparison) -> str:
    """How many attacks find less, more, or cannot tell."""
    standings = [entry.of_unit.auc.standing for entry in found.attacks.values()]
    unit = " of groups" if found.unit == "group" else ""
    said = {"below": "find measurably less", "above": "find measurably more", "not shown": "show no measurable change"}
    counted = {what: standings.count(standing) for standing, what in said.items() if standing in standings}
    if len(standings) == 1:
        (what,) = counted
        return f"By AUC{unit}, the attack {_singular(what)}"
    if len(counted) == 1:
        (what,) = counted
        return f"By AUC{unit}, all {len(standings)} attacks {what}"
    parts = [f"{count} {_singular(what) if count == 1 else what}" for what, count in counted.items()]
    return f"Of {len(standings)} attacks, by AUC{unit}, {', '.join(parts)}"


def _singular(what: str) -> str:
    verb, _, rest = what.partition(" ")
    return f"{verb}s {rest}"


def strongest_after(found: Comparison) -> str:
    """Which attack leads now: somebody else's may be the better one against what changed."""
    before, after = found.before.strongest, found.after.strongest
    if after is None:
        return "No attack could be measured after."
    if before is not None and before.attack == after.attack:
        return f"The same attack leads after. {claims.lead_sentence(after)}"
    return f"Another attack leads after. {claims.lead_sentence(after)}"


def accuracy_finding(found: Comparison) -> str:
    """What the change cost on examples that models had not seen."""
    if found.accuracy is None:
        return "Accuracies cannot be compared: an import keeps no answers"
    entry = found.accuracy.test_accuracy
    moved = f"Accuracy on non-members is {numbers.percent(entry.after)} instead of {numbers.percent(entry.before)}"
    measured = "not measurably different" if entry.standing == "not shown" else "a measurable change"
    return f"{moved}, {measured} ({numbers.moved_points(entry.change)})"


def _unit(found: Comparison) -> str:
    return "group" if found.unit == "group" else "example"


def exposure_finding(found: Comparison) -> str:
    """Who gained and who lost protection, counted."""
    counts, unit = found.attacks[found.lead.attack].of_unit.exposure, _unit(found)
    gained, lost, tested = counts.gained_protection, counts.lost_protection, counts.tested
    if not tested:
        return f"No {unit} has models on both sides to be tested"
    if not gained and not lost:
        return f"Of {numbers.counted(tested, unit)} none can be named whose protection changed"
    return (
        f"Of {numbers.counted(tested, unit)}, {numbers.count(gained)} gained protection and {numbers.count(lost)} "
        "lost it"
    )


def exposure_rule(found: Comparison) -> list[str]:
    """The rule, and what it could have seen."""
    counts, unit = found.attacks[found.lead.attack].of_unit.exposure, _unit(found)
    article = "A" if unit == "group" else "An"
    label = face(found.lead.attack).inline
    paired = (
        "the exact sign test of the models that changed sides"
        if found.paired
        else ("Fisher's exact test of the two shares")
    )
    said = [
        f"{article} {unit}'s exposure is the share of the models trained on it in which {label} names it, at "
        f"{numbers.one_per(found.exposure_fpr)} non-members in each run. {article} {unit} counts as changed by "
        f"{paired} and Benjamini and Hochberg's rule over all {unit}s: of those named, "
        f"at most {numbers.level(found.false_discoveries)} are expected to be named by chance.",
    ]
    models, needed = counts.median_models, counts.models_to_see_one
    if models is not None and models < needed:
        said.append(
            f"{article} {unit} has {models:g} such models, in the median. A change of one {unit} alone takes {needed} "
            f"to be seen; with fewer, only changes that many {unit}s share can be named. Who is not named may have "
            "changed."
        )
    else:
        said.append("Who is not named may have changed by less than the test sees.")
    return said
