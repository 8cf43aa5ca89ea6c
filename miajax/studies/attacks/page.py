"""The report on every attack from one set of shadow models, side by side."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from miajax.attacks.registry import ATTACKS
from miajax.metrics.claims import against, difference_of_separate
from miajax.metrics.figures import fpr_key
from miajax.report import claims, numbers, plots, privacy_words, provenance
from miajax.report.attack_faces import face
from miajax.report.attack_table import attack_table, chance_remark, reported_fprs
from miajax.report.blind_words import blind_banners, blind_sections
from miajax.report.group_words import group_finding, group_sections, spread_sections
from miajax.report.numbers import Estimate
from miajax.report.objections import objection_sections
from miajax.report.page import Block, Card, Cards, Cell, Column, Columns, Details, Figure, Page, Prose, Section, Table
from miajax.report.record_words import record_sections
from miajax.studies.attacked import examples as lira_examples
from miajax.studies.attacked import threat as lira_threat
from miajax.studies.attacked import words as lira_words
from miajax.studies.attacked.entry import Entry, InSlice
from miajax.studies.attacked.evidence import Evidence, LiraReportInputs

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

_SHORT = 12  # characters of a fingerprint that tell runs apart
_FEW_MODELS = 64
_ONE_SIDED = Estimate(None, reason="The group lacks scored members or non-members.")


def render_attacks_report(inputs: LiraReportInputs, entries: Mapping[str, Entry]) -> str:
    """Returns the report as one self-contained HTML document; ``main_attack`` is the strongest one.

    Args:
      inputs: what reports on attacks are made from.
      entries: of each attack that ran, all that is said of it.
    """
    evidence, found = Evidence(inputs), inputs.found
    fingerprint = str(inputs.manifest.get("fingerprint") or "")
    attacks = numbers.counted(len(evidence.attacks), "attack")
    facts = [
        ("Data set", found.head.dataset),
        ("Model", found.head.model),
        ("Shadow models", numbers.count(evidence.num_models)),
        ("Examples", numbers.count(len(inputs.labels))),
        ("Strongest attack", face(inputs.main_attack).inline),
        ("Fingerprint", fingerprint[:_SHORT]),
    ]
    return Page(
        kicker="Membership-inference attacks compared",
        title=f"{attacks} on {numbers.counted(evidence.num_models, 'model')}",
        subtitle=group_finding(found.groups, found.figures) or lira_threat.headline(evidence),
        facts=[(name, value) for name, value in facts if value],
        banners=_banners(evidence),
        sections=[
            _summary(evidence),
            _attacks(evidence),
            *group_sections(found.groups, found.figures),
            *spread_sections(found.spread, found.unit),
            _calls(evidence, entries),
            _groups(evidence, entries),
            _single_examples(entries),
            *record_sections(found.per_record, inputs.main_attack),
            lira_examples.examples_section(evidence),
            *blind_sections(found.checks),
            _costs(entries),
            lira_threat.threat_section(evidence),
            *privacy_words.privacy_sections(found.head.privacy),
            *objection_sections(found.objections),
            lira_threat.limits_section(evidence),
            provenance.run_section(found.ran, inputs.config, inputs.manifest, inputs.command),
            lira_threat.terms_section(evidence),
        ],
        footer=f"Made by miajax{' from run ' + fingerprint[:_SHORT] if fingerprint else ''}.",
    ).html()


def attacks_roc_figure(inputs: LiraReportInputs) -> "MatplotlibFigure":
    """Returns the ROC of the strongest attacks as a figure, for ``plots.save_png``."""
    return _roc_figure(Evidence(inputs))


def _roc_figure(evidence: Evidence) -> "MatplotlibFigure":
    resolvable = 1 / max(1, evidence.pooled_non_members)
    return plots.roc_figure(evidence.curves, resolvable_fpr=resolvable, inches=(plots.HALF, 4.2))


def _banners(evidence: Evidence) -> list[str | Markup]:
    banners: list[str | Markup] = []
    if evidence.num_models < _FEW_MODELS:
        models = numbers.counted(evidence.num_models, "model")
        banners.append(f"Only {models}: intervals are wide and figures about single examples are coarse.")
    if evidence.inputs.redacted:
        banners.append(lira_examples.REDACTED)
    return [*banners, *blind_banners(evidence.inputs.found.checks)]


def _best(evidence: Evidence, *, shadows: bool) -> str | None:
    """The attack with the highest lower end of those that need shadow models, or of those that need none."""
    if evidence.lead is None:
        return None
    intervals = evidence.lead.intervals
    allowed = [name for name in intervals if name in ATTACKS and ATTACKS[name].shadow_based == shadows]
    return max(allowed, key=lambda name: (intervals[name].interval[0], intervals[name].value), default=None)


def _summary(evidence: Evidence) -> Section:
    found = evidence.inputs.found
    by_group = group_finding(found.groups, found.figures)
    finding = by_group.rstrip(".") or claims.lead_finding(evidence.lead)
    without = _best(evidence, shadows=False)
    cards: list[Card] = []
    sentences = [
        by_group and f"{by_group} By row:",
        lira_threat.headline(evidence),
        claims.equals_sentence(evidence.lead),
        lira_words.auc_sentence(evidence.main),
    ]
    shown = [(evidence.inputs.main_attack, "Strongest attack"), (without, "Strongest without shadow models")]
    for name, label in shown:
        standing = lira_words.standing(evidence.figures(name), evidence.fpr) if name is not None else None
        if name is not None and standing is not None:
            standing = lira_words.among_all(standing, name, evidence.lead)
            cards.append(
                Card(
                    f"{label}: {standing.label}",
                    numbers.percent(standing.rate),
                    numbers.percent_interval(standing.tpr.interval),
                    f"of members at {numbers.level(standing.fpr)} FPR, {lira_words.card_detail(standing)}",
                )
            )
    highest = max(evidence.attacks, key=lambda each: each.auc.value or 0.0, default=None)
    if highest is not None and (auc := highest.auc).value is not None:
        label = face(highest.attack).inline
        cards.append(
            Card(
                f"Highest AUC of {len(evidence.attacks)}: {label}",
                auc.number,
                auc.interval_text,
                "chance: 0.5; the interval is this attack's own",
            )
        )
    sentences.append(lira_words.precision_sentence(evidence.main_standing))
    sentences.append(claims.LOWER_BOUND)
    text = Prose([" ".join(each for each in sentences if each)])
    rule = claims.lead_rule(evidence.lead)
    blocks = [Cards(cards), text, *lira_threat.ranking_blocks(evidence)]
    return Section("Summary", finding, blocks, [rule] if rule else [])


def _attacks(evidence: Evidence) -> Section:
    names = [each.attack for each in evidence.attacks]
    emphasis = [names.index(evidence.inputs.main_attack)] if evidence.inputs.main_attack in names else []
    behind = numbers.counted(evidence.pooled_non_members, "non-member")
    table = attack_table(
        evidence.attacks,
        caption=f"{numbers.counted(len(evidence.targets), 'target')} pooled, {behind}. Rates are fractions, brackets "
        "95 % intervals; higher is more leakage.",
        emphasis=emphasis,
    )
    blocks: list[Block] = [table]
    if evidence.inputs.rocs:
        meaning = lira_threat.headline(evidence)
        picture = Figure(
            plots.figure_to_data_uri(_roc_figure(evidence)),
            f"ROC curves with logarithmic axes. {meaning}",
            f"The {numbers.counted(len(evidence.inputs.rocs), 'attack')} that find most at 1 % false alarms and the "
            "plain threshold; both axes logarithmic, bars are 95 % intervals.",
            "Receiver operating characteristic",
        )
        text = [
            "Intervals of attacks on the same models overlap more than their difference is uncertain: the summary's "
            "paired differences say which attacks are told apart.",
            "The TPR at no false alarm falls as non-members are added: compare it between equal numbers only.",
        ]
        blocks.append(Columns([picture, Prose(text)]))
    if evidence.attacks_per_target:
        single = numbers.counted(evidence.non_members_per_target, "non-member")
        caption = f"Means over targets, at least {single} each.{chance_remark(evidence.attacks_per_target)}"
        blocks.append(Details("Each target by itself", [attack_table(evidence.attacks_per_target, caption=caption)]))
    return Section("Attacks", _ahead(evidence), blocks)


def _ahead(evidence: Evidence) -> str:
    """How far shadow models take the attacker."""
    lead, ours, theirs = evidence.lead, _best(evidence, shadows=True), _best(evidence, shadows=False)
    if lead is None or ours is None or theirs is None or lead.attack not in (ours, theirs):
        return "The attacks side by side"
    with_them, without = (lead.intervals[name].value for name in (ours, theirs))
    other = lead.differences[theirs if lead.attack == ours else ours]
    by_auc = lead.fpr is None
    values = [f"{value:.3f}" if by_auc else numbers.percent(value) for value in (with_them, without)]
    found = f"{values[0]} against {values[1]}" + (" AUC" if by_auc else " of members")
    pair = f"{face(ours).inline} with shadow models and {face(theirs).inline} without"
    standing = against(other.ci, 0.0)
    if standing == "not shown":
        return f"The paired difference does not tell {pair} apart: {found}"
    return f"{'Shadow models find more' if lead.attack == ours else 'Shadow models find less'}, {found}: {pair}"


def _calls(evidence: Evidence, entries: Mapping[str, Entry]) -> Section:
    """Precision at priors, and what thresholds set on other models reach."""
    fprs = reported_fprs(evidence.attacks)
    blocks: list[Block] = []
    for fpr in fprs:
        found = {name: entry.precision[fpr] for name, entry in entries.items()}
        if any(share.value is not None for of in found.values() for share in of.values()):
            rows: list[list[Cell]] = [
                [face(name).label, *map(numbers.shown, of.values())] for name, of in found.items()
            ]
            columns = [Column("Attack"), *_precision_columns(next(iter(found.values())))]
            at = fpr_key(fpr)
            caption = f"Share of the named that are members, at FPR {at}, by the share of members among those asked."
            table = Table(columns, rows, caption)
            blocks.append(table if fpr == fprs[-1] else Details(f"At FPR {at}", [table]))
    blocks = [*reversed(blocks), *_calibrated(entries, fprs)]
    finding = lira_words.precision_sentence(evidence.main_standing).rstrip(".") or "What a call is worth"
    text = (
        "A rate at a fixed FPR takes its threshold from the very scores that it counts, which no attacker can. Below, "
        "each target's threshold is the median of the other models' own: the rates that it really reaches."
    )
    return Section("Calls", finding, [*blocks[:1], Prose([text]), *blocks[1:]])


def _precision_columns(priors: Iterable[float]) -> list[Column]:
    return [Column("Precision", "number", f"{numbers.level(prior)} members") for prior in priors]


def _calibrated(entries: Mapping[str, Entry], fprs: Sequence[float]) -> list[Block]:
    tables: list[Block] = []
    for fpr in fprs:
        found = {name: reached for name, entry in entries.items() if (reached := entry.calibrated[fpr])}
        rows: list[list[Cell]] = [
            [
                face(name).label,
                numbers.shown(reached.fpr),
                f"{numbers.rate(reached.fpr_of_targets[0])} to {numbers.rate(reached.fpr_of_targets[2])}",
                numbers.shown(reached.tpr),
                *map(numbers.shown, reached.ppv.values()),
            ]
            for name, reached in found.items()
        ]
        if rows:
            columns = [
                Column("Attack"),
                Column("FPR", "number", "reached"),
                Column("FPR of targets", "code", "5 % to 95 %"),
                Column("TPR", "number", "reached"),
                *_precision_columns(next(iter(found.values())).ppv),
            ]
            tables.append(Table(columns, rows, f"Thresholds set on other models, aimed at FPR {fpr_key(fpr)}."))
    return tables or [Prose(["No model has enough non-members of its own to set a threshold at these rates."])]


def _groups(evidence: Evidence, entries: Mapping[str, Entry]) -> Section:
    main = evidence.inputs.main_attack
    slicings = dict(entries[main].slices) if main in entries else {}
    if evidence.inputs.redacted:
        slicings.pop("class", None)  # its names are labels of records
    blocks: list[Block] = []
    for slicing, categories in slicings.items():
        rows: list[list[Cell]] = [
            [
                f"{category}",
                found.num_members if found else None,
                found.num_non_members if found else None,
                _auc_of(found),
                _tpr_of(found, 0.001),
                _tpr_of(found, 0.01),
            ]
            for category, found in categories.items()
        ]
        columns = [
            Column(_title(slicing)),
            Column("Members", "count"),
            Column("Non-members", "count"),
            Column("AUC", "number"),
            Column("TPR", "number", "at FPR 0.001"),
            Column("TPR", "number", "at FPR 0.01"),
        ]
        blocks.append(Table(columns, rows, f"{face(main).label} by {_title(slicing).lower()}."))
        matrix: list[list[Cell]] = [
            [face(name).label, *(_auc_of(entry.slices[slicing][category]) for category in categories)]
            for name, entry in entries.items()
        ]
        named = [Column("Attack"), *(Column(str(category), "number") for category in categories)]
        summary = f"AUC of every attack by {_title(slicing).lower()}"
        blocks.append(Details(summary, [Table(named, matrix)]))
    return Section(
        "Groups",
        _unevenness(main, slicings),
        blocks or [Prose(["No groups were requested."])],
        [
            "Within a group the threshold is the group's own: the figures say how well members and others of the group "
            "can be told apart, not who is named by one threshold for everybody."
        ],
    )


def _title(slicing: str) -> str:
    return slicing[:1].upper() + slicing[1:].replace("_", " ")


def _auc_of(found: InSlice | None) -> Estimate:
    return _ONE_SIDED if found is None else numbers.shown(found.auc, decimals=3)


def _tpr_of(found: InSlice | None, fpr: float) -> Estimate:
    if found is None:
        return _ONE_SIDED
    tpr = found.tpr_at_fpr[fpr]  # the groups' own counts stand beside it: one footnote for all of them
    return (
        numbers.shown(tpr)
        if tpr.value is not None
        else Estimate(None, reason=f"Too few non-members to show a false-positive rate of {fpr_key(fpr)}.")
    )


def _unevenness(main: str, slicings: Mapping[str, Mapping[str, InSlice | None]]) -> str:
    """The widest contrast between groups that holds with all pairs of groups counted."""
    groups = {
        slicing: [(found.auc.value, found.auc.ci, category) for category, found in categories.items() if found]
        for slicing, categories in slicings.items()
    }
    pairs = sum(len(of) * (len(of) - 1) // 2 for of in groups.values())
    widest: tuple[float, str, tuple[float, list[float], str], tuple[float, list[float], str]] | None = None
    for slicing, known in groups.items():
        if len(known) > 1:
            high, low = max(known), min(known)
            sure = against(difference_of_separate(*high[:2], *low[:2], comparisons=pairs), 0.0) == "above"
            if sure and (widest is None or high[0] - low[0] > widest[0]):
                widest = (high[0] - low[0], slicing, high, low)
    if widest is None:
        compared = f" among {numbers.counted(pairs, 'pair')} of groups" if pairs else ""
        return f"No group is shown to leak more than another{compared}"
    _, slicing, high, low = widest
    label = face(main).label
    title = _title(slicing).lower()
    return f"{label} reaches an AUC of {high[0]:.3f} where {title} is {high[2]}, and {low[0]:.3f} where it is {low[2]}"


def _single_examples(entries: Mapping[str, Entry]) -> Section:
    of = {name: entry.per_example for name, entry in entries.items()}
    rows: list[list[Cell]] = [
        [face(name).label, *(numbers.shown(each, 2) for each in (found.rank_stability, found.fpr_dispersion))]
        for name, found in of.items()
    ]
    columns = [
        Column("Attack"),
        Column("Rank correlation", "number", "between halves"),
        Column("False alarms", "number", "unevenness; 1 is even"),
    ]
    known = {name: value for name, found in of.items() if (value := found.rank_stability.value) is not None}
    finding = "Too few models to say whether another set of them would name the same examples"
    if known:
        best = max(known, key=lambda name: known[name])
        finding = (
            f"{face(best).label} orders examples most alike in two halves of the models: rank correlation "
            f"{known[best]:.2f}"
        )
    text = [
        "The models are split into two halves with no model in common, neither as target nor as shadow, and every "
        "example's vulnerability (the share of models trained on it that the attack names, at 1 % false alarms) is "
        "ranked in each. A correlation near 1 means that another audit would name the same examples.",
        "One threshold for everybody has its false alarms on few examples: unevenness is their variance between "
        "examples over what luck alone would show.",
    ]
    return Section("Stability", finding, [Columns([Table(columns, rows), Prose(text)])])


def _costs(entries: Mapping[str, Entry]) -> Section:
    rows: list[list[Cell]] = []
    for name, entry in entries.items():
        attack = ATTACKS.get(name)
        least = f"{attack.min_in} with, {attack.min_out} without" if attack else numbers.DASH
        rows.append(
            [
                face(name).label,
                attack.knowledge if attack else face(name).needs,
                least,
                attack.cost if attack else None,
                entry.seconds,
                attack.source if attack else None,
            ]
        )
    columns = [
        Column("Attack"),
        Column("The attacker has"),
        Column("Least shadow models", "text", "per example"),
        Column("Cost"),
        Column("Time", "seconds"),
        Column("Source"),
    ]
    caption = "Time is for every model as the target, compiling included; attacks of one family share theirs."
    slowest = max((entry.seconds for entry in entries.values()), default=0.0)
    finding = f"Once models are trained no attack takes more than {numbers.seconds(slowest)}" if slowest else "Costs"
    return Section("What attacks need", finding, [Table(columns, rows, caption)])
