"""What studies that attack all models of a campaign answer to objections."""

from typing import Any

from miajax.attacks.registry import BASELINE
from miajax.metrics.objections import Objection
from miajax.report.objections import Speaking, objections
from miajax.studies.attacked.results import AttackedFound


def answers(found: AttackedFound, **more: Any) -> tuple[Objection, ...]:
    """The answers that the figures of a study give.

    Args:
      found: the figures.
      **more: further fields of ``Speaking`` that the study has.
    """
    lead = found.strongest
    baseline = None
    if lead is not None and {BASELINE, lead.attack} <= found.figures.keys():
        baseline = found.figures[BASELINE].auc, found.figures[lead.attack].auc
    return objections(
        Speaking(
            lead=lead,
            not_run=found.attacks_not_run,
            baseline=baseline,
            checks=found.checks,
            records=found.per_record,
            new_data=found.new_data,
            **more,
        )
    )
