"""The report on vulnerability over the epochs of training: does it grow while accuracy stands, does stopping help?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from miajax.attacks.registry import ATTACKS
from miajax.metrics.figures import Estimate
from miajax.report import curves, numbers, palette, plots
from miajax.report.attack_faces import face
from miajax.report.group_words import At, Beside, beside_sections
from miajax.report.page import Block, Card, Cards, Column, Columns, Details, Figure, Page, Prose, Section, Table
from miajax.studies.campaign_page import Run, campaign_page, limits_section, sources_section
from miajax.studies.overfitting.figures import SIDES, AttackCurve, Overfitting, Sides
from miajax.studies.overfitting.words import (
    RULES,
    growth_finding,
    growth_sentence,
    loss_clause,
    stopping_finding,
    stopping_sentences,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure


def render_overfitting_report(found: Overfitting, run: Run) -> str:
    """Returns the report as one self-contained HTML document."""
    by_row, found = found, found.of_unit
    facts = [
        ("Data set", found.head.dataset),
        ("Model", found.head.model),
        ("Models", numbers.count(found.head.num_valid)),
        ("Epochs", numbers.count(len(found.epochs))),
        ("Examples", numbers.count(found.head.num_examples)),
        ("Groups", "" if found.head.num_groups is None else numbers.count(found.head.num_groups)),
    ]
    sections = [
        Section(
            "Summary",
            growth_finding(found),
            [_cards(found), Prose([growth_sentence(found), stopping_sentences(found)[0]])],
        ),
        _accuracy(found),
        _vulnerability(found),
        _histograms(found),
        _stopping(found),
        *_by_row(by_row),
    ]
    page = Page(
        kicker="Membership inference over the epochs of training",
        title=f"When training examples begin to leak, on {found.head.dataset}",
        subtitle=f"{growth_finding(found)}. {stopping_finding(found)}.",
        facts=facts,
        sections=sections,
    )
    return campaign_page(page, found, run, _limits(found), [_sources(found)])


def curves_figure(found: Overfitting) -> "MatplotlibFigure":
    """Returns accuracy, AUC, advantage and TPR over the epochs above one another, for ``plots.save_png``."""
    found = found.of_unit
    return curves.stacked_epoch_figure(
        [
            ("accuracy", _side_traces(found.accuracy), None, False),
            ("AUC", _attack_traces(found, "auc"), (0.5, "chance"), False),
            ("advantage", _attack_traces(found, "advantage"), (0.0, "chance"), False),
            (_tpr_name(found), _attack_traces(found, "tpr"), (_chance(found), "chance"), True),
        ],
        marks=_marks(found),
        inches=(6.4, 9.4),
    )


def _accuracy(found: Overfitting) -> Section:
    accuracy, loss = found.accuracy, found.loss
    finding = (
        f"The gap between members and non-members ends at {numbers.points(found.gap[-1].value, found.gap[-1].interval)}"
    )
    if rise := loss_clause(found):
        finding += f"; {rise}"
    ends = [side[-1].value for side in (accuracy.member, accuracy.non_member, loss.member, loss.non_member)]
    alt = f"Accuracy over epochs: members end at {ends[0]:.4f}, non-members at {ends[1]:.4f}."
    pictures = Columns([
        Figure(
            _picture(_side_traces(found.accuracy), "accuracy", _marks(found)), alt,
            "Accuracy after every epoch. Bands are 95 % intervals that let models and examples vary.", "Accuracy",
        ),
        Figure(
            _picture(_side_traces(loss), "mean loss, nats", _marks(found)),
            f"Loss over epochs: members end at {ends[2]:.3f}, non-members at {ends[3]:.3f}.",
            "Mean cross-entropy after every epoch. Bands are 95 % intervals.", "Loss",
        ),
    ])  # fmt: skip
    limits = ["The validation part was set aside before any split: it holds no member and no non-member of any model."]
    return Section("Accuracy", finding, [pictures], limits if loss.validation is not None else ())


def _chance(found: Overfitting) -> float:
    """The true-positive rate of an attack without power."""
    chance = found.main.tpr_at_fpr[found.fpr][-1].chance
    return found.fpr if chance is None else chance


def _vulnerability(found: Overfitting) -> Section:
    pictures = Columns([
        Figure(
            _picture(_attack_traces(found, "auc"), "AUC", _marks(found), (0.5, "chance")),
            f"AUC of every attack over the epochs. {growth_sentence(found)}",
            "All models attacked after every epoch, shadow models of the same epoch. Bands are 95 % intervals.", "AUC",
        ),
        Figure(
            _picture(_attack_traces(found, "tpr"), _tpr_name(found), _marks(found), (_chance(found), "chance"), True),
            f"True-positive rate at a false-positive rate of {found.fpr:g} over the epochs.",
            "The same at a low false-positive rate, where it matters.", "True-positive rate",
        ),
    ])  # fmt: skip
    advantage = Figure(
        _picture(_attack_traces(found, "advantage"), "advantage", _marks(found), (0.0, "chance")),
        "Advantage of every attack over the epochs.",
        "Largest true-positive rate minus false-positive rate, as the paper reports it. Bands are 95 % intervals.",
        "Advantage",
    )
    rows = [
        [
            str(epoch),
            *(numbers.shown(curve.auc[epoch - 1], 3) for curve in found.attacks.values()),
            *(numbers.shown(found.attacks[name].tpr_at_fpr[found.fpr][epoch - 1]) for name in _with_rates(found)),
        ]
        for epoch in found.histograms.epochs
    ]
    columns = [
        Column("Epoch"), *(Column(face(name).label, "number", "AUC") for name in found.attacks),
        *(Column(face(name).label, "number", _tpr_name(found)) for name in _with_rates(found)),
    ]  # fmt: skip
    threshold = found.attacks.get("global_threshold")
    text = [
        growth_sentence(found),
        "One threshold for all examples looks at how confident models are on average, so that it follows the gap. LiRA "
        "asks of each example whether its models with it differ from those without.",
    ]
    if threshold is not None and found.main_attack != "global_threshold":
        text.append(
            f"After the last epoch {face(found.main_attack).label} has AUC "
            f"{numbers.shown(found.main.auc[-1], 3)}, one threshold "
            f"{numbers.shown(threshold.auc[-1], 3)}."
        )
    details = Details("Figures at chosen epochs", [Table(columns, rows, "Brackets are 95 % intervals.")])
    return Section("Vulnerability", growth_finding(found), [pictures, advantage, Prose(text), details])


def _histograms(found: Overfitting) -> Section:
    shown = found.histograms
    edges, member, other = map(np.asarray, (shown.edges, shown.member, shown.non_member))
    middle = 0.5 * (edges[1:] + edges[:-1])
    apart = [float((middle * (a - b)).sum() * (edges[1] - edges[0])) for a, b in zip(member, other, strict=True)]
    first, last = (numbers.fixed(value, 2) for value in (apart[0], apart[-1]))
    finding = (
        f"Mean scaled logits of members and non-members lie {first} apart after epoch {shown.epochs[0]} and {last} "
        f"after epoch {shown.epochs[-1]}"
    )
    titles = [f"epoch {epoch}" for epoch in shown.epochs]
    figure = curves.histogram_row_figure(edges, member, other, titles, xlabel="scaled logit")
    picture = Figure(
        plots.figure_to_data_uri(figure),
        f"Histograms of the scaled logit over epochs. {finding}.",
        "All models and examples pooled; the outermost thousandth on either side counts in the outer bins.",
    )
    limit = "Pooled histograms that overlap do not show that examples are safe: LiRA looks at one example at a time."
    return Section("Scaled logits", finding, [picture], [limit])


def _stopping(found: Overfitting) -> Section:
    stopping, fpr, main = found.early_stopping, found.fpr, found.main_attack
    if stopping is None:
        return Section("Early stopping", stopping_finding(found), [Prose(stopping_sentences(found))])
    names = [name for name in dict.fromkeys(("global_threshold", main)) if name in found.attacks]
    rows: list[list[Any]] = [[
        "last epoch", str(len(found.epochs)),
        *map(numbers.shown, (found.accuracy.member[-1], found.accuracy.non_member[-1], found.gap[-1])),
        *(numbers.shown(found.attacks[name].auc[-1], 3) for name in names),
        numbers.shown(found.main.tpr_at_fpr[fpr][-1]),
    ]]  # fmt: skip
    changes: list[list[Any]] = []
    for rule, stopped in stopping.rules.items():
        rows.append([
            RULES[rule], f"{stopped.epoch_mean:.1f} ({stopped.epoch_min} to {stopped.epoch_max})",
            *(numbers.shown(stopped.accuracy[side]) for side in SIDES), numbers.shown(stopped.gap),
            *(numbers.shown(stopped.attacks[name].auc, 3) for name in names),
            numbers.shown(stopped.attacks[main].tpr_at_fpr[fpr]),
        ])  # fmt: skip
        change = stopped.change
        moved = [change.member_accuracy, change.non_member_accuracy, change.gap]
        moved += [change.attacks[name].auc for name in names]
        changes.append([
            RULES[rule], *(numbers.shown(each, 4) for each in (*moved, change.attacks[main].tpr_at_fpr[fpr]))
        ])  # fmt: skip
    named = [
        Column("Members", "number", "accuracy"), Column("Non-members", "number", "accuracy"), Column("Gap", "number"),
        *(Column(face(name).label, "number", "AUC") for name in names),
        Column(face(main).label, "number", _tpr_name(found)),
    ]  # fmt: skip
    blocks: list[Block] = [
        Prose(stopping_sentences(found)),
        Table([Column("Every model taken at"), Column("Epoch", "text", "mean (range)"), *named], rows,
              "Brackets are 95 % intervals."),
        Table([Column("Minus the last epoch"), *named], changes,
              "Paired differences: the same models and examples on both sides. Brackets are 95 % intervals."),
    ]  # fmt: skip
    limits = [
        "Each model stops by the validation part alone, which holds no attack's non-members. Shadow models stop by the "
        "same rule, as an attacker's would.",
        "The best epoch is taken over the whole training; a patience that runs out earlier would stop earlier.",
        "The learning-rate schedule is that of the whole training: models are not finished at the epochs in between.",
    ]
    return Section("Early stopping", stopping_finding(found), blocks, limits)


def _by_row(found: Overfitting) -> list[Section]:
    """The last epoch by row and by group; nothing where members are rows."""

    def last(curve: AttackCurve) -> At:
        return At(curve.auc[-1], {fpr: by_epoch[-1] for fpr, by_epoch in curve.tpr_at_fpr.items()})

    both = {
        face(name).label: Beside(last(curve), last(of.lead), of.num_groups)
        for name, curve in found.attacks.items()
        if (of := curve.per_group) is not None
    }
    about = "After the last epoch; results.json has every epoch, and sum, mean and maximum of a group's scores."
    return beside_sections(both, about=about)


def _limits(found: Overfitting) -> Section:
    items = [
        "Figures of neighbouring epochs rest on the same models and examples: curves are smoother than independent "
        "measurements would be.",
        "The first epoch of growth is chosen by looking at the accuracies: from there on, the 95 % interval of what "
        "accuracy on non-members still rises lies below a margin. With fewer models it comes later.",
        "They hold for this data and recipe and these attacks: a lower bound on leakage, not a proof of safety.",
    ]
    if found.head.unit == "group":
        items.append(
            "Members are drawn by group, and attacks test groups here. Accuracy and loss count rows, a "
            "group as often as it has rows; their intervals resample groups. Histograms are of rows."
        )
    return limits_section("Curves of one recipe on one data set", items, found.notes, title="")


def _sources(found: Overfitting) -> Section:
    rows = [[face(name).label, face(name).needs, ATTACKS[name].source] for name in found.attacks]
    table = Table([Column("Attack"), Column("Needs"), Column("Source")], rows)
    paper = ("Khalil et al. 2025: Membership Inference Attacks Beyond Overfitting", "https://arxiv.org/abs/2511.16792")
    return sources_section("Whose attacks these are", found.head.versions, [paper], [table])


def _cards(found: Overfitting) -> Cards:
    right, gap = found.accuracy.non_member[-1], found.gap[-1]
    cards = [
        Card("Accuracy on non-members", numbers.percent(right.value), numbers.percent_interval(right.interval),
             "after the last epoch"),
        Card("Generalisation gap", numbers.points(gap.value), " to ".join(map(numbers.points, gap.interval)),
             "members minus non-members"),
    ]  # fmt: skip
    for epoch in (found.histograms.epochs[0], len(found.epochs)):
        tpr = found.main.tpr_at_fpr[found.fpr][epoch - 1]
        if tpr.value is not None:
            cards.append(Card(
                f"{face(found.main_attack).label}, epoch {epoch}", numbers.percent(tpr.value),
                numbers.percent_interval(tpr.interval), f"of members at {numbers.level(found.fpr)} FPR",
            ))  # fmt: skip
    return Cards(cards)


def _side_traces(sides: Sides) -> list[curves.Trace]:
    """Of accuracy or loss: members, non-members and, where there is one, the validation part."""
    traces = [
        _trace(sides.member, "members", palette.MEMBER),
        _trace(sides.non_member, "non-members", palette.NON_MEMBER),
    ]
    return traces + ([] if sides.validation is None else [_trace(sides.validation, "validation", palette.GREEN, "--")])


def _attack_traces(found: Overfitting, figure: Literal["auc", "advantage", "tpr"]) -> list[curves.Trace]:
    """Of every attack; ``tpr`` is the rate at the study's FPR."""
    traces: list[curves.Trace] = []
    for name in _with_rates(found) if figure == "tpr" else found.attacks:
        curve, look = found.attacks[name], face(name)
        by_epoch = {"auc": curve.auc, "advantage": curve.advantage, "tpr": curve.tpr_at_fpr[found.fpr]}[figure]
        traces.append(_trace(by_epoch, look.label, **look.drawn))
    return traces


def _trace(by_epoch: Sequence[Estimate], label: str, colour: str, dash: str = "-", marker: str = "") -> curves.Trace:
    values = np.array([np.nan if each.value is None else each.value for each in by_epoch])
    band = np.array([each.interval or (np.nan, np.nan) for each in by_epoch])
    return curves.Trace(label, values, band, colour, dash, marker)


def _with_rates(found: Overfitting) -> list[str]:
    """Attacks with a threshold to set; right or wrong has none."""
    return [name for name in found.attacks if name != "gap"]


def _marks(found: Overfitting) -> list[plots.Mark]:
    stopping = found.early_stopping
    return [] if stopping is None else [plots.Mark(stopping.best_epoch, "lowest validation loss")]


def _picture(
    traces: Sequence[curves.Trace],
    ylabel: str,
    marks: Sequence[plots.Mark],
    level: tuple[float, str] | None = None,
    rates: bool = False,
) -> str:
    return plots.figure_to_data_uri(curves.epoch_figure(traces, ylabel=ylabel, marks=marks, level=level, rates=rates))


def _tpr_name(found: Overfitting) -> str:
    return f"TPR at FPR {found.fpr:g}"
