"""The section on what limits leakage: differential privacy in the terms of SP 800-226, overfitting, answers."""

from typing import Any

from miajax.report import numbers, privacy_words
from miajax.report.page import Block, Cell, Column, Points, Prose, Section, Table, Terms
from miajax.studies.audit_report import words
from miajax.studies.audit_report.evidence import Evidence
from miajax.typed import Json

_HAZARDS = (
    "Side channels, such as how long an answer takes: not measured.",
    "What the controller keeps of the raw data, and who reaches it: the guarantee is about the model alone.",
    "Releases that add up: every further model or figure made from the same data spends more.",
)


def safeguards_section(evidence: Evidence) -> Section:
    """What bounds or lowers leakage, as far as it was recorded."""
    text = [words.gap_sentence(evidence)]
    if evidence.privacy is None:
        text.append(
            "Without differential privacy the figures of this report rest on attacks alone: what other attacks find is "
            "not bounded."
            if evidence.privacy_known
            else "The guarantee of a model that miajax did not train itself is for its makers to state."
        )
    blocks: list[Block] = [Prose([*text, words.answers_sentence(evidence)])]
    if evidence.privacy is not None:
        blocks += _guarantee(evidence, evidence.privacy)
    limits = [
        "Measures around the model, such as limits on queries, logs, contracts and security: not measured.",
        "How the data were collected, chosen and minimised: not measured.",
    ]
    return Section("Safeguards", words.privacy_finding(evidence), blocks, limits)


def _guarantee(evidence: Evidence, privacy: Json) -> list[Block]:
    epsilon = privacy["epsilon"]
    steps = [int(each) for each in privacy["private_steps"]]
    ran = numbers.count(steps[0]) if len(set(steps)) == 1 else f"{min(steps)} to {max(steps)}"
    bounded = (
        "with and without one unit (add or remove, called unbounded)"
        if str(privacy["adjacency"]).startswith("add")
        else "with one unit and with another in its place (called bounded)"
    )
    pairs = [
        ("Unit of privacy", _unit(evidence, privacy)),
        ("Privacy parameters", f"epsilon {privacy_words.epsilon_text(epsilon)}, delta {privacy['delta']:g}"),
        ("What epsilon means", words.odds_sentence(epsilon)),
        ("Data sets compared", f"Trainings {bounded}."),
        ("Trust model", "Central: whoever trains holds the raw data, and noise is added in training."),
        (
            "Threat model",
            "The attacker may know all other records, the recipe, and the parameters after every step, and may have "
            "any "
            "further data and any computing power.",
        ),
        ("Mechanism", f"DP-SGD: gradients clipped to norm {privacy['clip_norm']:g}, Gaussian noise of "
                      f"{privacy['noise_multiplier']:g} times that norm, {ran} steps."),
        ("Releases", f"One model. Several models trained on one {evidence.protected} add their epsilons up."),
        ("Source of the noise", str(privacy["release"])),
        ("Checked empirically", _checked(evidence)),
    ]  # fmt: skip
    rows: list[list[Any]] = privacy_words.mechanism_rows(privacy)
    cells: list[list[Cell]] = [[str(name), str(value)] for name, value in rows]
    hazards = [*privacy_words.sentences(privacy["not_covered"]), *_HAZARDS]
    return [
        Terms(pairs),
        Table([Column("Accounting"), Column("Value")], cells, "What the accountant was told."),
        Points(hazards, "Hazards that the guarantee does not cover"),
    ]


def _unit(evidence: Evidence, privacy: Json) -> str:
    if privacy.get("unit", "row") != "row":
        return f"One {evidence.unit}: all its records are drawn and clipped together."
    drawn = f" Members were drawn by {evidence.unit}, but the guarantee is by record." if evidence.by_group else ""
    return (
        "One record (row). Somebody with k records is protected by the guarantee of a group of k only: roughly k times "
        f"epsilon.{drawn}"
    )


def _checked(evidence: Evidence) -> str:
    known = [bound for bound in evidence.bounds if bound.epsilon is not None]
    if not known:
        return "Not measured. miajax audit --run DIR looks for a lower bound on epsilon."
    best = max(known, key=lambda bound: bound.epsilon or 0.0)
    return (
        f"A lower bound on epsilon of {numbers.lower(best.epsilon or 0.0)} at confidence "
        f"{numbers.level(best.confidence)} "
        f"({best.name.replace('_', ' ')}), the largest of {len(known)}."
    )
