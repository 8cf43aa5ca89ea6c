"""Telling members from non-members without a model, and copies among them."""

import dataclasses

import numpy as np
import pytest

from miajax.studies.blind import blind_baseline, near_duplicates


def half(n: int, seed: int) -> np.ndarray:
    member = np.zeros(n, bool)
    member[np.random.default_rng(seed).permutation(n)[: n // 2]] = True
    return member


def test_random_membership_holds_one_half_as_often_as_promised():
    held, aucs = [], []
    for seed in range(60):
        x = np.random.default_rng([seed, 1]).normal(size=(160, 6))
        found = blind_baseline(x, np.arange(160) % 3, half(160, seed), quick=True, seed=seed)
        held.append(not found.leaves_half)
        aucs.append(found.classifiers["linear"].auc.value)
    assert np.mean(held) >= 0.9, "60 audits of a nominal 95 %: 54 or more with probability .98"
    assert abs(np.mean(aucs) - 0.5) < 3 * np.std(aucs) / np.sqrt(60)


def test_a_shift_of_the_features_is_seen_without_any_model():
    member = half(400, 0)
    x = np.random.default_rng(1).normal(size=(400, 5)) + 0.8 * member[:, None] * [1, 0, 0, 0, 0]
    found = blind_baseline(x, np.zeros(400, int), member)
    assert found.leaves_half and set(found.classifiers) == {"linear", "trees"}
    exact = 0.7140  # Phi(0.8 / sqrt 2)
    low, high = found.classifiers["linear"].auc.interval
    assert low < exact < high and low > 0.5


def test_a_difference_that_no_line_separates_is_seen_by_the_trees():
    member = half(500, 0)
    x = np.random.default_rng(2).normal(size=(500, 4))
    x[member, 0] = np.sign(x[member, 0]) * (1 + np.abs(x[member, 0]))
    found = blind_baseline(x, np.zeros(500, int), member)
    linear, trees = (found.classifiers[name].auc.interval for name in ("linear", "trees"))
    assert linear[0] <= 0.5 <= linear[1] < trees[0] and found.leaves_half


def test_members_of_other_classes_are_seen_from_labels_alone():
    member = half(300, 3)
    labels = np.where(member, np.arange(300) % 2, np.arange(300) % 4)
    assert blind_baseline(np.zeros((300, 2)), labels, member, quick=True).leaves_half


def test_sides_that_are_told_apart_without_error_leave_one_half_most_clearly_of_all():
    labels = np.arange(200) % 10
    found = blind_baseline(np.zeros((200, 2)), labels, labels < 5)
    for figure in found.classifiers.values():
        assert figure.auc.value == 1.0 and figure.auc.interval[0] > 0.9
    assert found.leaves_half


def test_order_scale_and_dtype_of_features_do_not_matter_to_the_finding():
    member = half(240, 0)
    x = np.random.default_rng(4).integers(0, 255, (240, 3, 3, 1)).astype(np.uint8)
    x[member, 0, 0] //= 4
    for features in (x, x.astype(np.float32) * 1e6 + 1e3):
        assert blind_baseline(features, np.zeros(240, int), member, quick=True).leaves_half


@pytest.mark.parametrize("members", [0, 1, 11, 12])
def test_too_few_on_one_side_give_a_reason_instead_of_figures(members):
    found = blind_baseline(np.random.default_rng(0).normal(size=(12, 2)), np.zeros(12, int), np.arange(12) < members)
    assert found.leaves_half is None and found.classifiers == {} and "too few" in found.reason


def test_exact_and_near_copies_are_counted_and_named():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(81, 300))
    member = np.arange(81) < 40
    x[50] = x[7]
    x[60] = x[3] + 0.01 * rng.normal(size=300)
    found = near_duplicates(x, member, test_features=np.stack([x[0], rng.normal(size=300)]))
    assert (found.non_members.count, found.non_members.exact, found.non_members.near) == (41, 1, 2)
    assert [pair[:2] for pair in found.non_members.closest] == [(50, 7), (60, 3)]
    assert found.non_members.closest[0][2] == 0.0
    assert (found.test.exact, found.test.near) == (1, 1)


def test_copies_are_found_in_projections_of_many_features():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (400, 18, 18, 1)).astype(np.uint8)
    member = np.arange(400) % 2 == 0
    x[1], x[3] = x[0], x[2]
    x[3, 0, 0] ^= 1
    found = near_duplicates(x, member)
    assert found.non_members.exact == 1 and found.non_members.near == 2
    assert [pair[:2] for pair in found.non_members.closest] == [(1, 0), (3, 2)]


