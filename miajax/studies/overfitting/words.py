"""What the curves over the epochs say, as sentences. Every claim is computed, and so is its opposite."""

from miajax.metrics.claims import against
from miajax.metrics.figures import Figure
from miajax.report import numbers
from miajax.report.attack_faces import face
from miajax.studies.overfitting.figures import Overfitting

RULES = {"validation_loss": "lowest validation loss", "validation_accuracy": "highest validation accuracy"}


def _asked(found: Overfitting) -> str:
    """The attack that sentences speak of, and whether it tests groups."""
    return face(found.main_attack).label + (", by group," if found.head.unit == "group" else "")


def growth_finding(found: Overfitting) -> str:
    """Whether vulnerability grows once accuracy stands, in one line."""
    found = found.of_unit
    growth, name = found.growth, _asked(found)
    if growth is None:
        return "Accuracy is not shown to stand before the last epoch: leakage is not separated from learning"
    auc = growth.change.attacks[found.main_attack].auc
    does = _verb(auc, "finds more", "finds less", "is not shown to find more or less")
    moved = f"AUC {numbers.moved(auc)} from epoch {growth.from_epoch} to {growth.to_epoch}"
    return f"{name} {does} once accuracy stands: {moved}"


def growth_sentence(found: Overfitting) -> str:
    """The same with all its figures."""
    found = found.of_unit
    growth, name = found.growth, _asked(found)
    if growth is None:
        return "After no epoch but the last is accuracy on non-members shown to stand."
    first, last = growth.from_epoch, growth.to_epoch
    of, auc = growth.change.attacks[found.main_attack], found.main.auc
    sentence = (
        f"From epoch {first} on, the 95 % interval of what accuracy on non-members still rises lies below "
        f"{numbers.points(growth.margin)}. From epoch {first} to {last} it changes by "
        f"{numbers.moved_points(growth.change.non_member_accuracy)}, the AUC of {name} from {auc[first - 1].value:.3f} "
        f"to {auc[last - 1].value:.3f} ({numbers.moved(of.auc)})"
    )
    tpr, rates = of.tpr_at_fpr[found.fpr], found.main.tpr_at_fpr[found.fpr]
    begin, end = rates[first - 1].value, rates[last - 1].value
    if tpr.value is None or begin is None or end is None:
        return sentence + "."
    return sentence + (
        f", and the share of members it names at {numbers.one_per(found.fpr)} non-members from "
        f"{numbers.percent(begin)} to {numbers.percent(end)} ({numbers.moved_points(tpr)})."
    )


def stopping_finding(found: Overfitting) -> str:
    """What early stopping does, in one line."""
    found = found.of_unit
    stopping, name = found.early_stopping, _asked(found)
    if stopping is None:
        return "Without a validation part early stopping is not judged"
    auc = stopping.rules["validation_loss"].change.attacks[found.main_attack].auc
    does = _verb(auc, "raises", "lowers", "does not measurably change")
    return f"Stopping at the lowest validation loss {does} what {name} finds: AUC {numbers.moved(auc)}"


def stopping_sentences(found: Overfitting) -> list[str]:
    """What taking every model at its best validation epoch does, rule by rule."""
    found = found.of_unit
    if found.early_stopping is None:
        return ["No part of the pool was set aside for validation: --validation_fraction 0.1 does so."]
    said: list[str] = []
    for rule, stopped in found.early_stopping.rules.items():
        left, of = stopped.attacks[found.main_attack], stopped.change.attacks[found.main_attack]
        tpr, rate = of.tpr_at_fpr[found.fpr], left.tpr_at_fpr[found.fpr].value
        power = (
            f"; {numbers.percent(rate)} of members are still named at {numbers.one_per(found.fpr)} non-members "
            f"({numbers.moved_points(tpr)})"
            if tpr.value is not None and rate is not None
            else ""
        )
        said.append(
            f"Taken at its own {RULES[rule]} (epoch {stopped.epoch_mean:.1f} on average), a model's accuracy on "
            f"non-members changes by {numbers.moved_points(stopped.change.non_member_accuracy)} and the AUC of "
            f"{_asked(found)} by {numbers.moved(of.auc)}, to {left.auc.value:.3f}{power}."
        )
    return said


def loss_clause(found: Overfitting) -> str:
    """Whether the loss on non-members is shown to rise after its lowest epoch, as a clause; empty where the last is."""
    rise = found.loss.rise
    if rise is None:
        return ""
    moved, at = numbers.moved(rise.change), f"after epoch {rise.epoch} of {len(found.epochs)}"
    if against(rise.change.interval, 0.0) == "above":
        return f"loss on non-members is lowest {at} and rises from there by {moved} nats"
    return f"loss on non-members is lowest {at}, but not shown to rise from there ({moved} nats)"


def _verb(figure: Figure, up: str, down: str, neither: str) -> str:
    return {"above": up, "below": down, "not shown": neither}[against(figure.interval, 0.0)]
