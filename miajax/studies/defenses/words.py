"""What the report on defences says in sentences, from figures that it also shows."""

from collections.abc import Sequence
from typing import NamedTuple

from miajax.metrics.claims import against, chance_of_tpr
from miajax.report import numbers
from miajax.report.claims import unseen
from miajax.studies.defenses.results import FPR, Defenses, Row, named

MOST_LOSS = 0.01
"""Accuracy on non-members that a defence may cost, a fraction, to be compared as the best; the others trade more."""


class Ranking(NamedTuple):
    """How defences stand to the most vulnerable examples.

    Attributes:
      best: of those within ``MOST_LOSS`` the one whose protection is surest; None where none is shown to protect.
      within: defences that cost no more than ``MOST_LOSS``.
      lowering: those of ``within`` that are shown to lower what is named, all comparisons counted.
      trading: defences that are shown to lower it and cost more.
    """

    best: Row | None
    within: Sequence[Row]
    lowering: Sequence[Row]
    trading: Sequence[Row]


def defences(rows: Sequence[Row]) -> list[Row]:
    """The rows that stand for a defence: neither the undefended models nor a control."""
    return [row for row in rows[1:] if not row.control]


def named_share(row: Row) -> float | None:
    """What an informed attacker gets from the most vulnerable, where they are still there."""
    figures, same = row.most_vulnerable
    return named(figures).value if same else None


def cost(row: Row) -> float:
    """What a defence takes off the accuracy on non-members, a fraction; below 0 where it adds."""
    return -row.accuracy_change.test.value


def _sure_change(row: Row) -> Sequence[float] | None:
    """The interval of the paired change in what is named, wide enough for all rows."""
    change = row.lira_adaptive.top_1pct_change
    return None if change is None else change.named_ci_of_all[FPR]


def ranking(rows: Sequence[Row]) -> Ranking:
    """Which defence is best, by the rule of docs/methods.md: only those within a stated loss of accuracy compete."""
    shown = [row for row in defences(rows) if against(_sure_change(row), 0.0) == "below"]
    within = [row for row in defences(rows) if cost(row) <= MOST_LOSS]
    lowering = [row for row in shown if row in within]
    best = min(lowering, key=lambda row: (_sure_change(row) or (0.0, 0.0))[1], default=None)
    return Ranking(best, within, lowering, [row for row in shown if row not in within])


def defenses_finding(rows: Sequence[Row]) -> str:
    """Which defence protects best at little cost, and who protects more at a greater one."""
    rate = named(rows[0].lira_adaptive.top_1pct)
    ago, interval = rate.value, rate.interval
    if ago is None or not any(row.lira_adaptive.top_1pct_change for row in defences(rows)):
        return "Too few models to tell what protects the most vulnerable examples."
    if against(interval, chance_of_tpr(FPR)) != "above":
        return (
            f"Without a defence an attacker names {numbers.percent(ago)} of the most vulnerable members at "
            f"{numbers.level(FPR)} false alarms, not measurably more than chance; {unseen(interval)}: nothing "
            "here ranks defences."
        )
    found, limit = ranking(rows), numbers.points(MOST_LOSS)
    if found.best is None:
        told = (
            f"{_none_of(len(found.within), _competing(found))} shown to protect the most vulnerable members"
            if found.within
            else f"No defence costs {limit} of accuracy or less"
        )
        return f"{told}.{_trade_off(found.trading)}"
    return (
        f"Of {_competing(found)} {inline(found.best)} protects best: an attacker who knows it names "
        f"{numbers.percent(named_share(found.best) or 0.0)} of the most vulnerable members at 1\u00a0% false alarms, "
        f"{numbers.percent(ago)} without defence. {_price(found.best)}{_trade_off(found.trading)}"
    )


def _competing(found: Ranking) -> str:
    cost_at_most = f"{'costs' if len(found.within) == 1 else 'cost'} at most {numbers.points(MOST_LOSS)} of accuracy"
    return f"{numbers.counted(len(found.within), 'defence')} that {cost_at_most}"


def _none_of(count: int, those: str) -> str:
    return f"The {those} is not" if count == 1 else f"None of {those} is"


def _price(row: Row) -> str:
    return f"Accuracy changes by {numbers.moved_points(row.accuracy_change.test)}."


def _trade_off(trading: Sequence[Row]) -> str:
    """Those who protect at a greater cost, with the cheapest and the dearest of them."""
    if not trading:
        return ""
    ordered = sorted(trading, key=cost)
    cheap, dear = ordered[0], ordered[-1]
    said = f"{inline(cheap)} costs {numbers.points(cost(cheap))}"
    if dear is not cheap:
        said += f", {inline(dear)} {numbers.points(cost(dear))}"
    more = "1 other trades" if len(ordered) == 1 else f"{len(ordered)} others trade"
    return f" {more} more accuracy for protection: {said}."


