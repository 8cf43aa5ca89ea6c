import jax
import numpy as np

from miajax.saliency import relevance
from tests.oracles import saliency as oracle

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 9)).astype(np.float32)
RELEVANCE = RNG.integers(0, 4, (4, 9)).astype(np.float32)  # ties
WEIGHTS = RNG.normal(size=9).astype(np.float32)
FRACTIONS = np.array([0.0, 0.1, 0.5, 1.0], np.float32)


def _probability(x):
    return jax.nn.sigmoid(x @ WEIGHTS)


def test_relevance_sums_channels_and_keeps_tables_as_they_are():
    maps = RNG.normal(size=(2, 3, 4, 5))
    np.testing.assert_allclose(relevance.pixel_relevance(maps), np.abs(maps).sum(-1).reshape(2, 12), rtol=1e-6)
    np.testing.assert_allclose(relevance.pixel_relevance(X), np.abs(X), rtol=1e-6)


def test_background_mass_is_the_share_on_the_background():
    background = RNG.random((4, 9)) < 0.4
    want = [sum(r[b]) / sum(r) for r, b in zip(RELEVANCE, background, strict=True)]
    np.testing.assert_allclose(relevance.background_mass(RELEVANCE, background), want, rtol=1e-6)
    assert np.isnan(relevance.background_mass(np.zeros((1, 9)), background[:1])).all()


def test_deletion_curve_equals_the_naive_loop_with_ties():
    got = relevance.deletion_curve(_probability, X, RELEVANCE, 0.25, FRACTIONS)
    for example in range(4):
        want = oracle.deletion_curve(
            lambda x: 1 / (1 + np.exp(-x @ WEIGHTS.astype(np.float64))), X[example].astype(np.float64),
            RELEVANCE[example], 0.25, FRACTIONS,
        )  # fmt: skip
        np.testing.assert_allclose(got[example], want, rtol=1e-5)


def test_deletion_removes_all_channels_of_a_pixel():
    images = RNG.normal(size=(2, 2, 2, 3)).astype(np.float32)
    seen = []
    ranks = np.array([[3.0, 0, 1, 2]] * 2, np.float32)
    relevance.deletion_curve(lambda x: seen.append(x) or x.sum((1, 2, 3)), images, ranks, 0.0, FRACTIONS[2:3])
    kept = relevance.deletion_curve(
        lambda x: (x != 0).sum((1, 2, 3)).astype(np.float32), images, ranks, 0.0, FRACTIONS[2:3]
    )
    assert (np.asarray(kept) == 6).all()


def test_deleting_what_matters_first_falls_fastest():
    at = np.linspace(0, 1, 10)

    def area(order):
        return np.asarray(relevance.area_under_curve(relevance.deletion_curve(_probability, X, order, 0.0, at), at))

    assert (area(X * WEIGHTS) < area(-X * WEIGHTS)).all()


def test_area_is_the_mean_height():
    at = np.array([0.0, 0.2, 1.0])
    values = np.array([[1.0, 0.5, 0.0], [0.3, 0.3, 0.3]])
    np.testing.assert_allclose(relevance.area_under_curve(values, at), np.trapezoid(values, at), rtol=1e-6)


def test_class_probability_is_the_softmax_at_the_class():
    logits = RNG.normal(size=(3, 4)).astype(np.float32)
    want = [np.exp(z)[y] / np.exp(z).sum() for z, y in zip(logits, (2, 0, 3), strict=True)]
    np.testing.assert_allclose(relevance.class_probability(logits, np.array([2, 0, 3])), want, rtol=1e-5)


def test_numbers_work_under_jit_and_vmap():
    background = RNG.random((2, 4, 9)) < 0.4
    maps = np.stack([RELEVANCE, RELEVANCE[::-1]])

    def numbers(maps, background):
        curve = relevance.deletion_curve(_probability, X, maps, 0.0, FRACTIONS)
        return relevance.background_mass(maps, background), relevance.area_under_curve(curve, FRACTIONS)

    together = jax.jit(jax.vmap(numbers))(maps, background)
    for got, want in zip(together, numbers(maps[1], background[1]), strict=True):
        np.testing.assert_allclose(got[1], want, rtol=1e-5)
