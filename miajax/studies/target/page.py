"""The report on one model trained elsewhere: what it gives away, beside what shadow models of the run give away."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from miajax.report import claims, numbers, plots, provenance
from miajax.report.attack_faces import face
from miajax.report.attack_table import AttackFigures, attack_table
from miajax.report.blind_words import blind_banners, blind_sections
from miajax.report.group_words import group_sections
from miajax.report.numbers import Estimate
from miajax.report.objections import objection_sections
from miajax.report.page import Block, Card, Cards, Cell, Column, Details, Figure, Page, Points, Prose, Section, Table
from miajax.studies.results import Record
from miajax.studies.target.results import TargetFound

NOT_COMPARABLE = "Not comparable"
_BOUND = "Lower bound"
_SHORT = 12
_DRAWN = ("lira_online", "lira_online_fixed", "lira_offline", "label_ratio", "global_threshold", "gap")
_KINDS = {"logits": "Logits", "probabilities": "Probabilities", "labels": "Predicted classes only"}


@dataclasses.dataclass(frozen=True, eq=False)
class TargetReportInputs:
    """Everything that the report is made from.

    Attributes:
      found: the figures.
      config, manifest: of the run that the shadow models come from.
      command: what was typed.
      rocs: of each attack, ``(fpr, tpr)`` of the target's ROC, ascending.
    """

    found: TargetFound
    config: Record
    manifest: Record
    command: str
    rocs: Mapping[str, tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]]

    @property
    def attacks(self) -> list[AttackFigures]:
        """The target's figures under every attack."""
        return [AttackFigures(name, found) for name, found in self.found.figures.items()]

    @property
    def main(self) -> AttackFigures | None:
        """The attack that the summary speaks of."""
        lead = self.found.lead
        return None if lead is None else next(each for each in self.attacks if each.attack == lead.attack)

    def labelled(self, text: str) -> str:
        """The text on shadow models, with the warning before it where the target is not comparable."""
        return text if self.found.comparable else f"{NOT_COMPARABLE}: {text[:1].lower()}{text[1:]}"

    def bounding(self, text: str) -> str:
        """The text on the target alone, which holds whether it is comparable or not."""
        return text if self.found.comparable else f"{_BOUND}: {text}"


def render_target_report(inputs: TargetReportInputs) -> str:
    """Returns the report as one self-contained HTML document."""
    found = inputs.found
    fingerprint = str(inputs.manifest.get("fingerprint") or "")
    return Page(
        kicker="Membership-inference audit of one model",
        title=f"What {found.target} gives away about its training data",
        subtitle=inputs.bounding(_sentence(inputs)),
        facts=[
            ("Data set", found.dataset),
            ("Target answers", _KINDS[found.answers.kind]),
            ("Members audited", numbers.count(found.num_members)),
            ("Non-members audited", numbers.count(found.num_non_members)),
            ("Shadow models", numbers.count(found.num_valid)),
            ("Shadow run", fingerprint[:_SHORT]),
        ],
        banners=_banners(found),
        sections=[
            _summary(inputs),
            _comparison(inputs),
            _attacks(inputs),
            *group_sections(found.groups, found.figures),
            *blind_sections(found.checks),
            _answers(inputs),
            *objection_sections(found.objections),
            _limits(inputs),
            _run(inputs),
        ],
        footer=f"Made by miajax with the shadow models of run {fingerprint[:_SHORT]}.",
    ).html()


def _banners(found: TargetFound) -> list[str]:
    banners: list[str] = []
    if not found.comparable:
        why = " ".join(found.not_comparable)
        banners.append(
            f"{NOT_COMPARABLE} with the shadow models: {why[:1].lower()}{why[1:]} The figures of attacks on the target "
            "itself are lower bounds all the same, since its members and non-members are known. Shadow models like it "
            "may find more, and these ones' averages say nothing about it."
        )
    if found.recipe_differences:
        named = ", ".join(
            f"{each.name} ({_value(each.target)} there, {_value(each.run)} here)" for each in found.recipe_differences
        )
        banners.append(f"The target was trained by another recipe than the shadow models: {named}.")
    if not found.declared:
        banners.append("The target's recipe was not declared, so only its behaviour could be compared.")
    return [*banners, *blind_banners(found.checks)]


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _sentence(inputs: TargetReportInputs) -> str:
    main = inputs.main
    if main is None:
        return "No attack could be run on it."
    told = claims.lead_sentence(inputs.found.lead)
    if not inputs.found.comparable:
        return told
    shadows = _shadow_auc(inputs, main.attack)
    beside = f" Its AUC is {main.auc}; shadow models have {shadows}."
    return told + (beside if shadows.value is not None else "")


