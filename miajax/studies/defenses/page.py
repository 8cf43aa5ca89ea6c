"""The report on defences: what each protects, from whom, and at what price."""

from collections.abc import Sequence
from typing import Any

from miajax.metrics import figures
from miajax.metrics.claims import against
from miajax.report import numbers, plots
from miajax.report.attack_faces import face
from miajax.report.group_words import Beside, beside_sections
from miajax.report.numbers import Estimate
from miajax.report.page import Block, Card, Cards, Column, Figure, Page, Points, Prose, Section, Table
from miajax.studies.campaign_page import Run, campaign_page, limits_section, sources_section
from miajax.studies.defenses.pictures import knowledge_figure, trade_off_figure
from miajax.studies.defenses.results import FPR, AttackFigures, Defenses, Row, named
from miajax.studies.defenses.words import (
    MOST_LOSS,
    defences,
    defenses_finding,
    inline,
    knowledge_finding,
    lowering_finding,
    named_share,
    price_finding,
    specific_finding,
    thresholds_finding,
)

__all__ = ["defenses_finding", "render_defenses_report", "trade_off_figure"]

_MARKS = (
    ("undefended", "Black"), ("while training", "blue"), ("single examples, before training", "red squares"),
    ("on answers", "green triangles"),
)  # fmt: skip
_SOURCES = (
    (
        "M. Khalil, A. Blanco-Justicia, N. Jebreel, J. Domingo-Ferrer: Membership Inference Attacks Beyond "
        "Overfitting, 2025.",
        "https://arxiv.org/abs/2511.16792",
    ),
    (
        "M. Aerni, J. Zhang, F. Tramèr: Evaluations of Machine Learning Privacy Defenses are Misleading, 2024.",
        "https://arxiv.org/abs/2404.17399",
    ),
    (
        "N. Carlini, M. Jagielski, C. Zhang, N. Papernot, A. Terzis, F. Tramèr: The Privacy Onion Effect, 2022.",
        "https://arxiv.org/abs/2206.10469",
    ),
)


def render_defenses_report(found: Defenses, run: Run) -> str:
    """Returns the report as one self-contained HTML document; ``run`` is that of the undefended models."""
    by_row, found = found, found.of_unit
    rows = found.rows
    sections = [_summary(found), _knowledge(rows), _thresholds(found)]
    sections += [each for each in (_reweighting(rows), _specific(found), _price(rows)) if each is not None]
    page = Page(
        kicker="Defences against membership inference",
        title=f"What protects, on {found.head.dataset}",
        subtitle=defenses_finding(rows),
        facts=[
            ("Data set", found.head.dataset),
            ("Model", found.head.model),
            ("Defences", numbers.count(len(defences(rows)))),
            ("Models of each", numbers.count(found.head.num_shadows)),
            ("Examples", numbers.count(found.head.num_examples)),
            *([] if found.head.num_groups is None else [("Groups", numbers.count(found.head.num_groups))]),
        ],
        sections=[*sections, *_by_row(by_row.rows)],
    )
    return campaign_page(
        page,
        found,
        run,
        _limits(found),
        [sources_section("Whose defences and protocol these are", found.head.versions, _SOURCES)],
    )


def _shown(figure: figures.Estimate) -> Estimate:
    return numbers.shown(figure, 3)


def _auc(of: AttackFigures | None) -> Estimate:
    return Estimate(None, None, "None of these examples is left.") if of is None else _shown(of.auc)


def _brief(seconds: float) -> str:
    """Seconds, or milliseconds where there are few."""
    return "none" if seconds == 0 else numbers.seconds(seconds) if seconds >= 0.1 else f"{1000 * seconds:.2g} ms"


