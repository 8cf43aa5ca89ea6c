"""Statistics of inputs released with noise: how far a record moves them, their noise, and what they add to epsilon."""

import dataclasses
import math

import dp_accounting
import jax
import numpy as np
import pytest
from dp_accounting.pld import PLDAccountant
from dp_accounting.rdp import RdpAccountant
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.privacy import PrivacyFlags
from miajax.data.bounds import scaled_columns
from miajax.data.dataset import Dataset
from miajax.data.registry import DataOptions
from miajax.errors import UserError
from miajax.training.dp.accounting import (
    ADD_OR_REMOVE_ONE,
    REPLACE_ONE,
    SampledGaussian,
    calibrated_noise,
    epsilon,
    gaussian_delta,
    gaussian_epsilon,
    gaussian_noise,
)
from miajax.training.dp.statistics import Statistics, sensitivity
from miajax.training.ensemble import Ensemble
from miajax.training.parallel import Placement
from miajax.training.private import private_inputs
from miajax.training.recipe import Recipe

KEY = np.array([11, 12], np.uint32)
TABLE = np.array([0, -1, 1, 2, -1])  # three columns of numbers among features of categories
PICTURE = np.broadcast_to(np.arange(2), (3, 4, 2))
wild = st.floats(-1e9, 1e9, width=32) | st.sampled_from([-1.0, 0.0, 1.0, np.nan, np.inf, -np.inf])


@pytest.mark.parametrize("columns", [TABLE, PICTURE])
@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_no_record_moves_the_sums_farther_than_the_sensitivity(columns, data):
    some, other = data.draw(arrays(np.float32, (2, *columns.shape), elements=wild))
    for adjacency in (ADD_OR_REMOVE_ONE, REPLACE_ONE):
        statistics = Statistics.of(columns, 1.0, adjacency)
        one, another = statistics.contributions(np.stack([some, other]))
        moved = one if adjacency == ADD_OR_REMOVE_ONE else one - another
        assert np.linalg.norm(moved) <= sensitivity(statistics.columns, adjacency) * (1 + 1e-12)


@pytest.mark.parametrize(("columns", "count"), [(TABLE, 3), (PICTURE, 2)])
def test_some_records_move_the_sums_as_far_as_the_sensitivity(columns, count):
    highest, lowest = (np.full((1, *columns.shape), value, np.float32) for value in (7.0, -7.0))
    added = Statistics.of(columns, 1.0, ADD_OR_REMOVE_ONE).contributions(highest)[0]
    assert np.linalg.norm(added) == pytest.approx(math.sqrt(1.5 * count))
    replaced = Statistics.of(columns, 1.0, REPLACE_ONE)
    assert np.linalg.norm(replaced.contributions(highest) - replaced.contributions(lowest)) == pytest.approx(
        2 * math.sqrt(count)
    )


def test_the_noise_is_normal_of_the_stated_deviation_and_independent_over_models_and_entries():
    statistics = Statistics.of(np.arange(40), 3.0, ADD_OR_REMOVE_ONE)
    noise = statistics.noise(KEY, range(300)) / (3.0 * math.sqrt(60.0))
    assert noise.shape == (300, 81)
    assert abs(noise.mean()) < 5 / math.sqrt(noise.size)
    assert noise.std() == pytest.approx(1.0, abs=5 / math.sqrt(2 * noise.size))
    assert np.abs(noise.std(0) - 1).max() < 5 / math.sqrt(2 * 300)  # each entry over models, the count among them
    assert (np.abs(noise) > 1.959964).mean() == pytest.approx(0.05, abs=5 * math.sqrt(0.05 * 0.95 / noise.size))
    pairs = np.corrcoef(noise.T)[np.triu_indices(81, 1)]
    assert np.abs(pairs).max() < 6 / math.sqrt(300)
    np.testing.assert_array_equal(statistics.noise(KEY, [17]), statistics.noise(KEY, range(300))[17:18])
    assert (statistics.noise(KEY + 1, [17]) != statistics.noise(KEY, [17])).all()


