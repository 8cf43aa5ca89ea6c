"""What the report on stability says in sentences."""

from miajax.metrics.claims import against
from miajax.metrics.figures import Estimate
from miajax.report import numbers
from miajax.report.attack_faces import face
from miajax.studies.stability.figures import SAME, AtSize, Stability


def records(found: Stability) -> str:
    """What members are drawn by, as a noun in the plural."""
    return "groups" if found.head.unit == "group" else "records"


def attackers_sentence(found: Stability) -> str:
    """What several attackers of one target find, any and all of them."""
    of, main = found.measured, found.main.sub_ensembles
    any_, all_, flips = main.found_by_any, main.found_by_all, main.flips
    if any_.value is None or all_.value is None or flips.value is None:
        return "No member has a score, so that attackers cannot be compared."
    count = "Two" if of.num_attackers == 2 else numbers.count(of.num_attackers)
    one = "" if main.tpr.value is None else f"; one alone names {numbers.percent(main.tpr.value)}"
    models = numbers.counted(of.models_per_attacker, "shadow model")
    return (
        f"{count} attackers with {models} of their own each, all running "
        f"{face(found.main_attack).inline} at {numbers.level(of.fpr)} false alarms: any of them names "
        f"{numbers.percent(any_.value)} of the members, all of them {numbers.percent(all_.value)}{one}."
    )


def jaccard_sentence(found: Stability) -> str:
    """How far two attackers' sets overlap, against chance."""
    overlap = found.main.sub_ensembles.jaccard
    if overlap.value is None:
        return "No attacker names a member."
    return (
        f"Of the members that either of two attackers names, {numbers.percent(overlap.value)} "
        f"({numbers.percent_interval(overlap.interval)}) are named by both{_beside(overlap)}."
    )


def _beside(figure: Estimate) -> str:
    """What independent attackers show, and whether the figure is told from it."""
    if figure.chance is None:
        return ""
    told = {"above": "more than", "below": "less than", "not shown": "not measurably more than"}
    standing = told[against(figure.interval, figure.chance)]
    return f", {standing} the {numbers.percent(figure.chance)} of independent attackers"


def flips_sentence(found: Stability) -> str:
    """How often a decision about a member depends on the attacker."""
    flips = found.main.sub_ensembles.flips
    if flips.value is None:
        return ""
    return (
        f"For {numbers.percent(flips.value)} ({numbers.percent_interval(flips.interval)}) of the members the answer "
        f"depends on whose shadow models are used{_beside(flips)}."
    )


def largest(found: Stability) -> tuple[int, AtSize] | None:
    """The largest size at which two sets were compared."""
    curve = found.main.curve
    return (size := max(curve), curve[size]) if curve else None


def top_sentence(found: Stability) -> str:
    """How far two sets of models have the same most exposed records, and from how many models on they do."""
    of, at = found.measured, largest(found)
    noun = records(found)
    if at is None or (share := at[1].shared_top.value) is None:
        return f"There are too few models to compare the most exposed {noun} of two sets."
    size, overlap = at[0], at[1].shared_top
    told = (
        f"Two disjoint sets of {numbers.counted(size, 'model')} share {numbers.percent(share)} "
        f"({numbers.percent_interval(overlap.interval)}) of the {numbers.level(of.top)} most exposed {noun}"
    )
    enough = found.main.models_until_same[SAME[-1]]
    if enough is None:
        return f"{told}: no size measured here gets to {numbers.level(SAME[-1])}."
    return f"{told}: from {numbers.counted(enough, 'model')} on it is {numbers.level(SAME[-1])} or more."


def attacks_sentence(found: Stability) -> str:
    """How far attacks agree with the same shadow models."""
    across = found.measured.across_attacks
    if across is None or across.found_by_any.value is None or across.found_by_all.value is None:
        return ""
    count = len(found.measured.attacks) - len(found.measured.ensembles)
    false = across.false_by_any.value
    price = "" if false is None else f", at {numbers.percent(false)} false alarms"
    return (
        f"With the same shadow models, any of {count} attacks names {numbers.percent(across.found_by_any.value)} of "
        f"the members{price}, all of them {numbers.percent(across.found_by_all.value)}."
    )


def overlap_sentence(found: Stability) -> str:
    """The answer to the objection that another set of models would name others."""
    return f"{jaccard_sentence(found)} {top_sentence(found)}"
