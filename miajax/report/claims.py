"""Sentences that compare, each kind once: against chance, with a level, of the best of several. For every report.

The rules stand in docs/methods.md, "What reports may say". No sentence here claims that something is absent: what is
not shown is said with how large it could be without being seen.
"""

from collections.abc import Sequence

from miajax.metrics.claims import Lead, against
from miajax.report import numbers
from miajax.report.attack_faces import face

Interval = Sequence[float]
LOWER_BOUND = "All of this is a lower bound on leakage, not a proof of safety."


def unseen(interval: Interval | None, what: str = "a leak") -> str:
    """What could be there without being seen: the upper end of a rate's interval. A clause, or nothing without one."""
    if interval is None:
        return ""
    size = "of any size" if interval[1] > 0.9999 else f"of up to {numbers.percent(interval[1])}"
    return f"{what} {size} would go unseen"


def against_chance(interval: Interval | None, chance: float) -> str:
    """How a rate's interval lies to chance, as the end of a sentence about the rate."""
    standing = against(interval, chance)
    if standing == "above":
        return "measurably more than chance"
    if interval is None:
        return "without an interval that could set it against chance"
    words = "less than chance" if standing == "below" else "not measurably more than chance"
    return f"{words}; {unseen(interval)}"


def lead_label(lead: Lead) -> str:
    """The leading attack's name inside a sentence."""
    return face(lead.attack).inline


def lead_finding(lead: Lead | None) -> str:
    """The headline: the strongest attack, if any is above chance with all of them counted.

    Args:
      lead: of ``metrics.claims.strongest``, or None where no attack could be measured.
    """
    if lead is None:
        return "No attack could be measured"
    of = _of(lead)
    if lead.standing != "above":
        told = f"{_none_of(lead)} does measurably better than chance{_where(lead)}; {_closest(lead)}"
        return " ".join(filter(None, [told + ("; but" if lead.shows else ""), _ranks(lead)]))
    if lead.fpr is None:
        return f"{of}{lead_label(lead)} is strongest, with an AUC of {_interval(lead)}"
    share = f"{numbers.percent(lead.value)} of the members{_where(lead)}"
    return f"{of}{lead_label(lead)} is strongest and names {share}"


def lead_sentence(lead: Lead | None) -> str:
    """The same with the interval and what it accounts for."""
    if lead is None:
        return "No attack could be measured."
    count = len(lead.intervals)
    for_all = "" if count == 1 else f", the interval that holds for all {count} attacks at once"
    if lead.fpr is None:
        told = f"{_label(lead)} ranks members with an AUC of {_interval(lead)}{for_all} (chance 0.5)"
        return told + ("." if lead.standing == "above" else f": not measurably better than chance; {_unseen(lead)}.")
    interval = numbers.percent_interval(lead.ci)
    told = (
        f"At {numbers.one_per(float(lead.fpr))} non-members, {lead_label(lead)} names "
        f"{numbers.percent(lead.value)} of the members "
        f"({'95 % interval ' if count == 1 else ''}{interval}{for_all}): "
    )
    if lead.standing == "above":
        return told + f"{numbers.times(lead.value / lead.chance, 'chance')}."
    told += f"{against_chance(lead.ci, lead.chance)}."
    if not (ranks := _ranks(lead)):
        return told
    for_all = "" if count == 1 else f", the interval that holds for the AUCs of all {count} at once"
    return f"{told} Over all rates, {ranks}{for_all}: measurably more than chance (0.5)."


def _ranks(lead: Lead) -> str:
    """What the AUC shows where no rate does; nothing where it shows nothing either."""
    ranking = lead.by_auc
    if ranking is None or ranking.standing != "above":
        return ""
    low, high = ranking.ci
    return f"{face(ranking.attack).inline} ranks members with an AUC of {ranking.value:.3f} [{low:.3f}, {high:.3f}]"


