"""What the LiRA report assumes and does not show: threat model, limits, attacks not run, terms, sources."""

from collections.abc import Sequence

import numpy as np

from miajax.attacks.registry import ATTACKS
from miajax.notes import as_note
from miajax.report import claims, numbers, provenance
from miajax.report.attack_faces import face
from miajax.report.numbers import Estimate
from miajax.report.page import Block, Cell, Column, Columns, Details, Points, Prose, Section, Table, Terms
from miajax.studies.attacked import words as lira_words
from miajax.studies.attacked.evidence import Evidence
from miajax.studies.attacked.results import AttackedFound

_SOURCES = (
    (
        "N. Carlini, S. Chien, M. Nasr, S. Song, A. Terzis, F. Tramèr: Membership Inference Attacks From First "
        "Principles. IEEE Symposium on Security and Privacy, 2022.",
        "https://arxiv.org/abs/2112.03570",
    ),
    (
        "M. Khalil, A. Blanco-Justicia, N. Jebreel, J. Domingo-Ferrer: Membership Inference Attacks Beyond "
        "Overfitting, 2025.",
        "https://arxiv.org/abs/2511.16792",
    ),
)
_NO_VERDICT = (
    "No verdict is given, neither pass nor fail: whether this leakage is acceptable depends on who is in the data and "
    "on what knowing of their presence would tell."
)
_TERMS = (
    ("Member, non-member", "An example that a model was trained on; one from the same pool that it was not."),
    ("Shadow model", "A model that the attacker trains to learn how models answer about members and others."),
    ("Target", "The model under attack. The others of the run serve as its shadow models."),
    (
        "Scaled logit",
        "The model's confidence in the true label: its logit less the log of the summed exponentials of "
        "all others. Equal to log(p / (1 − p)) of the probability p.",
    ),
    (
        "LiRA",
        "Likelihood-ratio attack: is the target's scaled logit likelier among models trained with the example "
        "(IN) or without it (OUT)? Online uses both, offline only OUT; fixed variance shares one spread among "
        "examples.",
    ),
    ("True-positive rate (TPR)", "Share of the members that the attack names."),
    ("False-positive rate (FPR)", "Share of the non-members that it names by mistake: its false alarms."),
    ("AUC", "Probability that a random member scores higher than a random non-member; 0.5 is chance."),
    ("Advantage", "The largest TPR less FPR over all thresholds. Balanced accuracy is half of one plus it."),
    ("Pooled, per target", "All targets' scores under one threshold; or each target by itself, then the mean."),
)


def headline(evidence: Evidence) -> str:
    """What the strongest attack finds, or why the run cannot say."""
    if evidence.lead is None:
        return lira_words.unresolved_sentence(evidence.pooled_non_members)
    return claims.lead_sentence(evidence.lead)


def ranking_blocks(evidence: Evidence) -> list[Block]:
    """How the strongest attack was chosen: every attack's wide interval and the paired difference, with the rule."""
    lead = evidence.lead
    if lead is None or len(lead.intervals) < 2:
        return []
    decimals = 3 if lead.fpr is None else None
    rows: list[list[Cell]] = []
    for name in sorted(lead.intervals, key=lambda each: -lead.intervals[each].interval[0]):
        of, less = lead.intervals[name], lead.differences.get(name)
        own = Estimate(None, reason="What the others are held against.")
        rows.append([
            face(name).label, numbers.shown(of, decimals),
            own if less is None else numbers.estimate(less.value, less.ci, decimals=decimals),
            "" if less is None else "no" if name in lead.not_told_apart else "yes",
        ])  # fmt: skip
    figure = "AUC" if lead.fpr is None else "TPR"
    at = "" if lead.fpr is None else f"at FPR {lead.fpr}"
    columns = [
        Column("Attack"), Column(figure, "number", at), Column("Strongest minus it", "number", "paired"),
        Column("Told apart"),
    ]  # fmt: skip
    return [Details("How the strongest attack was chosen", [Table(columns, rows)])]


def threat_section(evidence: Evidence) -> Section:
    """What the attacker knows and does."""
    inputs = evidence.inputs
    queries = inputs.signals.shape[2]
    share = numbers.level(inputs.found.head.member_fraction)
    views = "" if queries == 1 else f" and {queries - 1} altered views of it"
    knows = [
        "A record and its true label, and the question whether the model was trained on it.",
        f"The model's logits for the record{views}. Only answers: no parameters, no gradients, no training history.",
        "The training recipe (architecture, optimiser, length), and so the means to train shadow models.",
        "Data from the same distribution to train them on. Here it is the same pool, which favours the attacker.",
    ]
    played = [
        f"Every model is trained on its own random part of {numbers.counted(len(inputs.labels), 'example')}, "
        f"{share} of them.",
        _targets(evidence),
        "The attack never sees the target's own membership: it is left out of every statistic that scores it.",
        "Online attacks train models with the record in question. Offline attacks do without them, so an attacker can "
        "prepare everything before the record is known.",
    ]
    needs = Terms([(face(each.attack).label, face(each.attack).needs) for each in evidence.attacks])
    return Section(
        "Threat model",
        "The attacker asks the model, knows how it was trained, and holds data like its training data",
        [
            Columns([Points(knows, "What the attacker has"), Points(played, "How the audit plays it")]),
            Details("What each attack needs beside the target's answers", [needs]),
        ],
    )


