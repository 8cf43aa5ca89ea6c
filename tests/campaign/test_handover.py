"""A plan: what is handed over, and the helper that lies in it."""

import ast
import json

import numpy as np
import pytest

from miajax.campaign.handover import campaign_of, hand_out, read_plan
from miajax.data.registry import DataOptions
from miajax.data.splits import membership
from miajax.errors import UserError
from tests.campaign.plans import MODELS, ROWS, data_of_client, helper, planned, table, trained


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan")
    planned(folder)
    return folder


def test_members_are_those_that_a_campaign_of_the_same_seed_draws(place):
    member = np.load(place / "plan" / "membership.npy")
    np.testing.assert_array_equal(member, membership(5, ROWS, MODELS, "fixed_size", 0.5))


def test_every_model_has_its_rows_and_its_keys_a_line_each(place):
    member, keys = np.load(place / "plan" / "membership.npy"), data_of_client(place)[2]
    for model, row in enumerate(member):
        rows = [int(line) for line in (place / "plan" / "rows" / f"model-{model:04d}.txt").read_text().split()]
        assert rows == np.flatnonzero(row).tolist()
        listed = (place / "plan" / "keys" / f"model-{model:04d}.txt").read_text().split()
        assert listed == [keys[row] for row in rows]


def test_the_plan_says_all_that_answers_are_held_against(place):
    told = json.loads((place / "plan" / "plan.json").read_text())
    assert (told["format"], told["num_examples"], told["num_models"], told["seed"]) == (1, ROWS, MODELS, 5)
    assert (
        told["classes"] == ["healthy", "sick"] and told["key_column"] == "patient" and len(told["content_hash"]) == 64
    )
    assert "patient" in told["campaign"]["data"]["drop_columns"]


def test_the_readme_names_models_rows_classes_and_keys(place):
    text = (place / "plan" / "README.md").read_text()
    assert f"A plan for {MODELS} models" in text and "`healthy`, `sick`" in text and "row,label,healthy,sick" in text
    assert f"all {ROWS} rows" in text and "`keys/model-0000.txt`" in text and "{" not in text


@pytest.mark.parametrize("name", ["sklearn", "pytorch", "keras"])
def test_examples_are_whole_scripts_of_fewer_lines_than_fifteen_beside_their_imports(place, name):
    text = (place / "plan" / f"train_{name}.py").read_text()
    compile(text, name, "exec")
    assert "{" not in text and '"patients.csv"' in text and '.drop(columns=["patient"])' in text
    body = ast.parse(text).body
    assert isinstance(body[-1], ast.For)  # the last statement, over models
    own = [line for line in text.splitlines()[body[0].end_lineno :] if line.strip()]
    assert len(own) <= 16 and len([line for line in own if "import " not in line]) < 15


def test_labels_may_be_names_or_numbers_and_others_are_refused(place):
    handover, (_, labels, _) = helper(place / "plan"), data_of_client(place)
    numbers = handover.codes(labels)
    np.testing.assert_array_equal(numbers, [["healthy", "sick"].index(label) for label in labels])
    np.testing.assert_array_equal(handover.codes(numbers), numbers)
    np.testing.assert_array_equal(handover.codes(numbers.astype(float)), numbers)
    with pytest.raises(ValueError, match="label 'dead' is no class of the plan; expected one of healthy, sick"):
        handover.codes(["dead", *labels[1:]])


def test_what_is_plainly_wrong_is_told_where_models_are_trained(place):
    handover, (_, labels, keys) = helper(place / "plan"), data_of_client(place)
    good = np.full((ROWS, 2), 0.5)
    for answers, told, message in [
        (good[:100], labels, "expected 240 rows and 2 columns"),
        (np.where(np.arange(ROWS)[:, None] == 3, np.nan, good), labels, "1 rows of answers hold NaN"),
        (good + 3, labels, "kind='logits'"),
        (good, labels[::-1], "labels are not those of the plan in its order"),
    ]:
        with pytest.raises(ValueError, match=message):
            handover.leave(0, answers, told)
    with pytest.raises(ValueError, match="models 0 to 7"):
        handover.leave(8, good, labels)
    with pytest.raises(ValueError, match="kind 'odds'"):
        handover.leave(0, good, labels, kind="odds")
    assert handover.missing() == list(range(MODELS))
    np.testing.assert_array_equal(handover.rows_of(keys[::-1]), np.arange(ROWS)[::-1])


def test_one_column_of_two_classes_is_that_of_the_second(tmp_path):
    planned(tmp_path)
    handover, (_, labels, _) = helper(tmp_path / "plan"), data_of_client(tmp_path)
    p = np.linspace(0.1, 0.9, ROWS)
    with np.load(handover.leave(0, p[:, None], labels)) as left:
        np.testing.assert_allclose(left["probabilities"], np.stack([1 - p, p], 1))
    with np.load(handover.leave(1, p, labels, kind="logits")) as left:
        np.testing.assert_allclose(left["logits"], np.stack([0 * p, p], 1))


