"""What the report on defences says in sentences, from figures that it also shows."""

from collections.abc import Mapping
from typing import Any

from miajax.report import numbers
from miajax.report.numbers import estimate
from miajax.studies.defenses.pictures import most_vulnerable, rate

Json = Mapping[str, Any]


def defences(rows: list[Json]) -> list[Json]:
    """The rows that stand for a defence: neither the undefended models nor a control."""
    return [row for row in rows[1:] if not row["control"]]


def named_share(row: Json) -> float | None:
    """What an informed attacker gets from the most vulnerable, where they are still there."""
    figures, same = most_vulnerable(row)
    return rate(figures)[0] if same else None


def defenses_finding(rows: list[Json]) -> str:
    """Which defence leaves least, and what it costs, in two sentences."""
    original = rows[0]
    ago = named_share(original)
    compared = defences(rows)
    known = [row for row in compared if named_share(row) is not None]
    if ago is None or not known:
        return "Too few models to tell what protects the most vulnerable examples."
    best = min(known, key=lambda row: named_share(row) or 0.0)
    cost = original["test_accuracy"] - best["test_accuracy"]
    price = f"{numbers.points(cost)} of accuracy" if cost > 0 else "no accuracy"
    return (
        f"Of {numbers.counted(len(compared), 'defence')}, {inline(best)} leaves least: an attacker who knows it names "
        f"{numbers.percent(named_share(best) or 0.0)} of the most vulnerable members at 1\u00a0% false alarms, "
        f"{numbers.percent(ago)} without defence. It costs {price}."
    )


def inline(row: Json) -> str:
    """A defence's title inside a sentence: lower case, unless it is a name of its own."""
    title = row["title"]
    named = any(letter.isupper() for letter in title[1:]) or title[1].isdigit()
    return title if named else title[0].lower() + title[1:]


def thresholds_finding(rows: list[Json]) -> str:
    """What a threshold sees and LiRA sees, and for how many defences the two clearly differ."""
    first = rows[0]
    seen = estimate(first["lira_adaptive"].get("auc"), decimals=3).number
    finding = f"A threshold on the loss sees AUC {first['threshold_auc']:.3f} where LiRA sees {seen}"
    intervals = [(row["lira_adaptive"].get("auc_ci"), row["threshold_auc_ci"]) for row in defences(rows)]
    hidden = sum(lira is not None and lira[0] > threshold[1] for lira, threshold in intervals)
    if not hidden:
        return finding
    look = "looks better than it is" if hidden == 1 else "look better than they are"
    return f"{finding}: judged by it alone, {hidden} of {numbers.counted(len(intervals), 'defence')} {look}"


def specific_finding(results: Json, rows: list[Json]) -> str:
    """The onion where there is a control, else what protection does to the AUC of the others."""
    share, onion = numbers.level(results["flagged"]["share"]), results["onion"]
    if onion is not None:
        rise, control = (
            str(estimate(onion[name], onion[f"{name}_ci"], decimals=3)) for name in ("rise", "control")
        )
        figures = (
            f"the AUC of those then most vulnerable changes by {rise}, and by {control} among the same examples where "
            "as many are dropped at random"
        )
        verdict = "exposes others" if onion["difference_ci"][0] > 0 else "does not clearly expose others"
        return f"Dropping the flagged {share} {verdict}: {figures}"
    changed = [(row, row["unflagged"]["change"]) for row in rows if row["unflagged"]["change"] is not None]
    if not changed:
        return f"What protecting {share} of the examples does to the others cannot be told: too few are left to judge"
    row, change = max(changed, key=lambda pair: abs(pair[1]["auc"]))
    figure = estimate(change["auc"], change["auc_ci"], decimals=3)
    return f"“{row['title']}” ({share} of the examples) changes the AUC of the others most: by {figure}"
