import numpy as np
import pytest

from miajax.errors import UserError
from miajax.metrics.slices import quantile_groups, summarise_slices
from tests.metrics.campaigns import Effects, entry_and_notes

ALL = np.ones(5, bool)


def campaign():
    return Effects().draw(np.random.default_rng(0), 5, 120)


def test_a_slice_of_examples_has_the_figures_of_these_examples_alone():
    scores, member = campaign()
    labels = np.arange(120) % 3
    found, notes = summarise_slices(scores, member, ALL, {"class": labels}, fprs=(0.1,))
    assert list(found["class"]) == ["0", "1", "2"]
    assert notes == []
    for c in range(3):
        chosen = labels == c
        alone, _ = entry_and_notes(scores[:, chosen], member[:, chosen], ALL, fprs=(0.1,))
        assert found["class"][str(c)].to_json() == alone


def test_a_slice_of_cells_has_the_figures_of_these_cells_alone():
    scores, member = campaign()
    scores[1, 7] = np.nan
    correct = np.random.default_rng(1).random(scores.shape) < 0.7
    found, _ = summarise_slices(scores, member, ALL, {"correct": correct}, fprs=(0.1,))
    masked = np.where(correct, scores, np.nan)
    alone, _ = entry_and_notes(masked, member, ALL, fprs=(0.1,))
    assert found["correct"]["True"] is not None
    entry = found["correct"]["True"].to_json()
    assert entry["num_scores_missing"] == int(correct[1, 7])
    assert entry | {"num_scores_missing": alone["num_scores_missing"]} == alone


def test_a_slice_without_members_or_non_members_is_null_with_the_reason():
    scores, member = campaign()
    member[:, :10] = True
    member[:, 10:20] = False
    group = np.array(["seen"] * 10 + ["unseen"] * 10 + ["mixed"] * 100)
    found, notes = summarise_slices(scores, member, ALL, {"group": group}, fprs=(0.1,))
    assert found["group"]["seen"] is None
    assert found["group"]["unseen"] is None
    assert found["group"]["mixed"] is not None
    assert any("group = seen" in note and "no scored non-member" in note for note in notes)
    assert any("group = unseen" in note and "no scored member" in note for note in notes)


def test_a_slice_whose_members_and_non_members_belong_to_different_targets_is_null_with_the_reason():
    scores, member = campaign()
    member[0], member[1] = True, False
    first_two = np.zeros(scores.shape, bool)
    first_two[:2] = True
    found, notes = summarise_slices(scores, member, ALL, {"odd": first_two}, fprs=(0.1,))
    assert found["odd"]["True"] is None
    assert any("odd = True" in note and "no target has both" in note for note in notes)


def test_slices_of_another_shape_are_refused():
    scores, member = campaign()
    with pytest.raises(UserError, match="slices by class"):
        summarise_slices(scores, member, ALL, {"class": np.zeros(7, int)})


def test_quantile_groups_are_even_ordered_and_keep_ties_together():
    values = np.array([5.0, 1.0, 2.0, 2.0, 2.0, 9.0, 7.0, np.nan])
    groups = quantile_groups(values, 3)
    assert groups.tolist() == [2, 1, 1, 1, 1, 3, 3, 0]
    assert np.bincount(quantile_groups(np.random.default_rng(0).normal(size=400))).tolist() == [0, 100, 100, 100, 100]