def test_a_script_that_was_stopped_goes_on_with_what_is_missing(tmp_path):
    planned(tmp_path)
    assert len(trained(tmp_path)) == MODELS
    (tmp_path / "plan" / "answers" / "model-0005.npz").unlink()
    assert helper(tmp_path / "plan").missing() == [5]


def test_a_key_that_names_rows_of_both_sides_is_refused(tmp_path):
    file = table(tmp_path / "t.csv")
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], *("P" + line[5:] for line in lines[1:])]) + "\n")
    data = DataOptions(data_path=str(file), label_column="diagnosis")
    config = campaign_of("table", data, 4, 0, "fixed_size", 0.5, "patient")
    with pytest.raises(UserError, match=r"--key_column patient: P names rows 0 and \d+, of which models train on one"):
        hand_out(config, tmp_path / "plan", "patient")
    assert not (tmp_path / "plan").exists()


def by_ward(folder):
    """A plan whose members are drawn by a column of twelve values."""
    file = table(folder / "t.csv")
    lines = file.read_text().splitlines()
    lines = [lines[0].replace("patient", "ward"), *(f"W{row % 12}" + line[5:] for row, line in enumerate(lines[1:]))]
    file.write_text("\n".join(lines) + "\n")
    data = DataOptions(data_path=str(file), label_column="diagnosis", group_column="ward")
    return hand_out(campaign_of("table", data, 4, 0, "fixed_size", 0.5), folder / "plan")


def test_members_are_drawn_and_listed_by_group_where_a_column_says_whose_row_it_is(tmp_path):
    plan = by_ward(tmp_path)
    wards = np.arange(ROWS) % 12
    for model, row in enumerate(plan.member):
        inside = sorted({f"W{ward}" for ward in wards[row]})
        assert len(inside) == 6 and row.sum() == 6 * ROWS // 12
        assert sorted((plan.folder / "keys" / f"model-{model:04d}.txt").read_text().split()) == inside
    assert "All rows of one `ward` go together" in (plan.folder / "README.md").read_text()
    assert '.drop(columns=["ward"])' in (plan.folder / "train_sklearn.py").read_text()


@pytest.mark.parametrize(
    ("dataset", "settings", "key", "message"),
    [
        ("digits", {}, "patient", "--key_column patient has no effect on --dataset digits"),
        ("table", {"label_column": "patient"}, "patient", "--key_column patient is the label or a feature"),
        ("digits", {"canaries": 5}, None, "--canaries 5 in a plan"),
    ],
)
def test_what_no_plan_can_hold_is_refused(dataset, settings, key, message):
    with pytest.raises(UserError, match=message):
        campaign_of(dataset, DataOptions(**settings), 4, 0, "fixed_size", 0.5, key)


def test_an_unknown_or_empty_key_is_one_line(tmp_path):
    data = DataOptions(data_path=str(table(tmp_path / "t.csv")), label_column="diagnosis", drop_columns=("patient",))
    with pytest.raises(UserError, match="--key_column nobody is not among the columns"):
        hand_out(campaign_of("table", data, 4, 0, "fixed_size", 0.5, "nobody"), tmp_path / "plan", "nobody")
    lines = (tmp_path / "t.csv").read_text().splitlines()
    lines[3] = lines[3][lines[3].index(",") :]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=r"--key_column patient of .* is None in row 2; expected one line of text"):
        hand_out(campaign_of("table", data, 4, 0, "fixed_size", 0.5, "patient"), tmp_path / "plan", "patient")


def test_a_plan_that_was_changed_is_refused(tmp_path):
    planned(tmp_path)
    file = tmp_path / "plan" / "plan.json"
    whole = file.read_text()
    file.write_text(whole.replace('"seed": 5', '"seed": 6', 1))
    with pytest.raises(UserError, match=r"plan.json was changed or damaged"):
        read_plan(tmp_path / "plan")
    file.write_text(whole)
    np.save(tmp_path / "plan" / "membership.npy", ~np.load(tmp_path / "plan" / "membership.npy"))
    with pytest.raises(UserError, match=r"membership.npy is not what the plan says"):
        read_plan(tmp_path / "plan")
    with pytest.raises(UserError, match=r"holds no plan.json"):
        read_plan(tmp_path)


def test_nothing_is_written_over_what_lies_there(place):
    before = (place / "plan" / "plan.json").read_bytes()
    with pytest.raises(UserError, match="holds something already"):
        planned(place)
    assert (place / "plan" / "plan.json").read_bytes() == before
