"""The report on an audit: which epsilon was promised, which was refuted, and what that rests on."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from miajax.report import numbers, palette, plots
from miajax.report.page import Card, Cards, Column, Details, Figure, Page, Prose, Section, Table
from miajax.report.privacy_words import epsilon_text, privacy_sections
from miajax.studies.audit.figures import Audit, Audited
from miajax.studies.campaign_page import Run, campaign_page, limits_section

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

_NAMES = {
    "one_run": "One-run guesses",
    "many_models": "One record over many models",
    "one_run_gdp": "One-run guesses, Gaussian",
    "many_models_gdp": "One record, Gaussian",
}
_SOURCES = {
    "one_run": "Steinke, Nasr, Jagielski 2023, arXiv 2305.08846",
    "many_models": "Clopper and Pearson 1934 on both rates; Nasr et al. 2021, arXiv 2101.04535",
    "one_run_gdp": "Mahloujifar, Melis, Chaudhuri 2024, arXiv 2410.22235",
    "many_models_gdp": "Nasr et al. 2023, arXiv 2302.07956",
}


def render_audit_report(
    found: Audit,
    run: Run,
    in_scores: Float[np.ndarray, " members"],
    out_scores: Float[np.ndarray, " others"],
) -> str:
    """Returns the report as one self-contained HTML document.

    Args:
      found: by the study.
      run: whose models were audited.
      in_scores, out_scores: of canaries that audited models did and did not train on.
    """
    canaries, audit = found.canaries, found.audit
    kind = canaries.kind.replace("_", " ")
    facts = [
        ("Data set", found.head.dataset),
        ("Model", found.head.model),
        ("Models audited", numbers.count(audit.audited)),
        ("Reference models", numbers.count(audit.references)),
        ("Canaries", f"{numbers.count(canaries.count)} {kind}"),
    ]
    page = Page(
        kicker="Empirical privacy audit",
        title=f"What {found.head.dataset} models give away, against what was promised",
        subtitle=audit.verdict,
        facts=facts,
        sections=[
            Section("Summary", audit.verdict.rstrip("."), [_cards(audit), _bounds(audit)]),
            _scores(audit, in_scores, out_scores),
            _models(audit),
            *privacy_sections(found.head.privacy),
        ],
    )
    return campaign_page(page, found, run, _limits(found))


@plots.styled
def bounds_figure(found: Audited) -> "MatplotlibFigure":
    """Returns the bounds beside the promise as a figure."""
    bounds = found.bounds.named()
    figure, axes = plots.blank_axes((plots.FULL, 0.9 + 0.42 * len(bounds)), left=2.2)
    heights = np.arange(len(bounds))[::-1]
    for height, bound in zip(heights, bounds.values(), strict=True):
        lower, colour = bound.epsilon_lower, palette.BLUE if bound.in_verdict else palette.FAINT
        axes.plot([0, lower], [height, height], color=colour, linewidth=2.2)
        axes.plot([lower], [height], "o", color=colour, markersize=6)
        axes.plot([bound.largest_possible], [height], "|", color=colour, markersize=9)
        axes.annotate(numbers.lower(lower), (lower, height), xytext=(7, -3), textcoords="offset points", fontsize=8)
    promised = found.promised_epsilon
    highest = max([*(bound.largest_possible for bound in bounds.values()), promised or 0.0, 0.5])
    axes.set_xlim(0, 1.18 * highest)
    axes.set_ylim(-0.7, len(bounds) - 0.3)
    axes.set_yticks(heights, [_NAMES[name] for name in bounds])
    axes.set_xlabel("epsilon")
    if promised is not None:
        plots.draw_marks(axes, [plots.Mark(promised, f"promised {epsilon_text(promised)}")])
    return figure


def _cards(found: Audited) -> Cards:
    promised = found.promised_epsilon
    outcome = {None: "no promise", True: "refuted", False: "not refuted"}[found.violated]
    confidence = f"at confidence {100 * found.confidence:g} %, delta {found.delta:g}"
    return Cards(
        [
            Card("Epsilon promised", numbers.DASH if promised is None else epsilon_text(promised), "", "upper bound"),
            Card("Lower bound found", numbers.lower(found.epsilon_lower), "", confidence),
            Card("Could be shown", numbers.lower(found.largest_possible), "", "at most, if every call were right"),
            Card("The promise is", outcome, "", "by bounds that assume nothing of the mechanism"),
        ]
    )


def _bounds(found: Audited) -> Figure:
    bounds = found.bounds.named()
    best = max(bounds, key=lambda name: bounds[name].epsilon_lower)
    told = f"The largest bound, {numbers.lower(bounds[best].epsilon_lower)}, is that of: {_NAMES[best]}."
    return Figure(
        plots.figure_to_data_uri(bounds_figure(found)),
        f"Lower bounds on epsilon by method. {told}",
        f"{told} Strokes stand where the bound would be if every call were right. The verdict rests on the blue ones, "
        "which hold together at the stated confidence; grey ones assume that the mechanism's trade-off curve is "
        "Gaussian, and hold at that confidence each by itself.",
    )


def _scores(found: Audited, in_scores: np.ndarray, out_scores: np.ndarray) -> Section:
    pooled, named = found.bounds.one_run, found.shares["all_models"]
    samples = [
        plots.Sample("not trained on", out_scores, palette.NON_MEMBER),
        plots.Sample("trained on", in_scores, palette.MEMBER),
    ]
    figure = Figure(
        plots.figure_to_data_uri(plots.histogram_figure(samples, xlabel="score of a canary")),
        "Histograms of canaries' scores in audited models, for canaries that a model did and did not train on.",
        "Scores are likelihood ratios under the reference models. The further apart the two, the more is given away.",
    )
    guessed = [
        ["Canaries, over all audited models", pooled.canaries],
        ["Guesses", pooled.made],
        ["Right guesses", pooled.correct],
    ]
    table = Table(
        [Column("One-run guesses"), Column("Number", "count")],
        guessed,
        f"Of each model's canaries, the highest {100 * named.named_in:g} % are called members and the lowest "
        f"{100 * named.named_out:g} % non-members: shares that were fixed on the reference models.",
    )
    finding = "No guess about canaries was made"
    if pooled.made:
        made = numbers.counted(pooled.made, "guess", "guesses")
        finding = f"{numbers.percent(pooled.correct / pooled.made)} of {made} about canaries are right"
    return Section("Guesses", finding, [figure, table])


def _models(found: Audited) -> Section:
    promised = found.promised_epsilon
    bounds = [entry.epsilon_lower for entry in found.per_model]
    over = sum(bound > promised for bound in bounds) if promised is not None else 0
    alone = f"A single model refutes at most epsilon {numbers.lower(max(bounds))}"
    if promised is not None:
        alone += f"; {over} of {numbers.counted(len(bounds), 'model')} refute the promise alone"
    rows = [[str(e.model), e.correct, e.made, numbers.lower(e.epsilon_lower)] for e in found.per_model]
    columns = [Column("Model"), Column("Right", "count"), Column("Guesses", "count"), Column("Lower bound")]
    table = Table(columns, rows, "Each bound holds at the stated confidence by itself, not all at the same time.")
    methods = [
        [
            _NAMES[name],
            *(numbers.lower(each, 3) for each in (bound.epsilon_lower, bound.largest_possible)),
            f"{100 * bound.confidence:g} %",
            bound.assumes,
            _SOURCES[name],
        ]
        for name, bound in found.bounds.named().items()
    ]
    heads = [
        Column("Method"), Column("Lower bound"), Column("Could show", hint="at most"), Column("Confidence"),
        Column("Assumes"), Column("Source"),
    ]  # fmt: skip
    valid = [bound for bound in found.bounds.named().values() if bound.in_verdict]
    finding = (
        f"Of {numbers.counted(len(valid), 'bound')} in the verdict the larger is "
        f"{numbers.lower(max(bound.epsilon_lower for bound in valid), 3)}; with every call right it could be "
        f"{numbers.lower(max(bound.largest_possible for bound in valid), 3)}"
    )
    every = Details("Every audited model", [Prose([f"{alone}."]), table])
    return Section("Methods", finding, [Table(heads, methods), every])


def _limits(found: Audit) -> Section:
    points = [
        "A bound below the promise proves nothing: a better attack, more models or other canaries may find more. "
        f"These models and canaries can show at most {numbers.lower(found.audit.largest_possible)}, whatever leaks.",
        "A bound above the promise refutes it, for this training with these canaries, at the stated confidence.",
        "Bounds are for adding or removing one example. A promise about that implies one of twice epsilon for "
        "replacing an example; one about replacing implies none about adding or removing, and is not tested here.",
        "The attacker sees what models say of canaries, not their parameters nor the steps of training.",
        "Which models are references, the kind of canaries and the confidence must be chosen before looking at bounds.",
    ]
    words = Prose(["docs/audit.md states the conditions under which each bound holds."])
    section = limits_section("An audit can refute a promise; it cannot confirm one", points, found.notes)
    return dataclasses.replace(section, blocks=[*section.blocks, words])