def equals_sentence(lead: Lead | None) -> str:
    """Which attacks paired differences do not tell from the leading one; empty for one attack."""
    if lead is None or len(lead.intervals) < 2:
        return ""
    equal = [face(name).inline for name in lead.not_told_apart]
    rest = len(lead.differences) - len(equal)
    if not equal:
        return f"Paired differences say that none of the other {rest} is as strong."
    named = ", ".join(equal[:6]) + (f" and {len(equal) - 6} more" if len(equal) > 6 else "")
    return f"By paired differences on the same models and examples these may be as strong: {named}."


def lead_rule(lead: Lead | None) -> str:
    """How the leading attack was chosen, for the page; empty where there was nothing to choose from."""
    if lead is None or len(lead.intervals) + len(lead.unresolved) < 2:
        return ""
    figure = "AUC" if lead.fpr is None else f"TPR at FPR {lead.fpr}"
    count = len(lead.intervals)
    rule = (
        f"The strongest attack is the one with the highest lower end of the {figure}, each of the {count} attacks at a "
        f"confidence of {100 * lead.confidence:.4g} % (Bonferroni), so that all intervals hold at once with "
        "probability 95 % and choosing by them costs nothing."
        if count > 1
        else f"Only one attack has a {figure}, so that none was chosen."
    )
    return " ".join(filter(None, [rule, _second(lead), _not_in_it(lead)]))


def _second(lead: Lead) -> str:
    """That the AUC was looked at after the rate."""
    if lead.by_auc is None or lead.by_auc.standing != "above":
        return ""
    return (
        "The AUC is looked at because no rate is above chance: its intervals are at the same confidence, and rates and "
        "AUCs hold together with probability 90 % or more."
    )


def _not_in_it(lead: Lead) -> str:
    """Which attacks did not compete, because too few non-members have their score."""
    unresolved = lead.unresolved
    if not unresolved:
        return ""
    named = [f"{face(name).inline} ({numbers.count(count)})" for name, count in unresolved.items()]
    return (
        f"Too few non-members have a score of {', '.join(named)} to show a rate at FPR {lead.fpr}: "
        f"{'it does' if len(named) == 1 else 'they do'} not compete, and may find more."
    )


def _of(lead: Lead) -> str:
    count = len(lead.intervals)
    return "" if count == 1 else f"Of {count} attacks "


def _none_of(lead: Lead) -> str:
    count = len(lead.intervals)
    return _label(lead) if count == 1 else f"None of {count} attacks" if count > 2 else "Neither of 2 attacks"


def _label(lead: Lead) -> str:
    return face(lead.attack).label


def _where(lead: Lead) -> str:
    return "" if lead.fpr is None else f" at {numbers.one_per(float(lead.fpr))}"


def _closest(lead: Lead) -> str:
    return (f"for {lead_label(lead)}, " if len(lead.intervals) > 1 else "") + _unseen(lead)


def _unseen(lead: Lead) -> str:
    if lead.fpr is None:
        return f"an AUC of up to {lead.ci[1]:.3f} would go unseen"
    return unseen(lead.ci)


def _interval(lead: Lead) -> str:
    low, high = lead.ci
    return f"{lead.value:.3f} [{low:.3f}, {high:.3f}]"


def beyond_sentence(
    lead: Lead | None, other: str, auc: numbers.Estimate, theirs: numbers.Estimate, attacker: str
) -> str:
    """Whether the leading attack's AUC is above another's, by their paired difference; empty where that is missing.

    Args:
      lead: of ``metrics.claims.strongest``.
      other: an attack that it is held against.
      auc, theirs: both AUCs.
      attacker: what the other attack's attacker has, for the beginning of the sentence.
    """
    if lead is None or auc.value is None or theirs.value is None or other not in lead.differences:
        return ""
    found = lead.differences[other]
    change = numbers.moved(found.auc)
    begin = f"{attacker} reaches an AUC of {theirs}; {lead_label(lead)} reaches {auc} (paired difference {change})"
    return (
        begin
        + {
            "above": ", so that this does not account for all of the leakage.",
            "below": ": by AUC the former is the better signal here.",
            "not shown": ": the former may account for all that it ranks.",
        }[against(found.auc.interval, 0.0)]
    )