def _shadow_auc(inputs: TargetReportInputs, attack: str) -> Estimate:
    shadows = inputs.found.shadows[attack]
    if shadows is None:
        return Estimate(None, reason="Not computed for shadow models: it trains something for each target.")
    return numbers.shown(shadows.per_target.auc, decimals=3)


def _summary(inputs: TargetReportInputs) -> Section:
    found, main = inputs.found, inputs.main
    cards: list[Card] = []
    if main is not None:
        auc, shadows = main.auc, _shadow_auc(inputs, main.attack)
        name = face(main.attack).inline
        cards.append(Card(f"AUC of {name}", auc.number, auc.interval_text, "this target"))
        if shadows.value is not None and found.comparable:
            cards.append(Card(f"AUC of {name}", shadows.number, shadows.interval_text, "mean of the shadow models"))
    gap, accuracy = found.generalization_gap, f"right on {numbers.percent(found.train_accuracy.value)} of members"
    ends = " to ".join(map(numbers.points, gap.interval))
    cards.append(Card("Generalisation gap", numbers.points(gap.value), ends, f"this target, {accuracy}"))
    told = [_sentence(inputs)]
    if found.comparable:
        told += [claims.equals_sentence(inputs.found.lead), claims.lead_rule(inputs.found.lead)]
    text = [
        " ".join(sentence for sentence in told if sentence),
        *_with_shadows(inputs),
        "The target's own figures stand beside averages over the shadow models; they are never mixed. Its intervals "
        "let the examples vary: one model says nothing about how models vary.",
        claims.LOWER_BOUND,
    ]
    return Section("Summary", inputs.bounding(claims.lead_finding(inputs.found.lead)), [Cards(cards), Prose(text)])


def _with_shadows(inputs: TargetReportInputs) -> list[str]:
    """Of a target unlike its shadow models: what attacks find without them and with them, and which of it leads."""
    found = inputs.found
    strongest, without = found.strongest, found.without_shadows
    if found.comparable or strongest is None:
        return []
    rule = claims.lead_rule(strongest)
    bound = "Each is counted on the target's known members and non-members, so that it is a lower bound either way."
    if without is None:
        return [f"The target is not like the shadow models, and every attack that ran needs them. {bound} {rule}"]
    first = (
        "The target is not like the shadow models, so the page leads with the strongest attack that needs none, unless "
        f"that shows nothing above chance and an attack with shadow models does. {bound}"
    )
    told = f"Without shadow models: {claims.lead_sentence(without)}"
    if strongest.attack != without.attack:
        told += f" With them: {claims.lead_sentence(strongest)}"
    return [first, told, rule]


def _comparison(inputs: TargetReportInputs) -> Section:
    found = inputs.found
    rows: list[list[Cell]] = [
        [
            f"{check.side}: {check.name}",
            *(numbers.estimate(each, decimals=4) for each in (check.target, check.low, check.median, check.high)),
            "yes" if check.inside else "no",
        ]
        for check in found.comparison
    ]
    columns = [
        Column("On the target's"),
        Column("Target", "number"),
        Column("Shadows from", "number"),
        Column("Median", "number"),
        Column("to", "number"),
        Column("Inside"),
    ]
    blocks: list[Block] = []
    if rows:
        outside = [index for index, check in enumerate(found.comparison) if not check.inside]
        blocks.append(Table(columns, rows, "Loss in nats, as the target's answers show it.", outside))
    if found.not_comparable:
        blocks.append(Points(found.not_comparable, "Why it is not comparable"))
    differences = [[each.name, _value(each.target), _value(each.run)] for each in found.recipe_differences]
    if differences:
        titles = [Column("Recipe"), Column("Target", "code"), Column("Shadow models", "code")]
        blocks.append(Table(titles, differences, "What the target's owner declared otherwise."))
    undeclared = ", ".join(found.recipe_undeclared)
    if undeclared:
        blocks.append(Details("Not declared", [Prose([undeclared + "."])]))
    alike = [f"{check.name} of {check.side}" for check in found.comparison if check.inside]
    finding = (
        "No measured figure of the target lies outside the shadow models' range, on members or on non-members"
        if found.comparable
        else "The target does not behave like the shadow models"
    )
    if alike and not found.comparable:
        blocks.append(Prose([f"Inside the shadow models' range: {', '.join(alike)}."]))
    limits = ["Shadow models of another recipe tell members of this target worse: its figures are then too low."]
    return Section("Comparable", finding, blocks, limits)


