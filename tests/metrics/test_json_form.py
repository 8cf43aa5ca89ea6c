"""Figures as JSON and back."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Annotated

import numpy as np
import pytest

from miajax.errors import UserError
from miajax.metrics.figures import Estimate, Figure
from miajax.metrics.forms import BARE, LEFT_OUT, SPREAD, TOGETHER, Form
from miajax.metrics.groups import JOINS, PerGroup
from miajax.metrics.json_form import UNKNOWN, Together, from_json, to_json
from miajax.metrics.summary import AttackSummary, summarise


@dataclasses.dataclass(frozen=True)
class Inner:
    place: int
    moved: Annotated[Figure, SPREAD]


@dataclasses.dataclass(frozen=True)
class Outer:
    auc: Figure
    curve: tuple[Estimate, ...] | None
    rates: Annotated[Mapping[float, tuple[Figure, ...]], Form(chance="chance_rates")]
    change: Together | None
    changes: Mapping[str, Annotated[Estimate, TOGETHER]]
    within: Annotated[Inner, SPREAD]
    several: Mapping[str, Inner]
    plain: Annotated[Estimate, BARE]
    by_count: Mapping[int, tuple[int, str]]
    extra: Annotated[float | None, LEFT_OUT] = None


FIGURE = Figure(0.5, (0.25, 0.75))
OUTER = Outer(
    auc=FIGURE,
    curve=(FIGURE, Estimate(0.5)),
    rates={1e-4: (Figure(0.5, (0.25, 0.75), 0.125),)},
    change=FIGURE,
    changes={"one": FIGURE},
    within=Inner(3, FIGURE),
    several={"a": Inner(4, FIGURE)},
    plain=Estimate(0.5),
    by_count={8: (1, "x")},
)
ENDS = [0.25, 0.75]


def test_a_figure_is_two_keys_or_one_as_its_annotation_says():
    assert to_json(OUTER) == {
        "auc": 0.5, "auc_ci": ENDS, "curve": [0.5, 0.5], "curve_ci": [ENDS, None],
        "rates": {"0.0001": [0.5]}, "rates_ci": {"0.0001": [ENDS]}, "chance_rates": {"0.0001": [0.125]},
        "change": {"value": 0.5, "ci": ENDS}, "changes": {"one": {"value": 0.5, "ci": ENDS}},
        "place": 3, "value": 0.5, "ci": ENDS, "several": {"a": {"place": 4, "value": 0.5, "ci": ENDS}},
        "plain": 0.5, "by_count": {"8": [1, "x"]},
    }  # fmt: skip


def test_what_is_written_is_read_again():
    assert from_json(Outer, to_json(OUTER)) == OUTER
    empty = dataclasses.replace(OUTER, curve=None, change=None, extra=2.5, rates={}, changes={})
    assert from_json(Outer, to_json(empty)) == empty


def test_a_missing_figure_is_null_and_read_as_one_with_a_reason():
    found = dataclasses.replace(OUTER, changes={"one": Estimate(None, reason="Nobody looked.")}, plain=Estimate(None))
    entry = to_json(found)
    assert entry["changes"] == {"one": None} and entry["plain"] is None
    assert from_json(Outer, entry).changes["one"] == Estimate(None, reason=UNKNOWN)


def test_a_missing_key_is_named():
    entry = to_json(OUTER)
    del entry["auc"]
    with pytest.raises(UserError, match="hold no auc"):
        from_json(Outer, entry)


def test_a_summary_of_an_attack_is_read_as_it_was_but_for_its_notes():
    rng = np.random.default_rng(0)
    member = rng.random((4, 60)) < 0.5
    found = summarise(rng.normal(size=(4, 60)) + member, member, fprs=(0.1,))
    assert AttackSummary.from_json(found.to_json()) == dataclasses.replace(found, notes=())


def test_a_rate_that_is_null_in_a_file_has_its_reason_again():
    rng = np.random.default_rng(0)
    member = np.argsort(rng.random((4, 60)), 1) < 30
    found = summarise(rng.normal(size=(4, 60)) + member, member, fprs=(0.001, 0.01))
    read = AttackSummary.from_json(json.loads(json.dumps(found.to_json())))
    assert (
        read.tpr_at_fpr[0.001].reason == "Not resolvable: 120 non-members cannot show a false-positive rate of 0.001."
    )
    assert read.tpr_at_fpr == found.tpr_at_fpr and found.tpr_at_fpr[0.01].value is not None
    assert read.per_target.tpr_at_fpr[0.01].reason == (
        "Not resolvable for every single target: a false-positive rate of 0.01 takes 100 non-members of each, and they "
        "have 30 on average."
    )
    alone = summarise(rng.normal(size=(1, 60)), member[:1], fprs=(0.001,))
    assert AttackSummary.from_json(alone.to_json()).per_target.tpr_at_fpr == alone.per_target.tpr_at_fpr


@pytest.mark.parametrize(("value", "ends"), [("high", [0.0, 1.0]), (0.5, "wide"), (0.5, [0.0, "far"])])
def test_a_figure_that_is_no_number_is_named(value, ends):
    with pytest.raises(UserError, match="expected a number and the two ends of it"):
        from_json(Outer, to_json(OUTER) | {"auc": value, "auc_ci": ends})


@dataclasses.dataclass(frozen=True)
class OfPeople:
    rows: float
    per_group: Annotated["PerGroup[Inner] | None", LEFT_OUT] = None


def test_figures_by_group_stand_under_every_join_and_those_that_lead_beside_them():
    of_joins = {join: Inner(place, FIGURE) for place, join in enumerate(JOINS)}
    found = OfPeople(1.0, PerGroup.of("mean", 3, of_joins.__getitem__))
    entry = json.loads(json.dumps(to_json(found)))
    each = {join: {"place": place, "value": 0.5, "ci": ENDS} for place, join in enumerate(JOINS)}
    assert entry["per_group"] == {"headline": "mean", "num_groups": 3, **each["mean"], **each}
    assert from_json(OfPeople, entry) == found and to_json(OfPeople(1.0)) == {"rows": 1.0}
