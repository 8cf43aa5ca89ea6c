"""One object: what does not fit together is refused, with the reason."""

import dataclasses
import json
import math

import pytest

from miajax.errors import UserError
from miajax.training.dp.accounting import SampledGaussian, epsilon
from miajax.training.dp.mechanism import Privacy, default_slots, resolve
from miajax.training.recipe import Recipe

RECIPE = Recipe(epochs=30, batch_size=64)


def test_a_noise_multiplier_resolves_to_one_frozen_object_whose_record_is_json():
    mechanism = resolve(Privacy(noise_multiplier=1.0), RECIPE, 898, ragged=False)
    assert (mechanism.width, mechanism.block, mechanism.steps) == (112, 112, 30 * 14)
    with pytest.raises(dataclasses.FrozenInstanceError):
        mechanism.clip_norm = 2.0  # pyright: ignore[reportAttributeAccessIssue]
    record = json.loads(json.dumps(mechanism.record()))
    assert record["planned_epsilon"] == mechanism.epsilon(mechanism.steps)
    assert record["adjacency"] == "add or remove one example"


def test_a_budget_is_kept_by_the_steps_that_run_and_fewer_steps_spend_less():
    mechanism = resolve(Privacy(epsilon=8.0), RECIPE, 898, ragged=False)
    assert 7.9 < mechanism.epsilon(mechanism.steps) <= 8.0
    assert mechanism.epsilon(mechanism.steps // 2) < 7.0


def test_overflow_in_microbatches_never_cuts_and_fixed_size_counts_as_itself():
    whole = resolve(Privacy(noise_multiplier=1.0, overflow="microbatch", accountant="rdp"), RECIPE, 898, ragged=False)
    assert whole.step.slots is None and (whole.width, whole.block) == (898, 112)
    fixed = resolve(Privacy(noise_multiplier=1.0, sampling="fixed_size", accountant="rdp"), RECIPE, 898, ragged=False)
    assert fixed.step.slots is None and (fixed.width, fixed.block) == (64, 64)
    assert fixed.epsilon(420) > whole.epsilon(420), "replacing moves the sum twice as far as adding"


def test_few_slots_are_refused_only_where_smaller_models_would_be_less_private_than_accounted():
    few = Privacy(noise_multiplier=1.0, slots=32)
    assert resolve(few, RECIPE, 898, ragged=False).step.slots == 32
    enough = resolve(dataclasses.replace(few, slots=64), RECIPE, 898, ragged=True)
    assert enough.step.slots == 64 and enough.step.ragged
    uncut = dataclasses.replace(few, overflow="microbatch")
    assert resolve(uncut, RECIPE, 898, ragged=True).block == 32
    # Why: at one sampling rate, a model of half the members spends more where samples are cut below their mean.
    most, half = (SampledGaussian("poisson", n, batch, 32, 1.0) for n, batch in ((898, 64), (449, 32)))
    assert most.rate == half.rate and epsilon(half, 200, 1e-5) > epsilon(most, 200, 1e-5)


def test_default_slots_are_six_sigma_in_eights():
    assert default_slots(64, 898) == 112
    assert default_slots(64, 100) == 100


def test_an_infinite_budget_clips_without_noise():
    mechanism = resolve(Privacy(epsilon=math.inf), RECIPE, 898, ragged=False)
    assert mechanism.step.noise_multiplier == 0.0 and mechanism.epsilon(1) == math.inf


@pytest.mark.parametrize(
    ("privacy", "recipe", "ragged", "told"),
    [
        ({}, {"mixup": 0.2}, False, "--mixup"),
        ({"delta": 0.01}, {}, False, "--dp_delta"),
        ({}, {"batch_size": 1000}, False, "--batch_size"),
        ({"augmentation_multiplicity": 4}, {}, False, "--dp_augmentation_multiplicity"),
        ({"sampling": "fixed_size", "accountant": "rdp"}, {}, True, "--dp_sampling fixed_size"),
        ({"sampling": "fixed_size", "accountant": "rdp", "slots": 70}, {}, False, "--dp_slots"),
        ({"sampling": "fixed_size", "accountant": "pld"}, {}, False, "--dp_accountant pld"),
        ({"slots": 63}, {}, True, "--dp_slots 63 below --batch_size 64"),
    ],
)
def test_what_breaks_the_guarantee_is_refused(privacy, recipe, ragged, told):
    with pytest.raises(UserError, match=told):
        resolve(Privacy(noise_multiplier=1.0, **privacy), dataclasses.replace(RECIPE, **recipe), 898, ragged)


@pytest.mark.parametrize(
    ("bad", "flag"),
    [
        ({}, "epsilon"),
        ({"epsilon": 1.0, "noise_multiplier": 1.0}, "epsilon"),
        ({"epsilon": 0.0}, "epsilon"),
        ({"noise_multiplier": -1.0}, "noise_multiplier"),
        ({"epsilon": 1.0, "delta": 1.0}, "delta"),
        ({"epsilon": 1.0, "clip_norm": 0.0}, "clip_norm"),
        ({"epsilon": 1.0, "sampling": "shuffle"}, "sampling"),
        ({"epsilon": 1.0, "overflow": "drop"}, "overflow"),
        ({"epsilon": 1.0, "accountant": "moments"}, "accountant"),
        ({"epsilon": 1.0, "slots": 0}, "slots"),
        ({"epsilon": 1.0, "microbatch": 0}, "microbatch"),
        ({"epsilon": 1.0, "augmentation_multiplicity": 0}, "augmentation_multiplicity"),
    ],
)
def test_bad_values_are_refused_by_flag(bad, flag):
    with pytest.raises(UserError, match=f"--dp_{flag}"):
        Privacy(**bad)
