"""What a report says of private training: the guarantee, what it rests on, what it leaves out. For every report."""

import math
from collections.abc import Sequence
from typing import Any

from miajax.report import numbers
from miajax.report.page import Block, Column, Columns, Points, Section, Table
from miajax.typed import Json

_SAMPLING = {
    "poisson": "Poisson: each {member} by itself with this probability",
    "fixed_size": "batches of one size, without replacement",
}
_ACCOUNTANT = {
    "pld": "privacy loss distributions (PLD)",
    "rdp": "Rényi divergences (RDP)",
    "smaller": "the smaller bound of privacy loss distributions (PLD) and Rényi divergences (RDP)",
}


def privacy_sections(privacy: Json | None) -> list[Section]:
    """The guarantee of the run's mechanism; nothing where training was not private."""
    return [] if privacy is None else [Section("Differential privacy", _finding(privacy), _blocks(privacy))]


def epsilon_text(epsilon: float | None) -> str:
    """An upper bound with two digits after the point, rounded up; infinite where there is none."""
    return "∞" if epsilon is None else f"{math.ceil(epsilon * 100) / 100:,.2f}"


def _finding(privacy: Json) -> str:
    if privacy["epsilon"] is None and privacy["noise_multiplier"]:
        return f"The noise is too little for any finite epsilon at delta {privacy['delta']:g}: there is no guarantee"
    if privacy["epsilon"] is None:
        return "Gradients were clipped, but no noise was added: there is no guarantee"
    spent = f"Each model spent at most epsilon {epsilon_text(privacy['epsilon'])} at delta {privacy['delta']:g}"
    return spent if privacy["release"] == "secret noise" else f"{spent}, with noise that anybody can compute again"


def mechanism_rows(privacy: Json) -> list[list[Any]]:
    """How samples are drawn and what the accountant compares, as names and values."""
    return [
        ["Delta", f"{privacy['delta']:g}"],
        ["Data sets compared (adjacency)", privacy["adjacency"]],
        ["Accountant", _accountant(privacy)],
        ["Unit of the guarantee", _unit_text(privacy)],
        ["Sampling", f"{_sampling(privacy)} ({privacy['sampling_rate']:.4g})"],
        ["Slots of a sample", numbers.count(privacy["slots"]) if privacy["slots"] else "a sample is never cut"],
        *_statistics(privacy.get("statistics")),
        ["Source of the noise", privacy["release"]],
    ]


def _by_group(privacy: Json) -> bool:
    return privacy.get("unit") == "group"  # runs before groups have no unit: it was a row


def _unit_text(privacy: Json) -> str:
    if not _by_group(privacy):
        return "row"
    return f"group: all rows of one, {privacy['most_rows']} at most, whose mean gradient is clipped as one"


def _sampling(privacy: Json) -> str:
    return _SAMPLING[privacy["sampling"]].format(member="group of rows" if _by_group(privacy) else "member")


def _statistics(released: Json | None) -> list[list[Any]]:
    """What models' inputs are standardised by; nothing where that is public."""
    if released is None:
        return []
    told = (
        f"means and deviations of each model's own members, released once with noise multiplier "
        f"{released['noise_multiplier']:.4g}: epsilon {released['epsilon']:g} alone, composed with the steps above"
    )
    return [["Scaling of the inputs", told]]


def _accountant(privacy: Json) -> str:
    """Whose bound the epsilon is, with the other's beside it where a run has it."""
    name = privacy["accountant"]
    others = {k: v for k, v in privacy.get("epsilon_by_accountant", {}).items() if k != name and v is not None}
    listed = "".join(f"; {_ACCOUNTANT[other]}: {epsilon_text(epsilon)}" for other, epsilon in others.items())
    return _ACCOUNTANT[name] + listed


def sentences(phrases: Sequence[str]) -> list[str]:
    """Phrases of a record as sentences."""
    return [f"{phrase[:1].upper()}{phrase[1:]}." for phrase in phrases]


def _blocks(privacy: Json) -> list[Block]:
    steps = privacy["private_steps"]
    ran = numbers.count(steps[0]) if len(set(steps)) == 1 else f"{min(steps)} to {max(steps)}"
    rows: list[list[Any]] = [
        ["Epsilon, of the planned steps", epsilon_text(privacy["epsilon"])],
        *mechanism_rows(privacy),
        ["Clipping norm", f"{privacy['clip_norm']:g}"],
        ["Noise multiplier", f"{privacy['noise_multiplier']:g}"],
        ["Steps that ran, of those planned", f"{ran} of {numbers.count(privacy['planned_steps'])}"],
    ]
    covered = [
        _rate_bound(privacy),
        "It holds against an attacker who knows all other members, the recipe and every model on the way.",
        "It is a guarantee of each model by itself: who sees several models trained on one record adds them up.",
        _adjacency(privacy),
        "" if _by_group(privacy) else _rows_only(privacy),
    ]
    return [
        Columns(
            [
                Table([Column("Name"), Column("Value")], rows, "What the guarantee rests on."),
                Points([point for point in covered if point], "What it says"),
            ]
        ),
        Points(sentences(privacy["not_covered"]), "What it does not cover"),
    ]


def _rate_bound(privacy: Json, fpr: float = 1e-3) -> str:
    """The highest TPR that (epsilon, delta) allows, where that says anything."""
    if privacy["epsilon"] is None or privacy["epsilon"] > 50:
        return ""
    most = math.exp(privacy["epsilon"]) * fpr + privacy["delta"]
    # The same bound with members and non-members in each other's place.
    most = min(most, 1 - math.exp(-privacy["epsilon"]) * (1 - fpr - privacy["delta"]))
    if most > 0.999:
        return f"So large an epsilon allows attacks that find nearly every record at {numbers.level(fpr)} FPR."
    digits = 3 if most >= 0.01 else 1 - math.floor(math.log10(most))
    bound = math.ceil(most * 10**digits) / 10**digits  # up, as a bound has to be
    return (
        f"No attack on {_one(privacy)} can find it with more than {numbers.percent(bound)} at {numbers.level(fpr)} FPR."
    )


def _adjacency(privacy: Json) -> str:
    if privacy["adjacency"].startswith("add"):
        return (
            f"It compares a training with and without {_one(privacy)}. Under a split of fixed size another takes its "
            "place, which the guarantee covers at twice epsilon; --split bernoulli compares what it is about."
        )
    return f"It compares a training with {_one(privacy)} and with another in its place."


def _rows_only(privacy: Json) -> str:
    if privacy.get("unit") is None:
        return ""
    return (
        "It protects each row by itself: for all k rows of one person epsilon is k times as large, and delta grows too."
    )


def _one(privacy: Json) -> str:
    return "all rows of one group" if _by_group(privacy) else "one record"