def test_a_public_count_gets_no_noise():
    assert (Statistics.of(TABLE, 3.0, REPLACE_ONE).noise(KEY, range(5))[:, 0] == 0).all()


@pytest.mark.parametrize("adjacency", [ADD_OR_REMOVE_ONE, REPLACE_ONE])
@pytest.mark.parametrize("columns", [TABLE, PICTURE])
def test_without_noise_means_and_deviations_are_those_of_the_cut_values(columns, adjacency):
    rng = np.random.default_rng(0)
    x = rng.normal(0.2, 0.7, (500, *columns.shape)).astype(np.float32)
    statistics = Statistics.of(columns, 0.0, adjacency)
    mean, deviation = statistics.read(statistics.contributions(x).sum(0)[None], np.array([500]))
    cut = np.clip(x.astype(np.float64), -1, 1)
    for column in range(statistics.columns):
        values = cut[:, columns == column]
        assert mean[0, column] == pytest.approx(values.mean(), rel=1e-9)
        assert deviation[0, column] == pytest.approx(values.std(), rel=1e-9)


def test_what_is_read_reads_the_release_alone_and_stays_finite_under_any_noise():
    statistics = Statistics.of(TABLE, 1e4, ADD_OR_REMOVE_ONE)
    mean, deviation = statistics.read(statistics.noise(KEY, range(50)), np.full(50, 3))
    np.testing.assert_array_equal(mean, statistics.read(statistics.noise(KEY, range(50)), np.full(50, 999))[0])
    assert (np.abs(mean) <= 1).all() and (deviation > 0).all() and (deviation <= 1).all()


def test_the_noise_of_a_release_is_dp_accountings():
    for budget, delta in ((0.1, 1e-5), (0.5, 1e-6), (8.0, 1e-5)):
        noise = gaussian_noise(budget, delta)
        assert noise == pytest.approx(dp_accounting.get_sigma_gaussian(budget, delta), rel=1e-6)
        assert gaussian_delta(noise, budget) <= delta
        assert gaussian_epsilon(noise, delta) == pytest.approx(budget, rel=1e-6)
    with pytest.raises(UserError, match="statistics_epsilon"):
        gaussian_noise(1e-9, 1e-15)


@pytest.mark.parametrize("budget", [0.05, 0.5, 3.0])
def test_a_release_and_steps_are_composed_as_dp_accounting_composes_them(budget):
    noise = gaussian_noise(budget, 1e-5)
    step = SampledGaussian("poisson", 898, 64, None, 1.2, noise)
    steps = dp_accounting.PoissonSampledDpEvent(step.rate, dp_accounting.GaussianDpEvent(1.2))
    release = dp_accounting.GaussianDpEvent(noise)
    alone = epsilon(dataclasses.replace(step, released=None), 420, 1e-5)
    pld = PLDAccountant(value_discretization_interval=1e-3).compose(steps, 420).compose(release).get_epsilon(1e-5)
    rdp = RdpAccountant().compose(steps, 420).compose(release).get_epsilon(1e-5)
    assert epsilon(step, 420, 1e-5, "pld") == pytest.approx(pld, rel=1e-4)
    assert epsilon(step, 420, 1e-5, "rdp") == pytest.approx(rdp, rel=1e-9)
    assert alone < epsilon(step, 420, 1e-5) < alone + budget, "tighter than adding epsilons at the same delta"
    assert epsilon(step, 0, 1e-5) == pytest.approx(budget, rel=1e-6)


def test_a_release_beside_batches_of_one_size_is_composed_by_renyi_divergences():
    noise = gaussian_noise(0.5, 1e-5)
    step = SampledGaussian("fixed_size", 898, 64, None, 4.0, noise)
    ledger = RdpAccountant(neighboring_relation=dp_accounting.NeighboringRelation.REPLACE_ONE)
    ledger.compose(dp_accounting.SampledWithoutReplacementDpEvent(898, 64, dp_accounting.GaussianDpEvent(2.0)), 50)
    by_hand = np.asarray(ledger._rdp) + np.asarray(ledger._orders) / (2 * noise**2)
    from dp_accounting.rdp.rdp_privacy_accountant import compute_epsilon

    assert epsilon(step, 50, 1e-5) == pytest.approx(compute_epsilon(ledger._orders, by_hand, 1e-5)[0], rel=1e-9)


