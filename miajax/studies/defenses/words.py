"""What the report on defences says in sentences, from figures that it also shows."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from miajax.metrics.claims import against, chance_of_tpr
from miajax.report import numbers
from miajax.report.claims import unseen
from miajax.report.numbers import estimate
from miajax.studies.defenses.pictures import FPR, most_vulnerable, rate

Json = Mapping[str, Any]
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

    best: Json | None
    within: list[Json]
    lowering: list[Json]
    trading: list[Json]


def defences(rows: list[Json]) -> list[Json]:
    """The rows that stand for a defence: neither the undefended models nor a control."""
    return [row for row in rows[1:] if not row["control"]]


def named_share(row: Json) -> float | None:
    """What an informed attacker gets from the most vulnerable, where they are still there."""
    figures, same = most_vulnerable(row)
    return rate(figures)[0] if same else None


def cost(row: Json) -> float:
    """What a defence takes off the accuracy on non-members, a fraction; below 0 where it adds."""
    return -row["accuracy_change"]["test"]


def _sure_change(row: Json) -> Sequence[float] | None:
    """The interval of the paired change in what is named, wide enough for all rows."""
    change = row["lira_adaptive"]["top_1pct_change"]
    return None if change is None else change["named_ci_of_all"][FPR]


def ranking(rows: list[Json]) -> Ranking:
    """Which defence is best, by the rule of docs/methods.md: only those within a stated loss of accuracy compete."""
    shown = [row for row in defences(rows) if against(_sure_change(row), 0.0) == "below"]
    within = [row for row in defences(rows) if cost(row) <= MOST_LOSS]
    lowering = [row for row in shown if row in within]
    best = min(lowering, key=lambda row: (_sure_change(row) or (0.0, 0.0))[1], default=None)
    return Ranking(best, within, lowering, [row for row in shown if row not in within])


def defenses_finding(rows: list[Json]) -> str:
    """Which defence protects best at little cost, and who protects more at a greater one."""
    original = rows[0]
    figures = original["lira_adaptive"]["top_1pct"]
    ago, interval = rate(figures)
    compared = defences(rows)
    if ago is None or not any(row["lira_adaptive"]["top_1pct_change"] for row in compared):
        return "Too few models to tell what protects the most vulnerable examples."
    if against(interval, chance_of_tpr(float(FPR))) != "above":
        return (
            f"Without a defence an attacker names {numbers.percent(ago)} of the most vulnerable members at "
            f"{numbers.level(float(FPR))} false alarms, not measurably more than chance; {unseen(interval)}: nothing "
            "here ranks defences."
        )
    found, limit = ranking(rows), numbers.points(MOST_LOSS)
    if found.best is None:
        told = (
            f"None of {_competing(found)} is shown to protect the most vulnerable members"
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


def _price(row: Json) -> str:
    change = row["accuracy_change"]
    moved = numbers.points(change["test"], change["test_ci"], signed=True)
    return f"Accuracy changes by {moved}."


def _trade_off(trading: Sequence[Json]) -> str:
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


def lowering_finding(rows: list[Json]) -> str:
    """How many defences are shown to protect within the stated loss of accuracy."""
    found = ranking(rows)
    tried, limit = numbers.counted(len(defences(rows)), "defence"), numbers.points(MOST_LOSS)
    many = f"{len(found.lowering)} of {tried}" if found.lowering else f"None of {tried}"
    lower = "lowers" if len(found.lowering) == 1 else "lower" if found.lowering else "is shown to lower"
    return f"{many} {lower} what an informed attacker gets from the most vulnerable for at most {limit} of accuracy"


def knowledge_finding(rows: list[Json]) -> str:
    """Whether knowing a defence gains the attacker anything, by the paired difference that counts all rows."""
    known = [(row, row["lira_adaptive"]["over_naive"]) for row in rows[1:]]
    known = [(row, gain) for row, gain in known if gain is not None]
    if not known:
        return "No defence was compared"
    sure = [pair for pair in known if against(pair[1]["auc_ci_of_all"], 0.0) == "above"]
    if not sure:
        most = max(gain["auc_ci_of_all"][1] for _, gain in known)
        return f"Knowing a defence is not shown to gain the attacker anything; up to {most:.3f} of AUC would go unseen"
    row, gain = max(sure, key=lambda pair: pair[1]["auc"])
    return (
        f"Judged by an attacker who does not know it, {inline(row)} seems to leave an AUC of "
        f"{row['lira_naive']['auc']:.3f}; one who does gets {row['lira_adaptive']['auc']:.3f} (paired difference "
        f"{numbers.difference(gain['auc'], gain['auc_ci'])})"
    )


def inline(row: Json) -> str:
    """A defence's title inside a sentence: lower case, unless it is a name of its own."""
    title = row["title"]
    named = any(letter.isupper() for letter in title[1:]) or title[1:2].isdigit()
    return title if named else title[0].lower() + title[1:]


def thresholds_finding(rows: list[Json]) -> str:
    """What a threshold sees and LiRA sees, and for how many defences LiRA is shown to see more."""
    first = rows[0]
    seen = estimate(first["lira_adaptive"].get("auc"), decimals=3).number
    finding = f"A threshold on the loss sees AUC {first['threshold_auc']:.3f} where LiRA sees {seen}"
    more = [row["lira_adaptive"]["over_threshold"] for row in defences(rows)]
    hidden = sum(each is not None and against(each["auc_ci_of_all"], 0.0) == "above" for each in more)
    if not hidden:
        return finding
    look = "looks better than it is" if hidden == 1 else "look better than they are"
    return f"{finding}: judged by it alone, {hidden} of {numbers.counted(len(more), 'defence')} {look}"


def price_finding(rows: list[Json]) -> str:
    """The dearest defence to train, and how its time compares with the undefended models'."""
    timed = [row for row in rows if row["runtime_s"] is not None and row["stage"] != "answers"]
    if not timed:
        return "No training was timed: all models were there"
    slowest = max(timed, key=lambda row: row["runtime_s"])
    took = f"The dearest to train is {inline(slowest)}: {numbers.seconds(slowest['runtime_s'])} a model"
    ago = rows[0]["runtime_s"]
    if not ago or slowest is rows[0]:
        return took if len(timed) < 2 else f"{took}; no defence takes longer than none"
    return f"{took}, {numbers.times(slowest['runtime_s'] / ago, 'what training without defence takes')}"


def specific_finding(results: Json, rows: list[Json]) -> str:
    """The onion where there is a control, else what protection does to the AUC of the others."""
    share, onion = numbers.level(results["flagged"]["share"]), results["onion"]
    if onion is not None:
        rise, control = (str(estimate(onion[name], onion[f"{name}_ci"], decimals=3)) for name in ("rise", "control"))
        figures = (
            f"the AUC of those then most vulnerable changes by {rise}, and by {control} among the same examples where "
            "as many are dropped at random"
        )
        standing = against(onion["difference_ci"], 0.0)
        verdict = "exposes others" if standing == "above" else "is not shown to expose others"
        most = "" if standing == "above" else f"; a rise of up to {onion['difference_ci'][1]:.3f} would go unseen"
        return f"Dropping the flagged {share} {verdict}: {figures}{most}"
    changed = [(row, row["unflagged"]["change"]) for row in rows if row["unflagged"]["change"] is not None]
    if not changed:
        return f"What protecting {share} of the examples does to the others is not known: too few are left to judge"
    row, change = max(changed, key=lambda pair: abs(pair[1]["auc"]))
    figure = numbers.difference(change["auc"], change["auc_ci"])
    return f"“{row['title']}” ({share} of the examples) changes the AUC of the others most: by {figure}"
