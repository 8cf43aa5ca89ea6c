"""Members are drawn by group, from whatever data say whose rows they are."""

import dataclasses
import decimal
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miajax.campaign.config import CampaignConfig, Setup
from miajax.data.dataset import Dataset
from miajax.data.groups import alike_keys, note_on_groups, rows_of_groups
from miajax.data.npz import load_npz
from miajax.data.registry import DataOptions, load_dataset
from miajax.data.splits import SPLITS, is_ragged, member_capacity, membership
from miajax.data.validation import carve_validation
from miajax.errors import UserError

RNG = np.random.default_rng(0)


def data(groups, **more):
    groups = np.asarray(groups)
    features = np.random.default_rng(1).normal(size=(len(groups), 3)).astype(np.float32)
    return Dataset(features, np.arange(len(groups)) % 2, groups=groups, **more)


@given(
    seed=st.integers(0, 99),
    groups=st.lists(st.integers(0, 6), min_size=8, max_size=40).filter(lambda each: len(set(each)) > 3),
    split=st.sampled_from(SPLITS),
)
@settings(deadline=None)
def test_groups_are_members_whole_and_drawn_as_examples_are(seed, groups, split):
    codes = np.unique(groups, return_inverse=True)[1]
    rows = membership(seed, len(codes), 4, split, 0.5, codes)
    by_group = membership(seed, int(codes.max()) + 1, 4, split, 0.5)
    np.testing.assert_array_equal(rows, by_group[:, codes])
    assert rows.sum(1).max() <= member_capacity(len(codes), split, 0.5, codes)


def test_balanced_pairs_of_groups_are_complements():
    codes = np.repeat(np.arange(7), [1, 2, 3, 4, 5, 6, 7])
    rows = membership(0, len(codes), 6, "balanced", 0.5, codes)
    np.testing.assert_array_equal(rows[0::2], ~rows[1::2])


def test_members_of_equal_groups_fill_their_width_exactly_and_unequal_ones_are_ragged():
    equal, unequal = np.repeat(np.arange(300), 4), np.repeat(np.arange(300), np.arange(300) % 5 + 1)
    assert member_capacity(1200, "fixed_size", 0.5, equal) == 600 and not is_ragged(1200, "fixed_size", equal)
    assert is_ragged(len(unequal), "fixed_size", unequal)
    capacity = member_capacity(len(unequal), "fixed_size", 0.5, unequal)
    assert membership(0, len(unequal), 200, "fixed_size", 0.5, unequal).sum(1).max() <= capacity < len(unequal)


def test_a_dataset_numbers_groups_by_their_sorted_keys_and_keeps_them_where_rows_are_cut():
    dataset = data(["b", "a", "b", "c", "a", "c"])
    assert dataset.groups is not None
    assert dataset.groups.tolist() == [1, 0, 1, 2, 0, 2] and dataset.group_keys == ("a", "b", "c")
    cut = dataclasses.replace(
        dataset, features=dataset.features[:3], labels=dataset.labels[:3], groups=dataset.groups[:3]
    )
    assert cut.groups is not None
    assert cut.groups.tolist() == [1, 0, 1] and cut.group_keys == ("a", "b")
    gone = dataclasses.replace(dataset, features=dataset.features[2:4], labels=[0, 1], groups=dataset.groups[2:4])
    assert gone.groups is not None
    assert gone.groups.tolist() == [0, 1] and gone.group_keys == ("b", "c")


def test_data_without_groups_keep_their_hash_and_others_have_one_of_their_own():
    plain = Dataset(np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1]))
    assert plain.content_hash == "d7ee0fa800922f1933242a464f10d3dd5994165121969377709bf87bd16a6764"
    one, other = (dataclasses.replace(plain, groups=np.array(each)) for each in ([0, 0, 1, 1], [0, 1, 0, 1]))
    assert len({plain.content_hash, one.content_hash, other.content_hash}) == 3


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["a", "", "b", "b"], "groups has no key in row 1 (1 such rows)"),
        ([1.0, np.nan, 2.0, np.nan], "groups has no key in row 1 (2 such rows)"),
        ([1.5, 2.5, 1.5, 2.5], "groups has dtype float64"),
        ([7, 7, 7, 7], "all 4 rows are of one group"),
        (["a", " \t", "b", "b"], "groups has no key in row 1 (1 such rows)"),
        ([2.0**53, 2.0**53 + 2, 1, 1], "groups has the key 9.0072e+15 as a floating-point number (row 0)"),
        ([b"a", b"\xff", b"b", b"b"], "groups holds bytes that are no UTF-8 text"),
        ([1, 2], "groups has shape (2,)"),
    ],
)
def test_what_cannot_be_groups_is_refused(groups, message):
    with pytest.raises(UserError) as caught:
        Dataset(np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1]), groups=np.array(groups))
    assert message in str(caught.value)


