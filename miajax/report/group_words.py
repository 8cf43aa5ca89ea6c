"""What a report says where rows are of people, or of other groups: figures by group, the exposed, slices."""

from collections.abc import Iterable, Mapping, Sequence

from miajax.metrics.claims import against, chance_of_tpr, difference_of_separate, lead_of
from miajax.report import claims, numbers
from miajax.report.attack_faces import face
from miajax.report.numbers import Estimate
from miajax.report.page import Block, Card, Cards, Column, Points, Prose, Section, Table
from miajax.typed import Json

_FPRS = ("0.001", "0.01")
_JOINS = {"sum": "sum", "mean": "mean", "max": "maximum"}
_NOT_RESOLVED = "Too few non-members for this rate."


def group_sections(results: Json) -> list[Section]:
    """The section on groups beside rows; nothing where rows have none."""
    if not results.get("groups"):
        return []
    return [_groups(results, results["groups"])]


def spread_sections(results: Json) -> list[Section]:
    """The section on how the largest leak is spread over slices; nothing where none were asked for."""
    return [_spread(results)] if results.get("spread") else []


def beside_sections(entries: Mapping[str, Json], subject: str = "Attack") -> list[Section]:
    """Figures by row and by group side by side; nothing where no entry has figures by group.

    Args:
      entries: by what the first column shows, ``{auc, auc_ci, tpr_at_fpr, tpr_at_fpr_ci, per_group}``.
      subject: the first column's title.
    """
    found = {name: entry for name, entry in entries.items() if entry.get("per_group")}
    if not found:
        return []
    columns = [Column(subject), Column("AUC", "number", "by row"), Column("AUC", "number", "by group")]
    fprs = _shown(found.values())
    for fpr in fprs:
        columns += [Column("TPR", "number", f"by row, FPR {fpr}"), Column("TPR", "number", f"by group, FPR {fpr}")]
    rows = [
        [
            name,
            _figure(entry, "auc"),
            _figure(entry["per_group"], "auc"),
            *(_figure(of, "tpr_at_fpr", fpr) for fpr in fprs for of in (entry, entry["per_group"])),
        ]
        for name, entry in found.items()
    ]
    count = max(entry["per_group"]["num_groups"] for entry in found.values())
    most = max(found, key=lambda name: found[name]["per_group"]["auc"])
    finding = (
        f"Asked about groups of rows instead of single ones, {most} reaches an AUC of "
        f"{found[most]['per_group']['auc']:.3f}; by row it is {found[most]['auc']:.3f}"
    )
    caption = (
        f"{numbers.counted(count, 'group')}, scores of whose rows are joined. Brackets are 95 % intervals over groups."
    )
    table = Table(columns, rows, caption)
    return [Section("By group", finding, [Prose([how("group")]), table])]


def how(name: str) -> str:
    """What figures by group answer that figures by row do not."""
    return (
        f"Several rows are about one {name}, and a model trained on all of them or on none. Who wants to know whether "
        f"a {name} was in the training asks the model about every one of these rows and puts the answers together. The "
        f"figures by row say how much a single row gives away; those by {name} say what is at stake for a {name}."
    )


def _shown(entries: Iterable[Json]) -> list[str]:
    """False-positive rates that any of the attacks has non-members enough for, by row or by group."""
    tprs = [of["tpr_at_fpr"] for entry in entries for of in (entry, entry["per_group"])]
    return [fpr for fpr in _FPRS if any(each.get(fpr) is not None for each in tprs)]


def _figure(entry: Json, name: str, fpr: str | None = None) -> Estimate:
    value, interval = entry[name], entry[f"{name}_ci"]
    if fpr is not None:
        value, interval = value.get(fpr), interval.get(fpr)
    if value is None:
        return Estimate(None, reason=_NOT_RESOLVED)
    return numbers.estimate(value, interval, decimals=3 if fpr is None else None)


