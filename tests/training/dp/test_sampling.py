"""Samples: inclusion frequencies, truncation, and the slow twin."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from miajax.training.dp.sampling import fixed_size_sample, poisson_sample
from miajax.training.dp.threefry import stream
from tests.oracles.dp import truncated_poisson_sample


def keys(number):
    """As many keys of steps."""
    return jnp.full(number, 3, jnp.uint32), jnp.arange(number, dtype=jnp.uint32)


def draw(count, capacity, rate, width, times=4000):
    """``(included bool[times, capacity], used [times])``."""
    sample = jax.jit(jax.vmap(lambda key: poisson_sample(key, capacity, jnp.int32(count), rate, width)))(keys(times))
    rows, used = np.asarray(sample.rows), np.asarray(sample.used)
    included = np.zeros((times, capacity), bool)
    for t in range(times):
        real = rows[t, : used[t]]
        assert len(set(real)) == used[t], "a member twice in one sample"
        included[t, real] = True
    return included, used


@pytest.mark.parametrize(("count", "capacity"), [(50, 50), (41, 70)])
def test_every_member_is_included_by_itself_with_the_rate(count, capacity):
    included, used = draw(count, capacity, 0.25, capacity)
    assert not included[:, count:].any(), "padding was sampled"
    times = len(used)
    assert stats.chisquare(included.sum(0)[:count], np.full(count, included.sum() / count)).pvalue > 1e-4
    assert abs(included[:, :count].mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / (times * count))
    expected = stats.binom.pmf(np.arange(count + 1), count, 0.25) * times
    keep = expected > 20
    observed = np.bincount(used, minlength=count + 1)
    observed, expected = (np.append(v[keep], v[~keep].sum()) for v in (observed, expected))
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 1e-4
    pairs = included[:, 0] & included[:, 1]
    assert abs(pairs.mean() - 0.0625) < 5 * np.sqrt(0.0625 / times)


def test_a_larger_sample_loses_a_random_part_and_is_told_by_its_slow_twin():
    rate, width, capacity = 0.5, 20, 50
    included, used = draw(capacity, capacity, rate, width)
    assert used.max() == width and (used == width).mean() > 0.8
    assert stats.chisquare(included.sum(0)).pvalue > 1e-4, "some members survive the cut more often"
    for t in range(50):
        words = np.asarray(stream((jnp.uint32(3), jnp.uint32(t)), 0, capacity)[0])
        twin = truncated_poisson_sample(words / 2**32, rate, width)
        np.testing.assert_array_equal(np.flatnonzero(included[t]), sorted(twin))


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 65])
def test_odd_sizes_and_certain_inclusion(count):
    included, used = draw(count, 65, 1.0, 65, times=3)
    np.testing.assert_array_equal(used, count)
    assert included[:, :count].all() and not included[:, count:].any()


def test_fixed_size_samples_are_without_replacement_and_uniform():
    sample = jax.jit(jax.vmap(lambda key: fixed_size_sample(key, 30, 7)))(keys(3000))
    rows = np.asarray(sample.rows)
    np.testing.assert_array_equal(sample.used, 7)
    assert all(len(set(r)) == 7 for r in rows)
    assert stats.chisquare(np.bincount(rows.ravel(), minlength=30)).pvalue > 1e-4
