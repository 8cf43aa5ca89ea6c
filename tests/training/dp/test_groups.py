"""Private training of groups of rows: one clipped contribution a group, sampled and accounted for as a whole."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.flat_settings import config_from
from miajax.campaign.privacy import PrivacyFlags
from miajax.campaign.run import run_campaign
from miajax.data.dataset import Dataset
from miajax.data.groups import rows_of_groups
from miajax.data.splits import membership
from miajax.errors import UserError
from miajax.studies.common import campaign_privacy
from miajax.training.dp.clipping import clipped_sum, plan_clipping
from miajax.training.losses import cross_entropy
from tests.training.dp.networks import Table

RNG = np.random.default_rng(0)
GROUPS = np.array([0, 1, 1, 2, 2, 2, 3, 3, 3, 3, 4, 5, 5])
X = RNG.normal(size=(len(GROUPS), 6)).astype(np.float32)
Y = RNG.integers(0, 5, len(GROUPS))
KEY = jax.random.key(0)
CLIP = 0.3
NETWORK = Table()
PARAMS = NETWORK.init(jax.random.key(1), jnp.zeros((1, 6)))["params"]


def apply(params, x, key):
    return NETWORK.apply({"params": params}, x)


def group_sum(plan, which, rescale=1.0):
    """What the trainer makes of some groups: rows padded by the group's own, weighed to their mean."""
    table = rows_of_groups(GROUPS)[which]
    present = table >= 0
    rows = np.where(present, table, table[:, :1])
    weights = present / present.sum(1, keepdims=True)
    mask = jnp.ones(len(which), bool)
    return clipped_sum(
        plan, apply, cross_entropy, PARAMS, jnp.asarray(rescale * X[rows]), jnp.asarray(Y[rows]), mask, CLIP, KEY,
        jnp.asarray(weights, jnp.float32),
    )  # fmt: skip


def flat(tree):
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)]).astype(np.float64)


def by_hand(which):
    """Each group's gradient of its mean loss, cut to the norm, summed in float64."""
    total, norms = 0.0, []
    for group in which:
        rows = np.flatnonzero(group == GROUPS)

        def loss(p, rows=rows):
            return cross_entropy(apply(p, jnp.asarray(X[rows]), KEY), jnp.asarray(Y[rows])).mean()

        gradient = flat(jax.grad(loss)(PARAMS))
        norms.append(np.linalg.norm(gradient))
        total = total + gradient * min(1.0, CLIP / norms[-1])
    return total, np.array(norms)


def plans():
    width = int(np.bincount(GROUPS).max())
    tapped = plan_clipping(apply, PARAMS, (6,), width, check=cross_entropy)
    assert tapped.fallback is None
    return {
        "tapped": tapped,
        "explicit": dataclasses.replace(tapped, layers=(), fallback="for this test", microbatch=2),
    }


PLANS = plans()


@pytest.mark.parametrize("kind", PLANS)
def test_a_groups_rows_are_one_contribution_clipped_once(kind):
    which = np.arange(6)
    got = group_sum(PLANS[kind], which)
    want, norms = by_hand(which)
    np.testing.assert_allclose(flat(got.total), want, atol=1e-6)
    np.testing.assert_allclose(got.norms, norms, rtol=1e-5)
    assert (norms > CLIP).any()


@pytest.mark.parametrize("kind", PLANS)
@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_removing_a_group_moves_the_clipped_sum_by_at_most_the_clipping_norm(kind, scale):
    everybody = flat(group_sum(PLANS[kind], np.arange(6), scale).total)
    moved = []
    for gone in range(6):
        without = flat(group_sum(PLANS[kind], np.delete(np.arange(6), gone), scale).total)
        moved.append(np.linalg.norm(everybody - without))
    assert max(moved) <= CLIP * (1 + 1e-5)
    assert max(moved) > 0.99 * CLIP  # the bound is reached: rows clipped one by one would move it by more