@pytest.mark.parametrize("slots", [None, 112, 80])
def test_the_budget_holds_for_statistics_and_steps_together(slots):
    step = SampledGaussian("poisson", 898, 64, slots, 0.0, gaussian_noise(0.5, 1e-5))
    noise = calibrated_noise(step, 100, 2.0, 1e-5)
    assert epsilon(dataclasses.replace(step, noise_multiplier=noise), 100, 1e-5) <= 2.0
    assert noise > calibrated_noise(dataclasses.replace(step, released=None), 100, 2.0, 1e-5)


def test_statistics_that_spend_the_whole_budget_are_refused():
    step = SampledGaussian("poisson", 898, 64, None, 0.0, gaussian_noise(0.5, 1e-5))
    with pytest.raises(UserError, match="dp_statistics_epsilon below the budget"):
        calibrated_noise(step, 100, 0.5, 1e-5)


def setup(**changes) -> Setup:
    flags = PrivacyFlags(dp_epsilon=8.0, dp_statistics_epsilon=1.0, dp_reproducible_noise=True)
    config = CampaignConfig(
        dataset="digits",
        data=DataOptions(feature_bounds="0,1"),
        num_shadows=4,
        recipe=Recipe(epochs=2, batch_size=64),
        privacy=flags,
        chunk=2,
    )
    return Setup.of(dataclasses.replace(config, **changes))


def started(setup: Setup, devices, ids):
    placement = Placement(devices[:1], 2)
    ensemble = Ensemble(setup.trainer, setup.dataset, placement, private_inputs(setup.mechanisms, KEY))
    return ensemble, ensemble.start(np.array(ids), setup.membership()[ids])


