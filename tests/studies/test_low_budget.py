"""Which attack is recommended at a budget, and whether it finds anything: against the chance that it can attain."""

import dataclasses

import numpy as np
import pytest

from miajax.metrics.paired import Influence, Influences, mean_rate
from miajax.studies.low_budget.figures import AtBudget
from miajax.studies.low_budget.study import _recommended


@pytest.mark.parametrize(("attainable", "standing"), [(None, "above"), (0.0012, "above"), (0.03, "not shown")])
def test_a_rate_is_held_against_the_chance_that_the_non_members_at_hand_attain(attainable, standing):
    """2 % of the members at a rate of .001: much, unless a score without information names 3 % as well."""

    def influence(value, chance=None):
        nothing = np.zeros((8, 50))
        return Influence(value, nothing.sum(1), nothing.sum(0), nothing, 10**6, chance=chance)

    found = Influences(influence(0.5), influence(0.02, attainable))
    tpr = dataclasses.replace(mean_rate([found.tpr]), chance=attainable)
    there = {"attack_p": AtBudget(1, 100, mean_rate([found.auc]), tpr)}
    recommended = _recommended(there, [], {"attack_p": [found]}, 0.001)
    assert recommended.by == "tpr_at_fpr"
    assert (recommended.standing == "above") == (standing == "above")