def table(tmp_path, keys):
    path = tmp_path / "visits.csv"
    lines = [f"{key},{RNG.normal():.4f},{'yes' if row % 2 else 'no'}" for row, key in enumerate(keys)]
    path.write_text("\n".join(["patient,x,y", *lines]))
    return DataOptions(data_path=str(path), label_column="y")


def test_a_column_of_a_table_says_whose_rows_they_are_and_is_no_feature(tmp_path):
    options = dataclasses.replace(table(tmp_path, ["p2", "p1", "p2", "p3", "p1", "p3"]), group_column="patient")
    dataset = load_dataset("table", options)
    assert dataset.groups is not None
    assert dataset.groups.tolist() == [1, 0, 1, 2, 0, 2]
    assert (dataset.group_name, dataset.group_keys) == ("patient", ("p1", "p2", "p3"))
    assert dataset.provenance["features"] == ["x"] and dataset.provenance["group_column"] == "patient"
    first = load_dataset("table", dataclasses.replace(options, max_examples=4))
    assert first.groups is not None and first.groups.tolist() == [1, 0, 1, 2]


@pytest.mark.parametrize(
    ("keys", "more", "message"),
    [
        ([1, "", 2, 2], {"group_column": "patient"}, "--group_column patient has no value in row 1 (1 such rows)"),
        ([3, 3, 3, 3], {"group_column": "patient"}, "--group_column patient has one value in all 4 rows"),
        ([0.5, 1.5, 0.5, 1.5], {"group_column": "patient"}, "--group_column patient has the type double"),
        ([1, 1, 2, 2], {"group_column": "person"}, "--group_column person is not among the columns"),
        ([1, 1, 2, 2], {"group_column": "y"}, "--group_column and --label_column both name y"),
        ([1, 1, 2, 2], {"group_column": "x", "drop_columns": ("x",)}, "--drop_columns names x"),
        ([1, 1, 2, 2], {"keep_keys": True}, "--keep_keys without groups"),
    ],
)
def test_a_group_column_that_cannot_tell_is_refused(tmp_path, keys, more, message):
    with pytest.raises(UserError) as caught:
        load_dataset("table", dataclasses.replace(table(tmp_path, keys), **more))
    assert message in str(caught.value)


def test_an_archive_has_an_array_of_groups(tmp_path):
    arrays = {"features": RNG.normal(size=(6, 2)), "labels": np.arange(6) % 2}
    np.savez(tmp_path / "a.npz", **arrays, groups=np.array([5, 5, 9, 9, 2, 2]))
    dataset = load_npz(tmp_path / "a.npz")
    assert dataset.groups is not None
    assert dataset.groups.tolist() == [1, 1, 2, 2, 0, 0] and dataset.group_keys == ("2", "5", "9")