def _attacks(inputs: TargetReportInputs) -> Section:
    attacks, found = inputs.attacks, inputs.found
    if not attacks:
        return Section("Attacks", "No attack could be run", [Prose(["See Limits for the reasons."])])
    members, others = (numbers.count(each) for each in (found.num_members, found.num_non_members))
    caption = f"This target alone, {members} members, {others} non-members; brackets 95 % intervals."
    if not inputs.found.comparable:
        caption += " Every figure is a lower bound, with shadow models unlike it or without any."
    rows: list[list[Cell]] = []
    for each in attacks:
        shadows = inputs.found.shadows[each.attack]
        low, high = shadows.auc_range if shadows else (None, None)
        rows.append(
            [
                face(each.attack).label,
                each.auc,
                _shadow_auc(inputs, each.attack),
                numbers.estimate(low, decimals=3),
                numbers.estimate(high, decimals=3),
                shadows.share_below_target if shadows else None,
            ]
        )
    columns = [
        Column("Attack"),
        Column("AUC", "number", "of this target"),
        Column("AUC", "number", "mean of shadow models"),
        Column("least", "number"),
        Column("greatest", "number"),
        Column("Shadows below the target", "share"),
    ]
    title = inputs.labelled("The target beside the shadow models, each of them a target in turn.")
    beside = Table(columns, rows, title)
    return Section(
        "Attacks",
        _beside_finding(inputs),
        [attack_table(attacks, caption=caption), beside, *_roc(inputs)],
        ["The TPR at no false alarm falls as non-members are added: compare it between equal numbers only."],
    )


def _beside_finding(inputs: TargetReportInputs) -> str:
    """Where the target's AUC under the strongest attack lies among the shadow models' own."""
    main = inputs.main
    shadows = None if main is None else inputs.found.shadows[main.attack]
    if main is None or shadows is None or not inputs.found.comparable:
        return "The target under every attack that its answers allow"
    low, high = shadows.auc_range
    return (
        f"By {face(main.attack).inline} the target has an AUC of {main.auc}, its shadow models {low:.3f} to {high:.3f}"
    )


def _roc(inputs: TargetReportInputs) -> list[Figure]:
    curves = [
        plots.Curve(face(name).label, *inputs.rocs[name], **face(name).drawn) for name in _DRAWN if name in inputs.rocs
    ]
    if not curves:
        return []
    figure = plots.roc_figure(curves, resolvable_fpr=1 / inputs.found.num_non_members, inches=(plots.FULL, 4.4))
    return [
        Figure(
            plots.figure_to_data_uri(figure),
            f"ROC curves with logarithmic axes. {_sentence(inputs)}",
            "Members named against false alarms, both axes logarithmic.",
            "ROC of this target",
        )
    ]


def _answers(inputs: TargetReportInputs) -> Section:
    answers = inputs.found.answers
    kind = answers.kind
    lines = {
        "logits": ["Logits give every attack all that the shadow models give it."],
        "probabilities": [
            "Probabilities give every attack that logits do, as far as their digits reach. The shadow models' answers "
            "were passed through the same digits, so that rounding is not mistaken for membership."
        ],
        "labels": ["Classes only: right or wrong is all that is known of each example."],
    }[kind]
    if answers.decimals is not None:
        lines.append(f"The probabilities were found rounded to {answers.decimals} decimals.")
    if answers.scaled_logit_bound is not None:
        members, others = (numbers.count(each) for each in (answers.saturated_members, answers.saturated_non_members))
        lines.append(
            f"Scaled logits cannot be told apart beyond ±{answers.scaled_logit_bound:.3g}: {members} members and "
            f"{others} non-members lie there, tied. Their true values are at least as extreme."
        )
    return Section("Answers", f"The target shows {_KINDS[kind].lower()}", [Points(lines)])


def _limits(inputs: TargetReportInputs) -> Section:
    not_run = inputs.found.attacks_not_run.items()
    rows = [[face(name).label, reason[:1].upper() + reason[1:] + "."] for name, reason in not_run]
    points = [
        "No verdict is given, neither pass nor fail. A stronger attack or more shadow models may find more.",
        "The attack takes the audited membership as true; records named by mistake lower every figure.",
        "Shadow models were trained on the same pool, which favours the attacker.",
        *inputs.found.notes,
    ]
    blocks: list[Block] = [Points(points, "What to bear in mind")]
    if rows:
        blocks.append(Details("Attacks not run, and why", [Table([Column("Attack"), Column("Why")], rows)]))
    return Section("Limits", "These figures are a lower bound on leakage, not a proof of safety", blocks)


def _run(inputs: TargetReportInputs) -> Section:
    found = inputs.found
    fields = [Column("Name"), Column("Value", "code")]

    def table(mapping: Record) -> Table:
        return Table(fields, [[name, value] for name, value in provenance.flattened(mapping)])

    return Section(
        "How it was run",
        f"One target attacked with {numbers.counted(found.num_valid, 'shadow model')}",
        [
            provenance.timing_table(found.timing),
            Prose([*provenance.made_sentences(found.made), *([inputs.command] if inputs.command else [])]),
            Details("Versions of this command", [table(found.versions)]),
            Details("Configuration of the shadow models", [table(inputs.config)]),
            Details("Manifest of the run", [table(inputs.manifest)]),
        ],
    )