def _summary(found: Defenses) -> Section:
    rows, attack = found.rows, face(found.lira).label
    asked = ", by group" if found.head.unit == "group" else ""
    original, auc = rows[0], _shown(rows[0].lira_adaptive.auc)
    cards = [
        Card(f"Undefended: all {_asked(found)}", auc.number, auc.interval_text, "AUC of LiRA"),
        Card("Most vulnerable 1 %", _share(named_share(original)),
             numbers.percent_interval(named(original.lira_adaptive.top_1pct).interval), "of members named at 1 % FPR"),
        Card("Undefended: accuracy", numbers.percent(original.test_accuracy.value),
             numbers.percent_interval(original.test_accuracy.interval), "on non-members"),
    ]  # fmt: skip
    columns = [
        Column("Defence"), Column("Accuracy", "number", "members"), Column("Accuracy", "number", "non-members"),
        Column("change of that", "number", "paired"), Column("AUC", "number", "defence unknown"),
        Column("AUC", "number", "defence known"),
        Column("Named at 1 % FPR", "number", "most vulnerable, known"),
        Column("change of that", "number", "paired"),
    ]  # fmt: skip
    body = [
        [
            row.title, _shown(row.train_accuracy), _shown(row.test_accuracy), _accuracy_change(row),
            _shown(row.lira_naive.auc), _shown(row.lira_adaptive.auc), _shown(named(row.lira_adaptive.top_1pct)),
            _change(row),
        ]
        for row in rows
    ]  # fmt: skip
    alt = "Accuracy against the share of most vulnerable members named, one point a defence. " + defenses_finding(rows)
    return Section(
        "Summary", lowering_finding(rows),
        [
            Cards(cards),
            Figure(
                plots.figure_to_data_uri(trade_off_figure(rows)), alt,
                "Down and to the right is better. " + "; ".join(f"{mark}: {stage}" for stage, mark in _MARKS)
                + ". Bars are 95 % intervals, both ways. A hollow point stands for examples that are most vulnerable "
                "under the defence, since it removed those that were.",
            ),
            Table(columns, body, f"{attack} against every model{asked}. Brackets are 95 % intervals.", emphasis=[0]),
        ],
        [
            f"Best is called only what costs at most {numbers.points(MOST_LOSS)} of accuracy and lowers the share "
            "named by a paired interval that counts all rows (Bonferroni); what costs more is a trade-off.",
            "The most vulnerable 1 % are chosen on even models without defence and judged on odd ones.",
            "The threshold has its false-positive rate over all examples.",
            "Lower is not safe: these attacks bound leakage from below.",
        ],
    )  # fmt: skip


def _asked(found: Defenses) -> str:
    """What attacks test."""
    return "groups" if found.head.unit == "group" else "examples"


def _by_row(rows: Sequence[Row]) -> list[Section]:
    """LiRA that knows each defence, by row and by group; nothing where members are rows."""
    entries: dict[str, Beside] = {}
    for row in rows:
        of_rows, of = row.lira_adaptive.everybody, row.per_group
        of_groups = of and of.lira_adaptive.everybody
        if of_rows is not None and of is not None and of_groups is not None:
            entries[row.title] = Beside(of_rows, of_groups, of.num_groups)
    about = "LiRA, defence known. results.json has every attack, and sum, mean and maximum of a group's scores."
    return beside_sections(entries, "Defence", about=about)


def _share(named: float | None) -> str:
    return numbers.DASH if named is None else numbers.percent(named)


def _accuracy_change(row: Row) -> Estimate:
    if row.stage == "none":
        return Estimate(None, None, "What the others are compared with.")
    return _shown(row.accuracy_change.test)


def _change(row: Row) -> Estimate:
    change = row.lira_adaptive.top_1pct_change
    if row.stage == "none":
        return Estimate(None, None, "What the others are compared with.")
    if change is None:
        return Estimate(None, None, "None of these examples is left.")
    return _shown(change.named[FPR])


def _knowledge(rows: Sequence[Row]) -> Section:
    changes = [(row, row.lira_adaptive.change) for row in rows[1:]]
    higher = [row for row, change in changes if change and against(change.auc_ci_of_all, 0.0) == "above"]
    finding = knowledge_finding(rows)
    blocks: list[Block] = [
        Figure(
            plots.figure_to_data_uri(knowledge_figure(rows)),
            "LiRA's AUC by defence with and without knowledge of it. " + finding,
            "Shadow models without the defence, and with it. Bars are 95 % intervals, the dotted line is chance.",
        )
    ]
    if higher:
        names = ", ".join(inline(r) for r in higher)
        blocks.append(
            Prose([f"More leaks than without a defence, by paired intervals of the AUC that count all rows: {names}."])
        )
    return Section("Knowledge", finding, blocks, ["An attacker who tunes more than the shadow models may get more."])