def test_nobody_is_both_in_the_validation_part_and_in_the_pool():
    dataset = data(np.repeat(np.arange(20), 3))
    marked = dataclasses.replace(dataset, features=np.repeat(np.arange(20.0), 3)[:, None])
    carved = carve_validation(marked, 0.25, seed=0)
    assert carved.validation_features is not None and carved.groups is not None
    assert not set(carved.validation_features[:, 0]) & set(carved.features[:, 0])
    assert len(set(carved.validation_features[:, 0])) == 5 and int(carved.groups.max()) == 14
    assert carved.source_rows is not None
    np.testing.assert_array_equal(carved.source_rows // 3, carved.features[:, 0])


def test_rows_of_groups_are_padded_to_the_largest():
    assert rows_of_groups(np.array([1, 0, 1, 1])).tolist() == [[1, -1, -1], [0, 2, 3]]


def test_a_campaign_draws_whole_groups_says_so_and_is_another_run():
    dataset = data(np.repeat(np.arange(50), 4))
    config = CampaignConfig(num_shadows=4)
    setup = Setup.of(config, dataset, fit_batch=True)
    member = setup.membership()
    assert (member.reshape(4, 50, 4).any(2) == member.reshape(4, 50, 4).all(2)).all()
    assert "Members are drawn by group: 50 groups of 4 rows." in setup.notes
    plain = Setup.of(config, dataclasses.replace(dataset, groups=None, group_keys=()), fit_batch=True)
    assert setup.identity()["unit"] == "group" and "unit" not in plain.identity()


def test_groups_of_one_row_are_allowed_and_said():
    assert note_on_groups("patient", np.repeat(np.arange(40), [1, 1, *[2] * 38])).endswith(
        "2 of which have one row only."
    )
    assert note_on_groups("patient", np.array([0, 1, 1, 2])).endswith(
        "resample fewer than 30 groups may be too narrow."
    )
    assert "Every group has one row only" in note_on_groups("patient", np.arange(5))
    half = note_on_groups("patient", np.concatenate([np.zeros(60, int), np.arange(1, 61)]))
    assert half.endswith("The largest holds 50 % of the rows: figures by row are largely about it.")


def test_more_groups_than_there_are_is_refused():
    with pytest.raises(UserError, match="of 3 groups leaves one side empty"):
        membership(0, 6, 2, "fixed_size", 0.2, np.repeat(np.arange(3), 2))


def test_keys_of_many_digits_and_of_bytes_stay_apart(tmp_path):
    long = ["12345678901234567890", "12345678901234567891"]
    dataset = load_dataset("table", dataclasses.replace(table(tmp_path, [*long, *long]), group_column="patient"))
    assert dataset.groups is not None
    assert dataset.groups.tolist() == [0, 1, 0, 1] and dataset.group_keys == tuple(long)
    assert data(np.array([b"b", b"a", b"b", b"a"])).group_keys == ("a", "b")


def test_zeros_in_front_stay_in_keys_and_are_refused_where_they_would_merge_people(tmp_path):
    padded = dataclasses.replace(table(tmp_path, ["012", "007", "012", "007"]), group_column="patient")
    dataset = load_dataset("table", padded)
    assert dataset.groups is not None
    assert dataset.groups.tolist() == [1, 0, 1, 0] and dataset.group_keys == ("007", "012")
    cut = load_dataset("table", dataclasses.replace(padded, max_examples=2))
    assert cut.group_keys == ("007", "012")
    with pytest.raises(UserError, match=r"has the keys 007 and 7, which are one number \(row 2\)"):
        load_dataset("table", dataclasses.replace(table(tmp_path, ["007", 8, 7, 8]), group_column="patient"))


@pytest.mark.parametrize(
    ("column", "groups", "keys"),
    [
        (pa.array([decimal.Decimal("10"), decimal.Decimal("9")] * 2), [0, 1, 0, 1], ("10", "9")),
        (pa.array([10.0, 9.0] * 2), [1, 0, 1, 0], ("9", "10")),
        (pa.array(["b", "a"] * 2).dictionary_encode(), [1, 0, 1, 0], ("a", "b")),
        (pa.array([10.0, float("nan")] * 2), "has no value in row 1 (2 such rows)", ()),
        (pa.array([1e17, 1e17 + 64] * 2), "has the key 1e+17 as a floating-point number", ()),
    ],
)
def test_keys_of_parquet_are_read_as_they_are(tmp_path, column, groups, keys):
    path = tmp_path / "visits.parquet"
    pq.write_table(pa.table({"patient": column, "x": [0.1, 0.2, 0.3, 0.4], "y": ["a", "b"] * 2}), path)
    options = DataOptions(data_path=str(path), label_column="y", group_column="patient")
    if isinstance(groups, str):
        with pytest.raises(UserError) as caught:
            load_dataset("table", options)
        assert groups in str(caught.value)
        return
    dataset = load_dataset("table", options)
    assert dataset.groups is not None
    assert dataset.groups.tolist() == groups and dataset.group_keys == keys


def test_keys_that_are_written_alike_are_found():
    keys = ["José", unicodedata.normalize("NFD", "José"), "P 1", "p1", "P2", "007", "7", "A\u200b", "A", "0", "70"]
    assert alike_keys(keys) == [(0, 1), (2, 3), (5, 6), (7, 8)]
    assert alike_keys(["P1", "P2", "", "10", "1", "01x", "1x"]) == []