def limits_section(evidence: Evidence) -> Section:
    """What stands behind the figures, how the intervals are made, what was not measured."""
    found = evidence.inputs.found
    general, special = _notes(found.notes)
    points = [
        "They hold for this data, recipe and set of attacks; a stronger attack or more shadow models may find more.",
        _intervals(evidence),
        "Members and others are drawn from one pool at random, so nothing but training tells them apart.",
        *_failures(found.head.failed_models),
        *general,
    ]
    blocks: list[Block] = [
        Prose([_NO_VERDICT]),
        Points(points, "What to bear in mind"),
        _standing_table(evidence),
        Details("Attacks not run, and why", _not_run(found)),
        *([Details("Notes on the attacks", [Points(special)])] if special else []),
    ]
    return Section("Limits", "These figures are a lower bound on leakage, not a proof of safety", blocks)


def terms_section(evidence: Evidence) -> Section:
    """Terms, and how to cite."""
    version = str(evidence.inputs.found.head.versions["miajax"])
    return Section(
        "Terms and sources",
        "What the words mean, and whose work this rests on",
        [provenance.glossary(_TERMS), *provenance.citation_blocks(version, _SOURCES)],
    )


def _targets(evidence: Evidence) -> str:
    if len(evidence.targets) == 0:
        return "No model could be attacked."
    if len(evidence.targets) == 1:
        return f"The target is model {evidence.targets[0]}; the others are its shadows."
    return f"{numbers.counted(len(evidence.targets), 'model')} in turn are the target, and the others its shadows."


def _intervals(evidence: Evidence) -> str:
    if len(evidence.targets) == 1:
        return "Intervals are 95 % and let the examples vary; one target says nothing about how models vary."
    return (
        "Intervals are 95 % and let both models and examples vary, because targets share examples and serve as each "
        "other's shadows."
    )


def _standing_table(evidence: Evidence) -> Table:
    pooled, single = evidence.pooled_non_members, evidence.non_members_per_target
    num_in, num_out = evidence.num_in_and_out
    none = Estimate(None, reason="A single example has no false-positive rate of its own here, only an AUC.")
    members = int(evidence.members.sum())
    rows: list[list[Cell]] = [["Pooled figures", len(evidence.targets), members, pooled, _smallest(pooled)]]
    if len(evidence.targets) > 1:
        smallest = int(evidence.members.min())
        rows.append(["Each target by itself", 1, smallest, single, _smallest(single)])
    rows.append(["Each example by itself", evidence.num_models, int(np.median(num_in)), int(np.median(num_out)), none])
    columns = [
        Column("What stands behind"),
        Column("Models", "count"),
        Column("Members", "count"),
        Column("Non-members", "count"),
        Column("Smallest FPR", "number", "that can be shown"),
    ]
    return Table(columns, rows)


def _smallest(non_members: int) -> str | Estimate:
    if non_members == 0:
        return Estimate(None, reason="No non-member has a score.")
    return f"1 in {numbers.count(non_members)}"


def _failures(failed: Sequence[int]) -> list[str]:
    if not failed:
        return []
    named = ", ".join(str(model) for model in failed[:20])
    if len(failed) > 20:
        named += f" and {len(failed) - 20} more"
    models = "1 model" if len(failed) == 1 else f"{len(failed)} models"
    return [f"Left out of every figure, {models} that did not train well: {named}."]


def _notes(told: Sequence[str]) -> tuple[list[str], list[str]]:
    """Notes on everything, and those on some attacks or on all of them."""
    notes = [as_note(note) for note in told]
    return [note for note in notes if not note.about], [note for note in notes if note.about]


def _not_run(found: AttackedFound) -> list[Block]:
    ran, reasons = found.figures, found.attacks_not_run
    rest = [face(name).inline for name in ATTACKS if name not in ran and name not in reasons]
    rows = [[face(name).label, _sentence(reason)] for name, reason in reasons.items() if name not in ran]
    table: list[Block] = [Table([Column("Attack"), Column("Why")], rows)] if rows else []
    return [*table, Prose([f"Not requested in this run: {', '.join(rest)}."] if rest else [])]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."
