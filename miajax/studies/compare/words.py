"""What a comparison of two runs says, as sentences. No sentence claims that nothing changed, or that nothing leaks."""

from collections.abc import Mapping
from typing import Any

from miajax.metrics.claims import lead_of
from miajax.report import claims, numbers
from miajax.report.attack_faces import face

Json = Mapping[str, Any]


def lead_entry(results: Json) -> Json:
    """The change that the headline is about."""
    lead = results["lead"]
    entry = results["attacks"][lead["attack"]]
    return entry["auc"] if lead["fpr"] is None else entry["tpr_at_fpr"][lead["fpr"]]


def headline(results: Json) -> str:
    """How the attack that was strongest before fares after; its interval counts all attacks."""
    lead, entry = results["lead"], lead_entry(results)
    label = face(lead["attack"]).inline
    label = label[:1].upper() + label[1:]
    rates = lead["fpr"] is not None
    if rates:
        moved = f"{numbers.percent(entry['after'])} of the members instead of {numbers.percent(entry['before'])}"
        where = f" at {numbers.one_per(float(lead['fpr']))}"
    else:
        moved, where = f"{entry['after']:.3f} instead of {entry['before']:.3f}", ""
    verb = "names" if rates else "has an AUC of"
    if entry["standing"] == "not shown":
        low, high = entry["change_ci_of_all"]
        ends = [_points(end) if rates else numbers.difference(end) for end in (low, high)]
        fits = f"a change from {ends[0]} to {ends[1]} fits as well"
        return f"{label} {verb} {moved}{where}: not measurably different; {fits}"
    less = entry["standing"] == "below"
    return f"{label} {verb} {moved}{where}: measurably {'less' if less else 'more'} than before"


def headline_sentence(results: Json) -> str:
    """The change with its interval and what it accounts for."""
    lead, entry = results["lead"], lead_entry(results)
    count = len(results["attacks"])
    change = (numbers.difference if lead["fpr"] is None else _points)(entry["change"], entry["change_ci_of_all"])
    for_all = "a 95 % interval" if count == 1 else f"an interval that holds for all {count} attacks at once"
    what = "The AUC" if lead["fpr"] is None else "The share"
    return f"{what} changed by {change}, {for_all}. The attack was chosen because it was strongest before."


def _points(change: float, interval: Any = None) -> str:
    return numbers.points(change, interval, signed=True)


def attacks_finding(results: Json) -> str:
    """How many attacks find less, more, or cannot tell."""
    standings = [entry["auc"]["standing"] for entry in results["attacks"].values()]
    said = {"below": "find measurably less", "above": "find measurably more", "not shown": "show no measurable change"}
    found = {what: standings.count(standing) for standing, what in said.items() if standing in standings}
    if len(standings) == 1:
        (what,) = found
        return f"By AUC, the attack {_singular(what)}"
    if len(found) == 1:
        (what,) = found
        return f"By AUC, all {len(standings)} attacks {what}"
    parts = [f"{count} {_singular(what) if count == 1 else what}" for what, count in found.items()]
    return f"Of {len(standings)} attacks, by AUC, {', '.join(parts)}"


def _singular(what: str) -> str:
    verb, _, rest = what.partition(" ")
    return f"{verb}s {rest}"


def strongest_after(results: Json) -> str:
    """Which attack leads now: somebody else's may be the better one against what changed."""
    before, after = (lead_of(results[side]) for side in ("before", "after"))
    if after is None:
        return "No attack could be measured after."
    if before is not None and before.attack == after.attack:
        return f"The same attack leads after. {claims.lead_sentence(after)}"
    return f"Another attack leads after. {claims.lead_sentence(after)}"


def accuracy_finding(results: Json) -> str:
    """What the change cost on examples that models had not seen."""
    accuracy = results["accuracy"]
    if accuracy is None:
        return "Accuracies cannot be compared: an import keeps no answers"
    entry = accuracy["test_accuracy"]
    moved = (
        f"Accuracy on non-members is {numbers.percent(entry['after'])} instead of {numbers.percent(entry['before'])}"
    )
    change = numbers.points(entry["change"], entry["change_ci"], signed=True)
    measured = "not measurably different" if entry["standing"] == "not shown" else "a measurable change"
    return f"{moved}, {measured} ({change})"


def exposure_finding(results: Json) -> str:
    """Who gained and who lost protection, counted."""
    counts = results["attacks"][results["lead"]["attack"]]["exposure"]
    gained, lost, tested = counts["gained_protection"], counts["lost_protection"], counts["tested"]
    if not tested:
        return "No example has models on both sides to be tested"
    if not gained and not lost:
        return f"Of {numbers.counted(tested, 'example')} none can be named whose protection changed"
    return (
        f"Of {numbers.counted(tested, 'example')}, {numbers.count(gained)} gained protection and {numbers.count(lost)} "
        "lost it"
    )


def exposure_rule(results: Json) -> list[str]:
    """The rule, and what it could have seen."""
    counts = results["attacks"][results["lead"]["attack"]]["exposure"]
    label = face(results["lead"]["attack"]).inline
    paired = (
        "the exact sign test of the models that changed sides"
        if results["paired"]
        else ("Fisher's exact test of the two shares")
    )
    said = [
        f"An example's exposure is the share of the models trained on it in which {label} names it, at "
        f"{numbers.one_per(results['exposure_fpr'])} non-members in each run. An example counts as changed by {paired} "
        f"and Benjamini and Hochberg's rule over all examples: of those named, "
        f"at most {numbers.level(results['false_discoveries'])} are expected to be named by chance.",
    ]
    models, needed = counts["median_models"], counts["models_to_see_one"]
    if models is not None and models < needed:
        said.append(
            f"An example has {models:g} such models, in the median. A change of one example alone takes {needed} to be "
            "seen; with fewer, only changes that many examples share can be named. Who is not named may have changed."
        )
    else:
        said.append("Who is not named may have changed by less than the test sees.")
    return said
