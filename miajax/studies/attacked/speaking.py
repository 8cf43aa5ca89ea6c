"""What studies that attack all models of a campaign answer to objections."""

from typing import Any

from miajax.metrics.objections import Objection
from miajax.report.objections import Speaking, beside_baseline, objections
from miajax.studies.attacked.results import AttackedFound


def answers(found: AttackedFound, **more: Any) -> tuple[Objection, ...]:
    """The answers that the figures of a study give.

    Args:
      found: the figures.
      **more: further fields of ``Speaking`` that the study has.
    """
    return objections(
        Speaking(
            lead=found.strongest,
            not_run=found.attacks_not_run,
            baseline=beside_baseline(found.strongest, found.figures),
            checks=found.checks,
            records=found.per_record,
            new_data=found.new_data,
            **more,
        )
    )
