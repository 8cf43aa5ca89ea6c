import numpy as np

from miajax.defenses import treatment

FLAGGED = np.array([True, False, False, True])


def test_each_treatment_changes_one_thing_and_leaves_the_rest():
    drop, less = treatment.drop(FLAGGED), treatment.down_weight(FLAGGED, 0.25)
    other = treatment.relabel(np.array([1, 2, 3, 0]))
    np.testing.assert_array_equal(drop.excluded, FLAGGED)
    np.testing.assert_array_equal(less.weights, np.float32([0.25, 1, 1, 0.25]))
    np.testing.assert_array_equal(other.labels, [1, 2, 3, 0])
    assert drop.labels is drop.weights is less.labels is less.excluded is other.weights is other.excluded is None


def test_treatments_of_other_examples_or_kinds_are_told_apart():
    same = treatment.drop(FLAGGED.copy()).identity()
    assert treatment.drop(FLAGGED).identity() == same
    others = [treatment.drop(~FLAGGED), treatment.down_weight(FLAGGED, 0.0), treatment.down_weight(FLAGGED, 0.1)]
    assert len({str(each.identity()) for each in others} | {str(same)}) == 4
