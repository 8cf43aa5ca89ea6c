"""Whether a target is like its shadow models."""

import numpy as np
import pytest

from miajax.studies.comparable import behaviour, reasons, recipe_differences, recipe_of
from tests.studies.helpers import small


def simulated(num_shadows: int = 20, n: int = 400, accuracy: float = 0.9, shift: float = 0.0, seed: int = 0):
    """Shadow models of accuracy .9 and, last, a target of another accuracy or loss."""
    rng = np.random.default_rng(seed)
    member = np.argsort(rng.random((num_shadows + 1, n)), 1) < n // 2
    rates = np.r_[np.full(num_shadows, 0.9), accuracy]
    correct = rng.random((num_shadows + 1, n)) < rates[:, None]
    losses = rng.exponential(size=(num_shadows + 1, n))
    losses[-1] += shift
    return correct, losses, member, np.ones(num_shadows + 1, bool)


def test_a_target_of_the_same_kind_is_comparable_nearly_always():
    odd = [bool(reasons(behaviour(*simulated(seed=seed)))) for seed in range(60)]
    assert np.mean(odd) <= 0.1


def test_few_shadow_models_are_no_reason_to_refuse():
    odd = [bool(reasons(behaviour(*simulated(num_shadows=3, seed=seed)))) for seed in range(60)]
    assert np.mean(odd) <= 0.15


def test_another_accuracy_is_named_with_its_range():
    told = reasons(behaviour(*simulated(accuracy=0.6)))
    assert len(told) == 2 and all("shadow models lie in 0." in reason for reason in told)
    assert told[0].startswith("On non-members the target's accuracy is 0.5") and told[1].startswith("On members the")


def test_another_loss_is_named_by_its_quantiles():
    told = reasons(behaviour(*simulated(shift=0.8)))
    assert len(told) >= 3 and all("loss" in reason for reason in told)


def test_shadow_models_are_measured_on_members_and_non_members_that_they_share_with_the_target():
    correct, losses, member, valid = simulated(n=300)
    correct[:-1][member[:-1] != member[-1]] = False  # what is a member of one alone must not count
    assert reasons(behaviour(correct, losses, member, valid)) == []


def test_a_target_that_fits_its_members_better_than_shadow_models_do_is_not_comparable():
    correct, losses, member, valid = simulated()
    losses[-1, member[-1]] *= 0.1
    told = reasons(behaviour(correct, losses, member, valid))
    assert len(told) >= 3 and all(reason.startswith("On members the target's loss") for reason in told)


def test_failed_shadow_models_do_not_widen_the_range():
    correct, losses, member, valid = simulated(accuracy=0.6)
    correct[3], valid[3] = False, False
    losses[3] = np.nan
    assert reasons(behaviour(correct, losses, member, valid))


def test_without_confidence_only_the_accuracy_is_compared():
    correct, _, member, valid = simulated()
    checks = behaviour(correct, None, member, valid)
    assert [(check.side, check.name) for check in checks] == [("non-members", "accuracy"), ("members", "accuracy")]


@pytest.mark.parametrize("num_shadows", [0, 1])
def test_fewer_than_two_shadow_models_allow_no_comparison(num_shadows):
    assert behaviour(*simulated(num_shadows=num_shadows)) == []


def test_the_recipe_names_what_decides_training_and_querying():
    recipe = recipe_of(small())
    expected = {"epochs": 3, "batch_size": 32, "optimizer": "sgd", "query_mode": "evaluation", "model": "mlp"}
    assert expected.items() <= recipe.items() and recipe["num_members"] == 150
    assert recipe["widths"] == [128]


def test_declared_differences_are_named_and_equal_values_are_not():
    recipe = recipe_of(small())
    declared = {"epochs": 30, "optimizer": "sgd", "widths": [64], "query_mode": "batch_stats"}
    told = {each.name: (each.run, each.target) for each in recipe_differences(recipe, declared)}
    assert told == {"epochs": (3, 30), "widths": ([128], [64]), "query_mode": ("evaluation", "batch_stats")}
