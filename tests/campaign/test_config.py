"""What a configuration is refused for before anything trains."""

import dataclasses

import numpy as np
import pytest

from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.members import fitting_batch
from miajax.data.dataset import Dataset
from miajax.defenses.treatment import drop
from miajax.errors import UserError
from miajax.training.recipe import Recipe
from tests.training.helpers import digits

N, MODELS = 100, 32


def config(batch_size: int, **changes) -> CampaignConfig:
    return CampaignConfig(num_shadows=MODELS, recipe=Recipe(batch_size=batch_size), **changes)


@pytest.mark.parametrize("split", ["fixed_size", "balanced", "bernoulli"])
def test_a_batch_is_at_most_the_members_of_the_smallest_model(split):
    fewest = int(Setup.of(config(1, split=split), digits(N)).membership().sum(1).min())
    assert (fewest < N // 2) == (split == "bernoulli")
    Setup.of(config(fewest, split=split), digits(N))
    with pytest.raises(UserError, match=f"--batch_size {fewest + 1} is more than a model's {fewest} members"):
        Setup.of(config(fewest + 1, split=split), digits(N))


def test_examples_that_no_model_trains_on_are_no_members():
    treatment = drop(np.arange(N) < N // 4)
    fewest = int(Setup.of(config(1), digits(N), treatment=treatment).membership().sum(1).min())
    assert fewest < N // 2
    with pytest.raises(UserError, match=f"{fewest} members"):
        Setup.of(config(fewest + 1), digits(N), treatment=treatment)


def test_a_fraction_whose_share_is_whole_only_outside_of_binary_floats_keeps_its_last_member():
    Setup.of(dataclasses.replace(config(29), member_fraction=0.29), digits(N))


@pytest.mark.parametrize("split", ["fixed_size", "balanced", "bernoulli"])
def test_a_batch_that_does_not_fit_is_lowered_where_that_is_asked_and_noted(split):
    refused, fitting = config(64, split=split), Setup.of(config(8, split=split), digits(N))
    with pytest.raises(UserError, match="--batch_size 64 is more than"):
        Setup.of(refused, digits(N))
    lowered = Setup.of(refused, digits(N), fit_batch=True)
    assert lowered.config == fitting.config and lowered.identity() == fitting.identity()
    (note,) = lowered.notes
    assert note.startswith("Batches hold 8 examples instead of 64: of the pool of 100, a model has ")
    assert f"{lowered.membership().sum(1).min()} members" in note and fitting.notes == ()


def test_a_batch_that_fits_stays_whatever_is_asked():
    for batch in (1, 29, 49, 50):
        asked = Setup.of(config(batch), digits(N), fit_batch=True)
        assert asked.config == config(batch) and not asked.notes
        assert asked.identity() == Setup.of(config(batch), digits(N)).identity()


@pytest.mark.parametrize(
    ("batch", "members", "fits"),
    [
        (64, 256, 64),
        (64, 255, 32),
        (64, 50, 8),
        (64, 32, 8),
        (64, 31, 4),
        (100, 50, 12),
        (64, 3, 1),
        (1, 1, 1),
        (512, 150, 32),
    ],
)
def test_halving_leaves_four_full_batches_an_epoch(batch, members, fits):
    assert fitting_batch(batch, members) == fits
    assert fits == 1 or 4 * fits <= members < 8 * fits or members >= 4 * batch


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"group": 0}, "--group 0; expected 1 or more"),
        ({"chunk": -1}, "--chunk -1; expected 1 or more"),
        ({"checkpoint_minutes": float("nan")}, "--checkpoint_minutes nan"),
        ({"seed": 2**70}, r"from 0 to 2\*\*63 - 1"),
        ({"member_fraction": float("nan")}, "--member_fraction is NaN"),
    ],
)
def test_settings_that_make_no_sense_are_refused_at_once(changes, says):
    with pytest.raises(UserError, match=says):
        config(8, **changes)


def test_a_draw_that_leaves_a_model_without_non_members_is_refused():
    four = Dataset(np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1]), 2, "four")
    with pytest.raises(UserError, match=r"--split bernoulli of 4 examples draws \d members for model"):
        Setup.of(config(1, split="bernoulli"), four)
