"""What a configuration is refused for before anything trains."""

import dataclasses

import numpy as np
import pytest

from miajax.campaign.config import CampaignConfig, Setup
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