def test_rows_clipped_one_by_one_would_move_the_sum_by_more_than_the_norm():
    plan = plan_clipping(apply, PARAMS, (6,), 1)
    rows = np.flatnonzero(GROUPS == 3)
    everyone = jnp.ones(len(rows), bool)
    total = clipped_sum(
        plan, apply, cross_entropy, PARAMS, jnp.asarray(X[rows][:, None]), jnp.asarray(Y[rows]), everyone, 0.05, KEY
    ).total
    assert np.linalg.norm(flat(total)) > 0.05 * 1.2


def dataset(sizes):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    rng = np.random.default_rng(2)
    return Dataset(rng.normal(size=(len(groups), 6)).astype(np.float32), np.arange(len(groups)) % 3, groups=groups)


def config(**more):
    privacy = PrivacyFlags(dp_noise_multiplier=1.0, dp_delta=1e-3, dp_reproducible_noise=True, **more)
    return config_from(
        CampaignConfig(), dataset="people", num_shadows=4, epochs=2, batch_size=8, widths=(8,), privacy=privacy
    )


def test_sampling_and_accounting_are_in_groups(tmp_path):
    data = dataset(np.arange(60) % 4 + 1)
    setup = Setup.of(config(), data)
    (mechanism,) = setup.mechanisms
    assert (mechanism.unit, mechanism.rows) == ("group", 4)
    assert (mechanism.step.num_members, mechanism.step.batch_size) == (30, 8)
    assert mechanism.steps == 2 * (30 // 8)
    campaign = run_campaign(setup, tmp_path)
    assert campaign.valid.all() and campaign.member.shape == (4, len(data.labels))
    record = campaign_privacy(campaign)
    assert record is not None
    assert record["unit"] == "group" and record["adjacency"] == "add or remove one group"
    assert record["sampling_rate"] == pytest.approx(8 / 30, rel=1e-6)
    same = Setup.of(config(dp_unit="row"), dataclasses.replace(data, groups=np.arange(len(data.labels)), group_keys=()))
    assert same.mechanisms[0].unit == "row"


def test_groups_of_one_row_train_as_rows_do(tmp_path):
    data = dataset(np.ones(60, int))
    by_group = run_campaign(Setup.of(config(), data), tmp_path / "group")
    by_row = run_campaign(Setup.of(config(dp_unit="row"), data), tmp_path / "row")
    np.testing.assert_array_equal(by_group.member, membership(0, 60, 4, "fixed_size", 0.5))
    np.testing.assert_allclose(by_group.signals, by_row.signals, atol=1e-4)


def test_a_private_model_knows_nothing_of_groups_that_are_not_its_members(tmp_path):
    """Rows that pad a group are its own: no other group's content reaches the training."""
    data = dataset(np.arange(60) % 4 + 1)
    first = run_campaign(Setup.of(config(), data), tmp_path / "one")
    features = data.features.copy()
    outside = ~first.member[0]
    features[outside] = 1e6
    other = run_campaign(Setup.of(config(), dataclasses.replace(data, features=features)), tmp_path / "other")
    inside = first.member[0]
    np.testing.assert_array_equal(first.signals[0][inside], other.signals[0][inside])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"dp_unit": "group"}, "--dp_unit group without groups"),
        ({"dp_augmentation_multiplicity": 2}, "--dp_augmentation_multiplicity 2 with --dp_unit group"),
    ],
)
def test_what_groups_do_not_allow_is_refused(more, message):
    data = dataset(np.arange(60) % 4 + 1)
    if more.get("dp_unit"):
        data = dataclasses.replace(data, groups=None, group_keys=())
    with pytest.raises(UserError) as caught:
        Setup.of(config(**more), data)
    assert message in str(caught.value)


def test_runs_of_rows_keep_their_fingerprint():
    data = dataclasses.replace(dataset(np.ones(60, int)), groups=None, group_keys=())
    assert "unit" not in Setup.of(config(), data).identity()["privacy"][0]
    assert Setup.of(config(dp_unit="row"), data).identity() == Setup.of(config(), data).identity()
