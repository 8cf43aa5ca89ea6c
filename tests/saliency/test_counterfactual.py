import jax
import numpy as np

from miajax.saliency.counterfactual import counterfactual, map_sums, unit_length
from tests.oracles import saliency as oracle

RNG = np.random.default_rng(0)
MODELS, EXAMPLES, SHAPE = 14, 6, (3, 2)
MAPS = RNG.normal(size=(MODELS, EXAMPLES, *SHAPE)).astype(np.float32)
MEMBER = RNG.random((MODELS, EXAMPLES)) < 0.5
VALID = np.arange(MODELS) != 4


def _close(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_means_and_shift_equal_the_naive_loop():
    found = counterfactual(map_sums(MAPS, MEMBER, VALID))
    seen, unseen, shift = oracle.counterfactual(MAPS.astype(np.float64), MEMBER, VALID)
    for got, want in zip(found, (seen, unseen, seen - unseen, shift), strict=True):
        _close(got, want)


def test_groups_of_models_add_up():
    groups = [map_sums(MAPS[g], MEMBER[g], VALID[g]) for g in (slice(0, 5), slice(5, 9), slice(9, 14))]
    together = jax.tree.map(lambda *leaves: sum(leaves), *groups)
    for got, want in zip(counterfactual(together), counterfactual(map_sums(MAPS, MEMBER, VALID)), strict=True):
        _close(got, want)


def test_a_failed_model_counts_for_nothing_even_as_nan():
    dirty = MAPS.copy()
    dirty[4] = np.nan
    _close(counterfactual(map_sums(dirty, MEMBER, VALID)).shift, counterfactual(map_sums(MAPS, MEMBER, VALID)).shift)


def test_presence_that_changes_nothing_has_no_shift_on_average():
    maps = RNG.normal(size=(16, 2000, 5)).astype(np.float32)
    shift = np.asarray(counterfactual(map_sums(maps, RNG.random((16, 2000)) < 0.5, np.ones(16, bool))).shift)
    error = np.nanstd(shift) / np.sqrt(2000)
    assert abs(np.nanmean(shift)) < 5 * error and (shift < 0).mean() > 0.4


def test_shift_is_the_planted_squared_distance_in_units_of_the_spread():
    member = RNG.random((400, 3)) < 0.5
    maps = RNG.normal(size=(400, 3, 4)) + member[..., None] * np.array([2.0, 0, 0, 0])
    shift = counterfactual(map_sums(maps.astype(np.float32), member, np.ones(400, bool))).shift
    np.testing.assert_allclose(shift, 1.0, atol=0.2)  # 2^2 over a total variance of 4


def test_one_model_on_a_side_has_means_but_no_shift():
    member = MEMBER.copy()
    member[:, 0] = np.arange(MODELS) == 0
    found = counterfactual(map_sums(MAPS, member, VALID))
    assert np.isnan(found.shift[0]) and np.isfinite(found.seen[0]).all()


def test_sums_work_under_jit_and_vmap():
    batch = np.stack([MAPS, 2 * MAPS])
    found = jax.jit(jax.vmap(lambda maps: counterfactual(map_sums(maps, MEMBER, VALID))))(batch)
    _close(found.difference[1], 2 * found.difference[0])
    _close(found.shift[1], found.shift[0])


def test_unit_length_divides_by_the_length_and_leaves_zero_alone():
    maps = MAPS.copy()
    maps[0, 0] = 0
    scaled = np.asarray(unit_length(maps))
    np.testing.assert_allclose(np.linalg.norm(scaled[1:].reshape(MODELS - 1, EXAMPLES, -1), axis=-1), 1.0, rtol=1e-5)
    assert (scaled[0, 0] == 0).all()