def _thresholds(found: Defenses) -> Section:
    rows = found.rows
    columns = [
        Column("Defence"), Column("AUC", "number", "threshold on the loss"), Column("Advantage", "number", "threshold"),
        Column("Balanced accuracy", "number", "gap attack"), Column("AUC", "number", "LiRA, defence known"),
    ]  # fmt: skip
    body = [
        [
            row.title,
            *map(_shown, (row.threshold_auc, row.threshold_advantage, row.gap_accuracy, row.lira_adaptive.auc)),
        ]
        for row in rows
    ]  # fmt: skip
    caption = "Attacks without shadow models, as in the paper, beside LiRA."
    blocks: list[Block] = [Table(columns, body, caption, emphasis=[0])]
    if found.published_source:
        blocks += _beside_published(rows, found.published_source)
    return Section(
        "Thresholds", thresholds_finding(rows), blocks,
        [
            "“Better than they are”: informed LiRA's AUC is above the threshold's by a paired interval that counts all "
            "rows.",
            "The gap attack knows only whether the prediction is right.",
        ],
    )  # fmt: skip


def _beside_published(rows: Sequence[Row], source: str) -> list[Block]:
    """Measured beside published, with what speaks against comparing them."""
    columns = [
        Column("Defence"), Column("Accuracy", "number", "here"), Column("Accuracy", "number", "published"),
        Column("AUC", "number", "here"), Column("AUC", "number", "published"),
        Column("Advantage", "number", "here"), Column("Advantage", "number", "published"), Column("Comparable"),
    ]  # fmt: skip
    compared = [(row, row.published) for row in rows if row.published]
    body = [
        [
            row.title, _shown(row.test_accuracy), theirs.test_accuracy, _shown(row.threshold_auc), theirs.threshold_auc,
            _shown(row.threshold_advantage), theirs.threshold_advantage, "yes" if theirs.comparable else "no",
        ]
        for row, theirs in compared
    ]  # fmt: skip
    titles: dict[str, list[str]] = {}
    for row, theirs in compared:
        for reason in theirs.why_not:
            titles.setdefault(reason, []).append(row.title)
    whom = {reason: "all" if len(of) == len(compared) else ", ".join(of) for reason, of in titles.items()}
    against = [f"{whom[reason]}: {reason}" for reason in titles]
    blocks: list[Block] = [Table(columns, body, f"Measured beside published: {source}.")]
    return [*blocks, Points(against, "Not comparable, because")] if against else blocks


def _reweighting(rows: Sequence[Row]) -> Section | None:
    those = [row for row in rows if "reweighting" in row.defense]
    whole = [row for row in those if not row.specific]
    if not whole:
        return None
    original, first = rows[0], next((row for row in whole if row.defense == "reweighting_0.1"), whole[0])
    columns = [
        Column("Defence"), Column("AUC", "number", "threshold"), Column("Advantage", "number", "threshold"),
        Column("Balanced accuracy", "number", "gap"), Column("AUC", "number", "LiRA, carried"),
        Column("AUC", "number", "LiRA, undone"), Column("Undone", "share", "answers"),
        Column("Named at 1 % FPR", "number", "top 1 %, undone"), Column("Overhead", "text", "all answers"),
    ]  # fmt: skip
    none = Estimate(None, None, "Nothing to undo: untouched, or answers that say nothing but their class.")
    body = [
        [
            row.title, *map(_shown, (row.threshold_auc, row.threshold_advantage, row.gap_accuracy)),
            _auc(row.lira_carried), _shown(row.lira_adaptive.auc), none if row.recovered is None else row.recovered,
            _shown(named(row.lira_adaptive.top_1pct)), _brief(row.overhead_s),
        ]
        for row in [original, *those]
    ]  # fmt: skip
    change = first.threshold_change
    down = change is not None and against(change.auc_ci_of_all, 0.0) == "below"
    verb = "lowers" if down else "is not shown to lower"
    finding = (
        f"{first.title} {verb} the threshold attack's AUC ({original.threshold_auc.value:.3f} to "
        f"{first.threshold_auc.value:.3f}; advantage {original.threshold_advantage.value:.3f} to "
        f"{first.threshold_advantage.value:.3f}); the gap attack keeps {first.gap_accuracy.value:.3f}, and LiRA with "
        f"reweighted shadow models {_auc(first.lira_carried).number}"
    )
    if first.recovered is not None:
        finding += (
            f"; who knows the centroids undoes it and gets {_shown(first.lira_adaptive.auc).number}, "
            f"{_shown(original.lira_adaptive.auc).number} without defence"
        )
    return Section(
        "Reweighting", finding, [Table(columns, body, "Answers pulled towards their class's centroid.", emphasis=[0])],
        [
            "Carried: the attacker's shadow models answer under the same reweighting.",
            "Undone: scaled logits that come back to within .01; the others have two solutions: the surer is taken.",
            "Centroids are the target's own, which an attacker from outside has to estimate: both LiRAs bracket him.",
        ],
    )  # fmt: skip


