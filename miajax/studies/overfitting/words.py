"""What the curves over the epochs say, as sentences. Every claim is computed, and so is its opposite."""

from collections.abc import Mapping
from typing import Any

from miajax.metrics.claims import against
from miajax.metrics.figures import fpr_key
from miajax.report import numbers
from miajax.report.attack_faces import face

RULES = {"validation_loss": "lowest validation loss", "validation_accuracy": "highest validation accuracy"}
Json = Mapping[str, Any]


def growth_finding(results: Json) -> str:
    """Whether vulnerability grows once accuracy stands, in one line."""
    growth, name = results["growth"], face(results["main_attack"]).label
    if growth is None:
        return "Accuracy is not shown to stand before the last epoch: leakage is not separated from learning"
    auc = growth["change"]["attacks"][results["main_attack"]]["auc"]
    return (
        _verb(auc, f"{name} finds more once accuracy stands",
              f"{name} finds less once accuracy stands",
              f"{name} is not shown to find more or less once accuracy stands")
        + f": AUC {_auc_change(auc)} from epoch {growth['from_epoch']} to {growth['to_epoch']}"
    )  # fmt: skip


def growth_sentence(results: Json) -> str:
    """The same with all its figures."""
    growth, name = results["growth"], face(results["main_attack"]).label
    if growth is None:
        return "After no epoch but the last is accuracy on non-members shown to stand."
    first, last = growth["from_epoch"], growth["to_epoch"]
    accuracy, of = growth["change"]["non_member_accuracy"], growth["change"]["attacks"][results["main_attack"]]
    auc = results["attacks"][results["main_attack"]]["auc"]
    sentence = (
        f"From epoch {first} on, the 95 % interval of what accuracy on non-members still rises lies below "
        f"{100 * growth['margin']:g} points. From epoch {first} to {last} it changes by {_change(accuracy)}, the AUC "
        f"of {name} from {auc[first - 1]:.3f} to {auc[last - 1]:.3f} ({_auc_change(of['auc'])})"
    )
    tpr = of["tpr_at_fpr"][_key(results)]
    if tpr is None:
        return sentence + "."
    begin, end = (results["attacks"][results["main_attack"]]["tpr_at_fpr"][_key(results)][e - 1] for e in (first, last))
    return sentence + (
        f", and the share of members it names at {numbers.one_per(results['fpr'])} non-members from "
        f"{numbers.percent(begin)} to {numbers.percent(end)} ({_change(tpr)})."
    )


def stopping_finding(results: Json) -> str:
    """What early stopping does, in one line."""
    stopping, name = results["early_stopping"], face(results["main_attack"]).label
    if stopping is None:
        return "Without a validation part early stopping is not judged"
    change = stopping["rules"]["validation_loss"]["change"]
    auc = change["attacks"][results["main_attack"]]["auc"]
    does = _verb(auc, "raises", "lowers", "does not measurably change")
    return f"Stopping at the lowest validation loss {does} what {name} finds: AUC {_auc_change(auc)}"


def stopping_sentences(results: Json) -> list[str]:
    """What taking every model at its best validation epoch does, rule by rule."""
    stopping = results["early_stopping"]
    if stopping is None:
        return ["No part of the pool was set aside for validation: --validation_fraction 0.1 does so."]
    said = []
    for rule, found in stopping["rules"].items():
        change, left = found["change"], found["attacks"][results["main_attack"]]
        of = change["attacks"][results["main_attack"]]
        tpr, rate = of["tpr_at_fpr"][_key(results)], left["tpr_at_fpr"][_key(results)]
        power = (
            f"; {numbers.percent(rate)} of members are still named at {numbers.one_per(results['fpr'])} non-members "
            f"({_change(tpr)})"
            if tpr is not None and rate is not None
            else ""
        )
        said.append(
            f"Taken at its own {RULES[rule]} (epoch {found['epoch_mean']:.1f} on average), a model's accuracy on "
            f"non-members changes by {_change(change['non_member_accuracy'])} and the AUC of "
            f"{face(results['main_attack']).label} by {_auc_change(of['auc'])}, to {left['auc']:.3f}{power}."
        )
    return said


def _key(results: Json) -> str:
    return fpr_key(results["fpr"])


def loss_sentence(results: Json) -> str:
    """Whether the loss on non-members is shown to rise after its lowest epoch; empty where the last is the lowest."""
    rise = results["loss"]["rise"]
    if rise is None:
        return ""
    moved = numbers.difference(rise["value"], rise["ci"])
    at = f"after epoch {rise['epoch']} of {len(results['epochs'])}"
    if against(rise["ci"], 0.0) == "above":
        return f"loss on non-members is lowest {at} and rises from there by {moved} nats"
    return f"loss on non-members is lowest {at}, but not shown to rise from there ({moved} nats)"


def _verb(figure: Json, up: str, down: str, neither: str) -> str:
    return {"above": up, "below": down, "not shown": neither}[against(figure["ci"], 0.0)]


def _change(figure: Json) -> str:
    """Of an accuracy or a rate, in percentage points."""
    return numbers.points(figure["value"], figure["ci"], signed=True)


def _auc_change(figure: Json) -> str:
    """Of an AUC, in its own unit: an AUC is no per cent."""
    return numbers.difference(figure["value"], figure["ci"])
