"""Every function that makes sentences of a report, called with small, empty, single, huge and negative figures.

Each of ``MAKERS`` yields ``(function, sentence)``. Figures come from ``figures``, never from a run: what
matters is how a figure reads, not whether a run could have it.
"""

from tests.studies.sentences.shared import (
    of_attacked,
    of_checks,
    of_claims,
    of_groups,
    of_objections,
    of_private_training,
    of_provenance,
    of_records,
)
from tests.studies.sentences.studies import (
    of_audit_reports,
    of_budgets,
    of_comparisons,
    of_defences,
    of_outliers,
    of_overfitting,
    of_stability,
)

MAKERS = (
    of_claims,
    of_attacked,
    of_groups,
    of_checks,
    of_private_training,
    of_provenance,
    of_audit_reports,
    of_records,
    of_objections,
    of_stability,
    of_comparisons,
    of_defences,
    of_outliers,
    of_overfitting,
    of_budgets,
)