def _specific(found: Defenses) -> Section | None:
    rows = [row for row in found.rows if row.specific]
    if not rows:
        return None
    flagged = found.flagged
    columns = [
        Column("Defence"), Column("AUC change", "number", "flagged"), Column("AUC change", "number", "unflagged"),
        Column("Accuracy", "number", "unflagged, before"), Column("Accuracy", "number", "unflagged, after"),
        Column("AUC", "number", "now most vulnerable, before"), Column("AUC", "number", "the same, after"),
    ]  # fmt: skip
    gone = Estimate(None, None, "Dropped examples have nothing left to give away.")
    body: list[list[Any]] = []
    for row in rows:
        spared, adaptive = row.unflagged, row.lira_adaptive
        assert spared is not None and row.flagged is not None, "a row of single examples has both"
        body.append([
            row.title,
            *(gone if each is None else _shown(each.auc) for each in (row.flagged.change, spared.change)),
            _shown(spared.test_accuracy_before),
            _shown(spared.test_accuracy),
            _auc(adaptive.now_most_vulnerable_before),
            _auc(adaptive.now_most_vulnerable),
        ])  # fmt: skip
    share = numbers.level(flagged.share)
    text = (
        f"Flagged are the {share} of the pool with the highest {flagged.metric.replace('_', ' ')} under the "
        f"undefended models, members or not. Down-weighted examples count {flagged.weight:g} in the loss; "
        "relabelled ones are trained as what models that never saw them say, and an informed attacker queries those "
        "labels. As many dropped at random are a control: by how much the most vulnerable of the unflagged rise "
        "there is due to their choice after the drop, and to smaller training sets."
    )
    return Section(
        "Single examples", specific_finding(found, rows),
        [Prose([text]), *_onion(found), Table(columns, body, "Adaptive LiRA; brackets are 95 % intervals.")],
        [
            "The metric looks at all undefended models, targets included: a defender with one model has less to go by.",
            "“Now most vulnerable”: the 1 % that even models find most exposed under the defence, judged on odd ones.",
        ],
    )  # fmt: skip


def _onion(found: Defenses) -> list[Block]:
    onion = found.onion
    if onion is None:
        return []
    rows = [
        ["Those flagged dropped", _shown(onion.rise)],
        ["As many at random", _shown(onion.control)],
        ["Difference", _shown(onion.difference)],
    ]
    return [Table([Column("AUC of those then most vulnerable"), Column("change", "number")], rows)]


def _price(rows: Sequence[Row]) -> Section:
    columns = [
        Column("Defence"), Column("Training", "text", "a model, trained among others"),
        Column("Overhead", "text", "all answers about the pool"), Column("ε"),
    ]  # fmt: skip
    body = [
        [
            row.title, "not measured" if row.runtime_s is None else numbers.seconds(row.runtime_s),
            _brief(row.overhead_s),
            "" if not row.privacy or row.privacy["epsilon"] is None else f"{row.privacy['epsilon']:.3g}",
        ]
        for row in rows
    ]  # fmt: skip
    return Section("Price", price_finding(rows), [Table(columns, body)])


def _limits(found: Defenses) -> Section:
    points = [
        "Every defence was tried at one strength, chosen beforehand; a tuned one may protect better, or cost less.",
        "All models share pool and recipe; shadow models train on the same pool, which favours the attacker.",
        "Adaptive means: shadow models carry the defence, labels are those trained on, and reweighting is undone by "
        "who knows the centroids. Attackers who do more, or ask several times, may get more.",
        "Intervals hold for one figure at a time; among dozens a few differ by luck.",
        "They hold for this data, recipe and set of attacks: a lower bound on leakage, not a proof of safety.",
    ]
    if found.head.unit == "group":
        points.append(
            "Members are drawn by group, and attacks test groups: the most vulnerable are groups, chosen by "
            "the mean of their rows. Defences of single examples flag rows; a group counts as flagged where one of its "
            "rows is. Accuracy counts rows; results.json also has it with each group weighing once."
        )
    left_out = [f"{name}: {reason}" for name, reason in found.not_run.items()]
    beside = [Points(left_out, "Defences that did not run")] if left_out else []
    return limits_section("These figures compare defences; they do not certify one", points, found.notes, beside)