def _groups(results: Json, groups: Json) -> Section:
    name, found = groups["name"], {n: e for n, e in results["attacks"].items() if e.get("per_group")}
    lead = lead_of(groups)
    names = list(found)
    columns = [
        Column("Attack"),
        Column("Joined by", "text", "scores of a group's rows"),
        Column("AUC", "number", "by row"),
        Column("AUC", "number", f"by {name}"),
    ]
    fprs = _shown(found.values())
    for fpr in fprs:
        columns += [Column("TPR", "number", f"by row, FPR {fpr}"), Column("TPR", "number", f"by {name}, FPR {fpr}")]
    rows = [
        [
            face(attack).label,
            _JOINS[entry["per_group"]["headline"]],
            _figure(entry, "auc"),
            _figure(entry["per_group"], "auc"),
            *(_figure(of, "tpr_at_fpr", fpr) for fpr in fprs for of in (entry, entry["per_group"])),
        ]
        for attack, entry in found.items()
    ]
    table = Table(
        columns,
        rows,
        f"{_counted(groups)}, {_rows(groups)} rows each. "
        "Rates are fractions, brackets 95 % intervals that resample groups.",
        [names.index(lead.attack)] if lead is not None and lead.attack in names else [],
    )
    blocks: list[Block] = [Prose([how(_noun(name)), _joins(_noun(name))]), table]
    cards = _cards(results, groups)
    if cards:
        blocks.insert(0, Cards(cards))
    points = [*_exposed(groups), *_copies(groups), _keys(groups)]
    return Section(f"By {name}", _finding(results, groups), [*blocks, Points(points)])


def _counted(groups: Json) -> str:
    """How many groups there are, and by what where that has a name of its own."""
    by = "" if groups["name"] == "group" else f" by {groups['name']}"
    return f"{numbers.counted(groups['num_groups'], 'group')}{by}"


def _noun(name: str) -> str:
    """What one group is called inside a sentence: the column's name where that is a word, else a group by it."""
    return name if name.isalpha() and name.islower() and len(name) > 3 else f"group by {name}"


def _rows(groups: Json) -> str:
    fewest, most = groups["fewest_rows"], groups["most_rows"]
    return f"{most}" if fewest == most else f"{fewest} to {most}"


def _finding(results: Json, groups: Json) -> str:
    lead, name = lead_of(groups), _noun(groups["name"])
    if lead is None:
        return "No attack could be measured by group"
    entry = results["attacks"][lead.attack]
    of, fpr = entry["per_group"], lead.fpr or "0.01"
    by_group, by_row = of["tpr_at_fpr"].get(fpr), entry["tpr_at_fpr"].get(fpr)
    label = face(lead.attack).inline
    if lead.fpr is None or by_group is None or by_row is None:
        return (
            f"Asked about a {name} instead of a row, {label} reaches an AUC of {of['auc']:.3f}; by row it is "
            f"{entry['auc']:.3f}"
        )
    rate = numbers.one_per(float(fpr))
    if against(lead.ci, lead.chance) != "above":
        return f"By group, no attack does measurably better than chance at {rate}; {claims.unseen(lead.ci)}"
    return (
        f"Asked about a {name} instead of a row, {label} names {numbers.percent(by_group)} of the members at {rate}; "
        f"by row it is {numbers.percent(by_row)}"
    )


def _joins(name: str) -> str:
    return (
        "Scores that are log-likelihood ratios are added up, which is the strongest way where rows are independent; of "
        "other scores the mean is taken. The choice follows from the attack, not from what came out. results.json has "
        f"sum, mean and maximum of every attack. Intervals let whole groups vary: rows of one {name} are one draw."
    )


def _cards(results: Json, groups: Json) -> list[Card]:
    lead, name = lead_of(groups), groups["name"]
    if lead is None:
        return []
    entry = results["attacks"][lead.attack]
    fpr = next((fpr for fpr in _FPRS if entry["per_group"]["tpr_at_fpr"].get(fpr) is not None), None)
    cards = []
    for title, of in ((f"by {name}", entry["per_group"]), ("by row", entry)):
        if fpr is None or of["tpr_at_fpr"].get(fpr) is None:
            cards.append(Card(f"AUC {title}", f"{of['auc']:.3f}", _figure(of, "auc").interval_text, "chance: 0.5"))
            continue
        rate, interval = of["tpr_at_fpr"][fpr], of["tpr_at_fpr_ci"][fpr]
        chance = chance_of_tpr(float(fpr), of["chance_tpr_at_fpr"][fpr])
        above = against(interval, chance) == "above"
        cards.append(
            Card(
                f"Members named {title}, {numbers.level(float(fpr))} FPR",
                numbers.percent(rate),
                numbers.percent_interval(interval),
                f"{face(lead.attack).label}; " + ("more than chance" if above else "not measurably above chance"),
            )
        )
    return cards


