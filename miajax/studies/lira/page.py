"""The report of the main job: what LiRA finds in an ensemble of shadow models, each of them a target."""

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from miajax.report import claims, numbers, palette, plots, privacy_words, provenance
from miajax.report.attack_faces import face
from miajax.report.attack_table import attack_table, chance_remark
from miajax.report.blind_words import blind_banners, blind_sections
from miajax.report.group_words import group_finding, group_sections, spread_sections
from miajax.report.numbers import Estimate
from miajax.report.objections import objection_sections
from miajax.report.page import Block, Card, Cards, Cell, Column, Columns, Figure, Page, Prose, Section, Stack, Table
from miajax.report.record_words import record_sections
from miajax.studies.attacked import examples as lira_examples
from miajax.studies.attacked import threat as lira_threat
from miajax.studies.attacked import words as lira_words
from miajax.studies.attacked.evidence import Evidence, LiraReportInputs

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MatplotlibFigure

__all__ = ["LiraReportInputs", "lira_roc_figure", "render_lira_report"]

_FEW_MODELS = 64
_SHORT = 12  # characters of a fingerprint that tell runs apart
_SIGNAL_CLIP = (0.001, 0.001)
_SCORE_CLIP = (0.02, 0.002)  # the lower tail is long, and only the upper one is called a member
_ZERO_FALSE_ALARMS = "The TPR at no false alarm falls as non-members are added: compare it between equal numbers only."
_POOLED = "Pooled figures put all targets under one threshold; the section on targets shows how they differ."
_QUANTILES = {"Least": 0.0, "10th percentile": 0.1, "Median": 0.5, "90th percentile": 0.9, "Greatest": 1.0}


def render_lira_report(inputs: LiraReportInputs) -> str:
    """Returns the report as one self-contained HTML document."""
    evidence, found = Evidence(inputs), inputs.found
    fingerprint = str(inputs.manifest.get("fingerprint") or "")
    return Page(
        kicker="Membership-inference audit",
        title=f"What {numbers.counted(evidence.num_models, 'model')} give away about their training data"
        if evidence.num_models != 1
        else "What 1 model gives away about its training data",
        subtitle=group_finding(found.groups, found.figures) or lira_threat.headline(evidence),
        facts=_facts(evidence, fingerprint),
        banners=_banners(evidence),
        sections=[
            _summary(evidence),
            lira_threat.threat_section(evidence),
            *privacy_words.privacy_sections(found.head.privacy),
            _attacks(evidence),
            *group_sections(found.groups, found.figures),
            *spread_sections(found.spread, found.unit),
            _scores(evidence),
            _overfitting(evidence),
            _targets(evidence),
            *record_sections(found.per_record, inputs.main_attack),
            lira_examples.examples_section(evidence),
            *blind_sections(found.checks),
            *objection_sections(found.objections),
            lira_threat.limits_section(evidence),
            provenance.run_section(found.ran, inputs.config, inputs.manifest, inputs.command),
            lira_threat.terms_section(evidence),
        ],
        footer=f"Made by miajax{' from run ' + fingerprint[:_SHORT] if fingerprint else ''}.",
    ).html()


def lira_roc_figure(inputs: LiraReportInputs) -> "MatplotlibFigure":
    """Returns the report's ROC as a figure, for ``plots.save_png``."""
    return _roc_figure(Evidence(inputs))


def _facts(evidence: Evidence, fingerprint: str) -> list[tuple[str, str]]:
    head = evidence.inputs.found.head
    models = numbers.count(evidence.num_models)
    facts = [
        ("Data set", head.dataset),
        ("Model", head.model),
        (
            "Shadow models",
            models if head.num_shadows == evidence.num_models else f"{models} of {numbers.count(head.num_shadows)}",
        ),
        ("Examples", numbers.count(len(evidence.inputs.labels))),
        ("Strongest attack", face(evidence.inputs.main_attack).inline),
        ("Fingerprint", fingerprint[:_SHORT]),
    ]
    return [(name, value) for name, value in facts if value]


def _banners(evidence: Evidence) -> list[str | Markup]:
    inputs = evidence.inputs
    banners: list[str | Markup] = []
    failed = int(np.count_nonzero(~inputs.valid))
    if failed:
        did = "model did" if failed == 1 else "models did"
        affected = f"{failed} of {len(inputs.valid)} {did}"
        banners.append(f"{affected} not train well and take no part in any figure; see Limits.")
    if evidence.num_models < _FEW_MODELS:
        models = numbers.counted(evidence.num_models, "model")
        banners.append(f"Only {models}: intervals are wide and figures about single examples are coarse.")
    if inputs.redacted:
        banners.append(lira_examples.REDACTED)
    return [*banners, *blind_banners(inputs.found.checks)]