def test_each_model_is_standardised_by_its_own_members_and_its_own_noise(devices):
    made = setup()
    _, group = started(made, devices, [0, 1, 2, 3])
    u, member = made.dataset.features.astype(np.float64), made.membership()
    deviation = made.mechanisms[0].step.released * math.sqrt(1.5 * 64)
    for model in range(4):
        rows = np.clip(u[member[model]], -1, 1)
        noise = Statistics.of(np.arange(64), 1.0, ADD_OR_REMOVE_ONE).noise(KEY, [model])[0] / math.sqrt(96) * deviation
        count = len(rows) + noise[0] / 4
        mean = np.clip((rows.sum(0) + noise[1:65]) / count, -1, 1)
        variance = ((rows**2 - 0.5).sum(0) + noise[65:]) / count + 0.5 - mean**2
        spread = np.sqrt(np.clip(variance, min(2 * deviation / count, 1), 1))
        state = jax.tree.map(lambda leaf, model=model: np.asarray(leaf)[model], group.state.model_state)
        np.testing.assert_allclose(state["mean"], mean, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(state["deviation"], spread, rtol=1e-5)
        x = (made.dataset.features[:5] - state["mean"]) / state["deviation"]
        params = jax.tree.map(lambda leaf, model=model: np.asarray(leaf)[model], group.state.params)
        found, _ = made.trainer.model.apply(params, state, made.dataset.features[:5], False, None)
        wanted, _ = setup(privacy=PrivacyFlags()).trainer.model.apply(params, {}, x, False, None)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_group_contributes_the_mean_of_its_rows_and_counts_once(devices):
    rows = setup()
    groups = np.minimum(np.arange(rows.dataset.num_examples) // 3, 500)  # the last has 297 rows
    made = Setup.of(rows.config, dataclasses.replace(rows.dataset, groups=groups))
    (mechanism,) = made.mechanisms
    assert mechanism.unit == "group"
    _, group = started(made, devices, [0])
    u, member = np.clip(made.dataset.features.astype(np.float64), -1, 1), made.membership()[0]
    noise = Statistics.of(np.arange(64), 1.0, ADD_OR_REMOVE_ONE).noise(KEY, [0])[0] * mechanism.step.released
    whole = [g for g in range(501) if member[groups == g].all()]
    assert len(whole) == mechanism.step.num_members
    means = np.stack([u[groups == g].mean(0) for g in whole])
    squares = np.stack([(u[groups == g] ** 2 - 0.5).mean(0) for g in whole])
    count = len(whole) + noise[0] / 4
    mean = np.clip((means.sum(0) + noise[1:65]) / count, -1, 1)
    variance = (squares.sum(0) + noise[65:]) / count + 0.5 - mean**2
    least = min(2 * mechanism.step.released * math.sqrt(96) / count, 1)
    state = group.state.model_state
    np.testing.assert_allclose(np.asarray(state["mean"])[0], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.asarray(state["deviation"])[0], np.sqrt(np.clip(variance, least, 1)), rtol=1e-5)
    entries = np.concatenate([np.full((len(means), 1), 4.0), means, squares], 1)
    assert np.linalg.norm(entries, axis=1).max() <= sensitivity(64, ADD_OR_REMOVE_ONE)


def test_statistics_of_a_model_do_not_depend_on_its_company_and_outlive_training(devices):
    made = setup()
    _, together = started(made, devices, [0, 1, 2, 3])
    ensemble, alone = started(made, devices, [2])
    before = jax.tree.map(np.array, alone.state.model_state)
    for name, leaf in before.items():
        np.testing.assert_array_equal(leaf[0], np.asarray(together.state.model_state[name])[2])
    ensemble.advance(alone, 2)
    for name, leaf in before.items():
        np.testing.assert_array_equal(leaf, np.asarray(alone.state.model_state[name]))


def test_statistics_need_public_bounds_and_a_private_training():
    with pytest.raises(UserError, match="--feature_bounds with it"):
        setup(data=DataOptions())
    with pytest.raises(UserError, match="without private training"):
        setup(privacy=PrivacyFlags(dp_statistics_epsilon=1.0))
    with pytest.raises(UserError, match="positive epsilon"):
        setup(privacy=PrivacyFlags(dp_epsilon=8.0, dp_statistics_epsilon=0.0))


def test_the_record_and_the_identity_hold_the_statistics_where_there_are_any():
    made, without = setup(), setup(privacy=PrivacyFlags(dp_epsilon=8.0, dp_reproducible_noise=True))
    record = made.mechanisms[0].record()
    assert record["statistics"] == {"epsilon": 1.0, "noise_multiplier": made.mechanisms[0].step.released}
    assert 7.9 < record["planned_epsilon"] <= 8.0
    assert made.identity()["privacy"][0]["statistics_epsilon"] == 1.0
    assert without.mechanisms[0].record()["statistics"] is None
    assert "statistics_epsilon" not in without.identity()["privacy"][0]
    assert made.mechanisms[0].step.noise_multiplier > without.mechanisms[0].step.noise_multiplier


def test_columns_of_numbers_and_channels_are_what_is_scaled(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,c,y\n1,u,,0\n,v,2.5,1\n3,u,1.5,0\n4,w,2.25,1\n")
    options = DataOptions(data_path=str(path), label_column="y", feature_bounds="0,5")
    from miajax.data.registry import load_dataset

    table = load_dataset("table", options)
    assert table.provenance["features"] == ["a", "a is missing", "b = u", "b = v", "b = w", "c", "c is missing"]
    assert scaled_columns(table).tolist() == [0, -1, -1, -1, -1, 1, -1]
    pictures = Dataset(np.zeros((4, 2, 3, 3), np.uint8), np.arange(4) % 2, 2, "pictures")
    assert scaled_columns(pictures)[1, 2].tolist() == [0, 1, 2]
    grey = Dataset(np.zeros((4, 2, 3), np.uint8), np.arange(4) % 2, 2, "grey")
    assert (scaled_columns(grey) == 0).all() and scaled_columns(grey).shape == (2, 3)
