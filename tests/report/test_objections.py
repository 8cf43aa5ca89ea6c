"""Every known objection is answered by a figure of the run, or by how to get one; never by silence."""

import typing

import numpy as np
import pytest

from miajax.metrics.claims import strongest
from miajax.metrics.figures import Figure
from miajax.metrics.objections import ASKED, Raised
from miajax.metrics.per_record import PerRecord, PerRecords, fpr_of_records, of_standardised
from miajax.metrics.vulnerability import exposure_at_pooled_fpr
from miajax.report.objections import Speaking, objection_sections, objections


@pytest.fixture(scope="module")
def lead():
    rng = np.random.default_rng(0)
    member = rng.random((16, 300)) < 0.5
    scores = {"lira_online": rng.normal(size=member.shape) + member, "global_threshold": rng.normal(size=member.shape)}
    found = strongest(scores, member, np.ones(16, bool))
    assert found is not None
    return found, scores, member


def test_every_objection_has_a_sentence_and_an_answer_in_order():
    found = objections(Speaking())
    assert [each.objection for each in found] == list(ASKED) == list(typing.get_args(Raised))
    assert not any(each.measured or each.keys for each in found)
    assert all(each.answer.endswith(".") for each in found)


def test_a_run_that_measured_nothing_says_how_to_measure_it_and_claims_nothing():
    [section] = objection_sections(objections(Speaking()))
    assert "a figure for 0" in section.finding
    table = section.blocks[0]
    assert all(str(row[1]).startswith("Not measured. ") for row in table.rows)
    assert objection_sections(None) == []


def test_the_leading_attack_speaks_to_choice_prior_and_baseline(lead):
    found, _, _ = lead
    figures = Figure(0.6, (0.55, 0.65)), Figure(0.7, (0.68, 0.72))
    told = {each.objection: each for each in objections(Speaking(lead=found, baseline=figures, not_run=["gap"]))}
    assert "all 2 attacks at once" in told["chosen_attack"].answer
    assert told["prior"].measured and "Where 1\u00a0% of the tested records are members" in told["prior"].answer
    assert "0.600" in told["weak_baseline"].answer and "1 attack could not run" in told["weak_baseline"].answer
    assert told["weak_baseline"].keys[0] == "attacks.global_threshold.auc"
    assert not told["instability"].measured and "miajax stability" in told["instability"].answer


def test_precision_is_that_of_bayes(lead):
    found, _, _ = lead
    told = {each.objection: each for each in objections(Speaking(lead=found))}["prior"].answer
    fpr = max(found.chance, float(found.fpr))
    precision = 0.01 * found.value / (0.01 * found.value + 0.99 * fpr)
    assert f"{100 * precision:.1f}" in told


def test_records_false_alarms_speak_to_pooled_thresholds(lead):
    found, scores, member = lead
    valid = np.ones(16, bool)

    def of(array):
        exposure = exposure_at_pooled_fpr(array, member, valid, 0.01)
        return PerRecord(fpr_of_records(exposure), of_standardised(array, member, valid, fpr=0.01))

    records = PerRecords(0.01, of(scores["global_threshold"]), {"lira_online": of(scores["lira_online"])})
    told = {each.objection: each for each in objections(Speaking(lead=found, records=records))}["pooled_fpr"]
    assert told.measured and told.keys[0] == "per_record.attacks.lira_online"
    share = records.attacks["lira_online"].one_threshold.over[10].measured
    assert ("0\u00a0%" if share == 0 else f"{100 * share:.1f}") in told.answer


def test_a_target_from_elsewhere_is_comparable_or_not(lead):
    for why, told in (([], "is like its shadow models"), (["It is far more accurate."], "It is far more accurate.")):
        answer = {each.objection: each for each in objections(Speaking(lead=lead[0], elsewhere=why))}
        assert answer["comparable_shadows"].measured and told in answer["comparable_shadows"].answer