def lowering_finding(rows: Sequence[Row]) -> str:
    """How many defences are shown to protect within the stated loss of accuracy."""
    found = ranking(rows)
    tried, limit = numbers.counted(len(defences(rows)), "defence"), numbers.points(MOST_LOSS)
    if found.lowering:
        many = f"{len(found.lowering)} of {tried} {'lowers' if len(found.lowering) == 1 else 'lower'}"
    else:
        many = f"{_none_of(len(defences(rows)), tried)} shown to lower"
    return f"{many} what an informed attacker gets from the most vulnerable for at most {limit} of accuracy"


def knowledge_finding(rows: Sequence[Row]) -> str:
    """Whether knowing a defence gains the attacker anything, by the paired difference that counts all rows."""
    known = [(row, gain) for row in rows[1:] if (gain := row.lira_adaptive.over_naive) is not None]
    if not known:
        return "No defence was compared"
    sure = [pair for pair in known if against(pair[1].auc_ci_of_all, 0.0) == "above"]
    if not sure:
        most = max(gain.auc_ci_of_all[1] for _, gain in known)
        unseen_gain = f"; up to {most:.3f} of AUC would go unseen" if most > 0 else ""
        return f"Knowing a defence is not shown to gain the attacker anything{unseen_gain}"
    row, gain = max(sure, key=lambda pair: pair[1].auc.value)
    return (
        f"Judged by an attacker who does not know it, {inline(row)} seems to leave an AUC of "
        f"{row.lira_naive.auc.value:.3f}; one who does gets {row.lira_adaptive.auc.value:.3f} (paired difference "
        f"{numbers.moved(gain.auc)})"
    )


def inline(row: Row) -> str:
    """A defence's title inside a sentence: lower case, unless it is a name of its own."""
    title = row.title
    named = any(letter.isupper() for letter in title[1:]) or title[1:2].isdigit()
    return title if named else title[0].lower() + title[1:]


def thresholds_finding(rows: Sequence[Row]) -> str:
    """What a threshold sees and LiRA sees, and for how many defences LiRA is shown to see more."""
    first = rows[0]
    seen = numbers.shown(first.lira_adaptive.auc, 3).number
    finding = f"A threshold on the loss sees AUC {first.threshold_auc.value:.3f} where LiRA sees {seen}"
    more = [row.lira_adaptive.over_threshold for row in defences(rows)]
    hidden = sum(each is not None and against(each.auc_ci_of_all, 0.0) == "above" for each in more)
    if not hidden:
        return finding
    look = "looks better than it is" if hidden == 1 else "look better than they are"
    return f"{finding}: judged by it alone, {hidden} of {numbers.counted(len(more), 'defence')} {look}"


def price_finding(rows: Sequence[Row]) -> str:
    """The dearest defence to train, and how its time compares with the undefended models'."""
    timed = [(row, row.runtime_s) for row in rows if row.runtime_s is not None and row.stage != "answers"]
    if not timed:
        return "No training was timed: all models were there"
    slowest, seconds = max(timed, key=lambda pair: pair[1])
    took = f"The dearest to train is {inline(slowest)}: {numbers.seconds(seconds)} a model"
    ago = rows[0].runtime_s
    if not ago or slowest is rows[0]:
        return took if len(timed) < 2 else f"{took}; no defence takes longer than none"
    return f"{took}, {numbers.times(seconds / ago, 'what training without defence takes')}"


def specific_finding(found: Defenses, rows: Sequence[Row]) -> str:
    """The onion where there is a control, else what protection does to the AUC of the others."""
    share, onion = numbers.level(found.flagged.share), found.onion
    if onion is not None:
        rise, control = (str(numbers.shown(each, 3)) for each in (onion.rise, onion.control))
        figures = (
            f"the AUC of those then most vulnerable changes by {rise}, and by {control} among the same examples where "
            "as many are dropped at random"
        )
        standing = against(onion.difference.interval, 0.0)
        verdict = "exposes others" if standing == "above" else "is not shown to expose others"
        high = onion.difference.interval[1]
        most = "" if standing == "above" or high <= 0 else f"; a rise of up to {high:.3f} would go unseen"
        return f"Dropping the flagged {share} {verdict}: {figures}{most}"
    changed = [(row, row.unflagged.change.auc) for row in rows if row.unflagged and row.unflagged.change]
    if not changed:
        return f"What protecting {share} of the examples does to the others is not known: too few are left to judge"
    row, auc = max(changed, key=lambda pair: abs(pair[1].value))
    return f"“{row.title}” ({share} of the examples) changes the AUC of the others most: by {numbers.moved(auc)}"