def _exposed(groups: Json) -> list[str]:
    found, name = groups["most_exposed"], _noun(groups["name"])
    if found is None:
        return [
            f"How exposed the single most exposed {name} is was not measured: it takes several models that trained on "
            "it, and others that did not."
        ]
    low, high = found["tpr_ci"]
    return [
        f"The most exposed {name}, {found['group']}, is named by {face(found['attack']).inline} in "
        f"{numbers.percent(found['tpr'])} of the {numbers.counted(found['models'], 'model')} that trained on it "
        f"({numbers.percent(low)} to {numbers.percent(high)}, all {numbers.count(found['num_groups'])} considered), at "
        f"{numbers.one_per(found['pooled_fpr'])} non-members; half of them are named in at most "
        f"{numbers.percent(found['median_tpr'])}.",
        f"{numbers.count(found['named_in_half'])} of {numbers.count(found['num_groups'])} are named in at least half "
        "of the models that trained on them.",
    ]


def _copies(groups: Json) -> list[str]:
    copies = groups["near_copies"]
    if copies is None:
        return [
            "Whether one person comes under several keys was not measured: signals hold no records. If so, figures are "
            "too low."
        ]
    if not copies["count"]:
        return []
    listed = ", ".join(f"{one} and {other}" for one, other, *_ in copies["pairs"][:5])
    pairs = numbers.counted(copies["count"], "pair")
    return [
        f"{pairs} under different keys nearly copy each other ({listed}{' and more' if copies['count'] > 5 else ''}): "
        "if they are one, figures are too low."
    ]


def _keys(groups: Json) -> str:
    if groups["keys"] == "own":
        return "per_group.parquet names groups by their own keys."
    if groups["keys"] == "numbers":
        return "per_group.parquet names groups by number, as the column group of per_example.parquet does."
    return (
        "per_group.parquet names groups by salted hashes. The salt is group_keys.salt in the run folder: keep it "
        "there, or remove it."
    )


def _spread(results: Json) -> Section:
    spread, slices = results["spread"], results["spread"]["slices"]
    unit = results["groups"]["name"] if results.get("groups") else "row"
    few = [name for name, of in slices.items() if of["few_groups"]]
    rows = [
        [
            f"{name} (few)" if of["few_groups"] else name,
            of["num_rows"],
            *([of["num_groups"]] if unit != "row" else []),
            _figure(of, "tpr"),
            _figure(of, "fpr"),
            _figure(of, "auc"),
        ]
        for name, of in slices.items()
    ]
    columns = [
        Column(str(spread["column"])),
        Column("Rows", "count"),
        *([Column("Groups", "count", f"by {unit}")] if unit != "row" else []),
        Column("Members named", "number", f"pooled FPR {spread['fpr']}"),
        Column("Others named", "number", "false alarms"),
        Column("AUC", "number", "within the slice"),
    ]
    rate = numbers.one_per(float(spread["fpr"]))
    blocks: list[Block] = [
        Table(columns, rows, f"{face(spread['attack']).label}, by row, one threshold for everybody ({rate} pooled). "
              "Brackets are 95 % intervals."),
    ]  # fmt: skip
    if few:
        blocks.append(
            Prose([
                f"Fewer than {spread['fewest_groups']} {unit}s stand behind {', '.join(few[:8])}: intervals may be too "
                "narrow there, and no comparison should rest on them."
            ])
        )  # fmt: skip
    return Section(f"By {spread['column']}", _uneven(spread), blocks)


def _uneven(spread: Json) -> str:
    known = {name: of for name, of in spread["slices"].items() if of["tpr"] is not None and not of["few_groups"]}
    if len(known) < 2:
        return f"Too few slices of {spread['column']} are large enough to be compared"
    most, least = (pick(known, key=lambda name: known[name]["tpr"]) for pick in (max, min))
    ends: Sequence[float] = difference_of_separate(
        known[most]["tpr"], known[most]["tpr_ci"], known[least]["tpr"], known[least]["tpr_ci"],
        len(known) * (len(known) - 1) // 2,
    )  # fmt: skip
    shares = [numbers.percent(known[name]["tpr"]) for name in (most, least)]
    told = f"{shares[0]} of the members are named where {spread['column']} is {most}, {shares[1]} where it is {least}"
    if against(ends, 0.0) == "above":
        return told
    return f"{told}: not measurably more; a difference of up to {numbers.points(ends[1])} would go unseen"