def _summary(evidence: Evidence) -> Section:
    found = evidence.inputs.found
    by_group = group_finding(found.groups, found.figures)
    low_rates = [
        by_group and f"{by_group} By row:", lira_threat.headline(evidence), claims.equals_sentence(evidence.lead),
        lira_words.baseline_sentence(evidence.baseline_standing), lira_words.auc_sentence(evidence.main),
    ]  # fmt: skip
    overfitting = [
        claims.beyond_sentence(
            evidence.lead,
            "gap",
            evidence.main.auc,
            evidence.figures("gap").auc,
            "An attacker who only sees whether a prediction is right",
        ),
        claims.LOWER_BOUND,
    ]
    paragraphs = [" ".join(sentence for sentence in part if sentence) for part in (low_rates, overfitting)]
    blocks = [_cards(evidence), Prose(paragraphs), *lira_threat.ranking_blocks(evidence)]
    rule = claims.lead_rule(evidence.lead)
    finding = by_group.rstrip(".") or claims.lead_finding(evidence.lead)
    return Section("Summary", finding, blocks, [rule] if rule else [])


def _cards(evidence: Evidence) -> Cards:
    main, baseline = evidence.main_standing, evidence.baseline_standing
    auc = evidence.main.auc
    label = face(evidence.inputs.main_attack).inline
    cards = [Card(f"AUC of {label}", auc.number, auc.interval_text, "chance: 0.5")]
    chosen = None if main is None else lira_words.among_all(main, evidence.inputs.main_attack, evidence.lead)
    for standing in (chosen, baseline):
        if standing is not None:
            cards.append(
                Card(
                    f"Members found by {standing.label} at {numbers.level(standing.fpr)} FPR",
                    numbers.percent(standing.rate),
                    numbers.percent_interval(standing.tpr.interval),
                    lira_words.card_detail(standing),
                )
            )
    head = evidence.inputs.found.head
    train, test = head.train_accuracy.value, head.test_accuracy.value
    detail = f"right on {numbers.percent(train)} of members, {numbers.percent(test)} of others"
    ends = " to ".join(map(numbers.points, head.generalization_gap.interval))
    cards.append(Card("Generalisation gap", numbers.points(train - test), ends, detail))
    return Cards(cards)


def _attacks(evidence: Evidence) -> Section:
    inputs = evidence.inputs
    names = [each.attack for each in evidence.attacks]
    emphasis = [names.index(inputs.main_attack)] if inputs.main_attack in names else []
    several = len(evidence.targets) != 1
    targets = f"{numbers.count(len(evidence.targets))} targets pooled" if several else "One target"
    behind = numbers.counted(evidence.pooled_non_members, "non-member")
    table = attack_table(
        evidence.attacks,
        caption=f"{targets}, {behind}. Rates are fractions, brackets 95 % intervals; higher is more leakage."
        + chance_remark(evidence.attacks),
        emphasis=emphasis,
    )
    text = [
        lira_words.precision_sentence(evidence.main_standing),
        lira_words.offline_sentence(evidence.main_standing, evidence.offline_standing),
        "The left part of the curve matters most: to be rarely wrong about a few members does more harm than to be "
        "right a little more often than not about everybody.",
    ]
    return Section(
        "Attacks",
        lira_words.spread_of_attacks(evidence.attacks, evidence.fpr),
        [table, Columns([*_roc(evidence), Prose([paragraph for paragraph in text if paragraph])])],
        [_ZERO_FALSE_ALARMS, _POOLED] if several else [_ZERO_FALSE_ALARMS],
    )


def _roc(evidence: Evidence) -> list[Figure]:
    if not evidence.inputs.rocs:
        return []
    meaning = lira_threat.headline(evidence)
    return [
        Figure(
            plots.figure_to_data_uri(_roc_figure(evidence)),
            f"ROC curves with logarithmic axes. {meaning}",
            "Members named against false alarms, both axes logarithmic; bars are 95 % intervals.",
            "Receiver operating characteristic",
        )
    ]


def _roc_figure(evidence: Evidence) -> "MatplotlibFigure":
    resolvable = 1 / max(1, evidence.pooled_non_members)
    return plots.roc_figure(evidence.curves, resolvable_fpr=resolvable, inches=(plots.HALF, 3.9))


