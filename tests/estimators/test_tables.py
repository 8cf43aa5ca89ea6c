"""Tables as trees read them."""

import numpy as np
import pytest

from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.run import run_campaign
from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    colours = np.array(["red", "green", "blue", ""])[rng.integers(0, 4, 60)]
    ages = [str(age) if age > 20 else "" for age in rng.integers(18, 80, 60)]
    lines = [f"{a},{c},{'yes' if i % 3 else 'no'},{i % 2}" for i, (a, c) in enumerate(zip(ages, colours, strict=True))]
    (tmp_path / "t.csv").write_text("\n".join(["age,colour,asked,y", *lines]) + "\n")
    return tmp_path / "t.csv", ages, colours


def options(path, **settings) -> DataOptions:
    return DataOptions(data_path=str(path), label_column="y", **settings)


def configured(path, model: str, encoding=None, **settings) -> CampaignConfig:
    return CampaignConfig(
        dataset="table", data=options(path, encoding=encoding), model=model, num_shadows=2, **settings
    )


def test_trees_read_numbers_as_they_are_and_categories_as_codes(table):
    path, ages, colours = table
    codes = load_dataset("table", options(path, encoding="trees")).tree_features
    np.testing.assert_array_equal(codes[:, 0], [float(age) if age else np.nan for age in ages])
    order = {"blue": 0, "green": 1, "red": 2, "": np.nan}
    np.testing.assert_array_equal(codes[:, 1], [order[colour] for colour in colours])
    np.testing.assert_array_equal(codes[:, 2], [float(i % 3 > 0) for i in range(60)])


def test_codes_stand_beside_what_networks_read_and_change_nothing_of_it(table):
    plain, coded = (load_dataset("table", options(table[0], encoding=e)) for e in (None, "trees"))
    assert plain.tree_features is None and plain.content_hash == coded.content_hash


def test_the_encoding_is_what_the_model_is_made_for_unless_it_is_named(table):
    forest, linear = "sklearn.ensemble:RandomForestClassifier", "sklearn.linear_model:LogisticRegression"
    assert Setup.of(configured(table[0], forest)).config.data.encoding == "trees"
    assert Setup.of(configured(table[0], linear)).config.data.encoding == "networks"
    named = Setup.of(configured(table[0], forest, "networks"))
    assert named.dataset.tree_features is None
    assert named.identity() != Setup.of(configured(table[0], forest)).identity()
    with pytest.raises(UserError, match="--encoding trees with a network"):
        Setup.of(configured(table[0], "mlp", "trees"))


@pytest.mark.parametrize(
    "model", ["sklearn.ensemble:HistGradientBoostingClassifier", "sklearn.linear_model:LogisticRegression"]
)
def test_missing_values_are_a_code_where_the_estimator_takes_no_nan(table, tmp_path, model):
    campaign = run_campaign(Setup.of(configured(table[0], model, "trees")), tmp_path / "run")
    assert campaign.valid.all() and np.isfinite(campaign.signals).all()


def test_a_validation_part_takes_its_codes_along(table):
    setup = Setup.of(configured(table[0], "sklearn.tree:DecisionTreeClassifier", validation_fraction=0.2))
    assert len(setup.dataset.tree_features) == setup.dataset.num_examples == 48


def test_canaries_of_other_features_are_refused_for_codes(table):
    with pytest.raises(UserError, match="out_of_distribution with --encoding trees"):
        load_dataset("table", options(table[0], encoding="trees", canaries=5, canary_kind="out_of_distribution"))


def test_a_table_of_codes_needs_a_table():
    with pytest.raises(UserError, match="--encoding trees has no effect on --dataset digits"):
        load_dataset("digits", DataOptions(encoding="trees"))