def test_distances_are_those_of_a_naive_search():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(50, 6)) * [1, 10, 0.1, 5, 1, 0]
    member = half(50, 1)
    scaled = x / np.where(x.std(0) > 0, x.std(0), 1)
    others = np.flatnonzero(~member)
    naive = [min(np.linalg.norm(scaled[i] - scaled[j]) for j in np.flatnonzero(member)) for i in others]
    assert near_duplicates(x, member).median_distance == pytest.approx(np.median(naive), rel=1e-5)


def brute(x, member, of):
    """Exact nearest members by all differences, in float64."""
    flat = np.asarray(x, np.float64).reshape(len(x), -1)
    scale = np.where(flat.std(0) > 0, flat.std(0), 1)
    members = np.flatnonzero(member)
    apart = [np.linalg.norm((flat[members] - flat[i]) / scale, axis=1) for i in of]
    return members[[row.argmin() for row in apart]], np.array([row.min() for row in apart])


@pytest.mark.parametrize("features", [20, 64, 65, 300])
def test_near_copies_are_those_of_a_naive_search_whatever_the_projection_hides(features):
    rng = np.random.default_rng(features)
    x = rng.normal(size=(700, features)) * rng.uniform(0.1, 9, features) + 50
    member = half(700, 3)
    members, others = np.flatnonzero(member), np.flatnonzero(~member)
    spread = x.std(0)
    for k in range(60):  # from certain to doubtful, and beyond
        x[others[k]] = x[members[k]] + spread * rng.normal(size=features) * 0.008 * k
    nearest, apart = brute(x, member, others)
    below = np.median(apart) / 4
    found = near_duplicates(x, member)
    assert 0 < (apart < below).sum() < 60, "the planted copies straddle the limit"
    assert found.non_members.near == (apart < below).sum()
    assert found.median_distance == pytest.approx(np.median(apart), rel=1e-4)
    closest = np.argsort(apart, kind="stable")[:20]
    assert [pair[0] for pair in found.non_members.closest] == [int(others[k]) for k in closest]
    assert [pair[1] for pair in found.non_members.closest] == [int(nearest[k]) for k in closest]


def test_tight_clusters_of_near_copies_are_all_found():
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(6, 90)), 60, 0) + 1e-4 * rng.normal(size=(360, 90))
    x = np.concatenate([x, rng.normal(size=(440, 90))])
    member = half(800, 1)
    found = near_duplicates(x, member).non_members
    assert found.near == (~member[:360]).sum() and found.exact == 0


def test_a_pool_of_copies_is_all_copies_though_its_median_distance_is_zero():
    found = near_duplicates(np.repeat(np.eye(4), 50, 0), half(200, 0))
    assert found.median_distance == 0
    assert found.non_members.near == found.non_members.exact == 100


def test_what_is_too_much_to_compare_is_searched_for_exact_copies_only_and_said(monkeypatch):
    from miajax.report.blind_words import blind_section
    from miajax.studies import blind

    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 5))
    member = np.arange(400) % 2 == 0
    x[1:11:2] = x[0:10:2]
    monkeypatch.setattr(blind, "_MOST_PAIRS", 200 * 50)
    found = near_duplicates(x, member)
    assert found.non_members.exact == 5 and found.non_members.searched == 55
    section = blind_section(blind_baseline(x, np.zeros(400, int), member, quick=True), found)
    said = "55 of 200 non-members were searched for near copies, all of them for exact"
    assert any(said in line for line in section.limits)


def test_the_full_baseline_looks_at_ten_thousand_examples_at_most_and_says_so(monkeypatch):
    from miajax.report.blind_words import blind_section
    from miajax.studies import blind

    monkeypatch.setattr(blind, "_MOST_EXAMPLES", 150)
    x, member = np.random.default_rng(0).normal(size=(400, 3)), half(400, 0)
    found = blind_baseline(x, np.zeros(400, int), member)
    assert found.num_members + found.num_non_members == 150 and found.num_examples == 400
    section = blind_section(found, near_duplicates(x, member))
    assert "drawn from 400" in str(section.blocks)


def test_the_finding_names_what_was_tried():
    from miajax.report.blind_words import blind_section

    x, member = np.random.default_rng(3).normal(size=(300, 3)), half(300, 1)
    for quick, tried in ((True, "ridge regression"), (False, "ridge regression and extremely randomised trees")):
        found = dataclasses.replace(blind_baseline(x, np.zeros(300, int), member, quick=quick), leaves_half=False)
        heading = blind_section(found, near_duplicates(x, member)).finding
        assert heading == f"Without the model, {tried} did not measurably tell members from non-members"