def _scores(evidence: Evidence) -> Section:
    label = face(evidence.inputs.main_attack).inline
    if len(evidence.targets) == 0:
        return Section("Scores", f"{label} gives no score in this run", [Prose(["More shadow models are needed."])])
    blocks: list[Block] = []
    shared: list[float] = []
    for (members, others, rows), name, log, title in (
        (evidence.plotted_signals, "scaled logit", False, "What the models say"),
        (evidence.plotted_scores, f"score of {label}", True, "What the attack makes of it"),
    ):
        samples = [
            plots.Sample("non-members", others, palette.NON_MEMBER),
            plots.Sample("members", members, palette.MEMBER),
        ]
        overlap = _overlap(members, others)
        shared.append(overlap)
        marks = [evidence.threshold_mark] if log and evidence.threshold_mark else []
        clip = _SCORE_CLIP if log else _SIGNAL_CLIP
        figure = plots.histogram_figure(samples, xlabel=name, log=log, marks=marks, clip=clip)
        blocks.append(
            Figure(
                plots.figure_to_data_uri(figure),
                f"Histograms of the {name} of members and non-members; they share {numbers.percent(overlap)} of it.",
                f"The {name} of members and non-members, {numbers.counted(rows, 'model')} pooled"
                + (", logarithmic density: the tails decide." if log else "."),
                title,
            )
        )
    finding = (
        f"Seen together, the confidences of members and non-members overlap by {numbers.percent(shared[0])}; "
        f"the scores of {label} overlap by {numbers.percent(shared[1])}"
    )
    return Section("Scores", finding, [Columns(blocks)])


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Shared area of two densities, from common bins."""
    edges = plots.common_edges([one, other], plots.supported_bins([one, other]), (0.0005, 0.0005))
    first, second = (np.histogram(np.clip(v[np.isfinite(v)], edges[0], edges[-1]), edges)[0] for v in (one, other))
    return float(np.minimum(first / max(1, first.sum()), second / max(1, second.sum())).sum())


def _overfitting(evidence: Evidence) -> Section:
    inputs = evidence.inputs
    train, test = inputs.train_accuracies[inputs.valid], inputs.test_accuracies[inputs.valid]
    figure = plots.gap_figure(train, test)
    subject = "The target is" if len(evidence.targets) == 1 else "The models are"
    head = inputs.found.head
    finding = lira_words.gap_finding(head.train_accuracy, head.test_accuracy, head.generalization_gap, subject)
    official = head.official_test_accuracy.value
    text = [
        "A model that fits its members better than the rest overfits, and that alone gives some of them away.",
        "The gap attack measures just that: it calls a member whatever the model gets right.",
        lira_words.gap_spread_sentence(train - test),
    ]
    if official is not None:
        text.append(f"On the data set's own test split the models reach {numbers.percent(official)}.")
    picture = Figure(
        plots.figure_to_data_uri(figure),
        finding + ".",
        "Accuracy of every model on its members and on its non-members; the line between them is its gap.",
    )
    return Section("Overfitting", finding, [Columns([picture, Prose([sentence for sentence in text if sentence])])])


def _targets(evidence: Evidence) -> Section:
    aucs = evidence.target_aucs
    blocks: list[Block] = []
    if len(aucs) > 1:
        figure = plots.histogram_figure(
            [plots.Sample("targets", np.asarray(aucs), palette.ACCENT)],
            xlabel=f"AUC of {face(evidence.inputs.main_attack).inline}",
            ylabel="density of targets",
            bins=min(40, max(8, len(aucs) // 5)),
            clip=(0.0, 0.0),
            marks=[plots.Mark(0.5, "chance")],
        )
        picture = Figure(
            plots.figure_to_data_uri(figure),
            lira_words.spread_finding(aucs) + ".",
            f"The attack's AUC on each of {numbers.counted(len(aucs), 'target')}, every one with shadows of its own.",
        )
        text = (
            "A pooled figure speaks of the recipe, a target's own figure of one model. The difference between targets "
            "is the luck of training and of the draw of members."
        )
        rows: list[list[Cell]] = [
            [name, Estimate(float(np.quantile(aucs, share)), decimals=3)] for name, share in _QUANTILES.items()
        ]
        quantiles = Table([Column("Targets"), Column("AUC", "number")], rows)
        blocks.append(Columns([picture, Stack([Prose([text]), quantiles])]))
    if evidence.attacks_per_target:
        targets = numbers.counted(len(evidence.targets), "target")
        non_members = numbers.counted(evidence.non_members_per_target, "non-member")
        caption = f"Means over {targets}, at least {non_members} each. Rates are fractions, brackets 95 % intervals."
        caption += chance_remark(evidence.attacks_per_target)
        blocks.append(attack_table(evidence.attacks_per_target, caption=caption))
    else:
        own = "The figures above are the target's own." if len(aucs) == 1 else "No figures per target were computed."
        blocks.append(Prose([own]))
    return Section("Targets", lira_words.spread_finding(aucs), blocks)
