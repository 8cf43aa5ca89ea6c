"""A small version of the power study: broken mechanisms are caught, the right one is not accused."""

import numpy as np
import pytest

from benchmarks._broken_mechanisms import private_inputs_of, versions
from benchmarks.audit_power import EPSILON, bounds, setup

pytestmark = pytest.mark.slow  # trains an ensemble


def test_broken_mechanisms_are_caught_and_the_right_one_is_not():
    found = bounds(seeds=6, references=32)
    caught = {name: int((lower > EPSILON).sum()) for name, lower in found.items()}
    assert caught.pop("correct") == 0
    assert min(caught.values()) >= 4, caught


def test_versions_differ_in_what_their_names_say():
    mechanism = setup().mechanisms[0]
    broken = versions(microbatches=8)
    inputs = private_inputs_of(mechanism, list(broken.values()), 2, 0)(np.arange(8))
    clip_norm, deviation = inputs.clip_norm[::2], (inputs.noise_multiplier * inputs.clip_norm)[::2]
    right = mechanism.step.noise_multiplier * mechanism.clip_norm
    np.testing.assert_allclose(deviation, [right, 0.0, right, right / 8], rtol=1e-6)
    assert clip_norm[0] == clip_norm[1] == clip_norm[3] == np.float32(mechanism.clip_norm) and clip_norm[2] > 1e4
