import functools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from miajax.saliency import cam, gradients, integrated
from tests.oracles import saliency as oracle
from tests.saliency.networks import Linear, Smooth, built, closed, images

X, Y = images()
KEYS = jax.random.split(jax.random.key(3), len(X))
MAPS = {
    "gradient": gradients.gradient,
    "gradient_times_input": gradients.gradient_times_input,
    "smooth_grad": partial(gradients.smooth_grad, keys=KEYS, samples=4),
    "integrated_gradients": partial(integrated.integrated_gradients, steps=4),
    "integrated_gradients_within": lambda *given: integrated.integrated_gradients_within(*given, steps=4)[0],
}


def _close(got, want, tolerance=2e-5):
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


def _wide(params):
    return jax.tree.map(lambda a: np.asarray(a, np.float64), params)


@functools.cache
def _compiled(name):
    """``(params, x, y) -> maps`` of the smooth network, compiled once for all tests."""
    model, map_of = built(Smooth())[0], (MAPS | {"grad_cam": cam.grad_cam})[name]
    return jax.jit(lambda params, x, y: map_of(closed(model, params), x, y))


def test_gradient_equals_finite_differences():
    _, params, logits_of = built(Smooth())
    for example in range(2):
        want = oracle.finite_differences(
            lambda image, y=Y[example]: oracle.logit(_wide(params), image, y), X[example].astype(np.float64)
        )
        _close(gradients.gradient(logits_of, X, Y)[example], want)
        _close(gradients.gradient_times_input(logits_of, X, Y)[example], want * X[example])
        _close(gradients.gradient_times_input(logits_of, X, Y, -0.4)[example], want * (X[example] + 0.4))


def test_smooth_grad_is_the_mean_gradient_over_its_noisy_copies():
    _, _, logits_of = built(Smooth())
    got = gradients.smooth_grad(logits_of, X, Y, KEYS, noise=0.2, samples=3)
    want = []
    for sample in range(3):
        noise = [jax.random.normal(jax.random.fold_in(key, sample), X.shape[1:]) for key in KEYS]
        copies = np.stack([x + 0.2 * (x.max() - x.min()) * np.asarray(n) for x, n in zip(X, noise, strict=True)])
        want.append(gradients.gradient(logits_of, copies, Y))
    _close(got, np.mean(want, 0))


def test_smooth_grad_without_noise_is_the_gradient():
    _, _, logits_of = built(Smooth())
    _close(gradients.smooth_grad(logits_of, X, Y, KEYS, noise=0.0, samples=3), gradients.gradient(logits_of, X, Y))


@pytest.mark.parametrize("baseline", [0.0, 0.3])
def test_integrated_gradients_are_the_midpoint_sum(baseline):
    _, _, logits_of = built(Smooth())
    want = sum(gradients.gradient(logits_of, baseline + (s + 0.5) / 5 * (X - baseline), Y) for s in range(5)) / 5
    _close(integrated.integrated_gradients(logits_of, X, Y, baseline, steps=5), want * (X - baseline))


def test_maps_of_a_linear_model_are_its_weights():
    _, params, logits_of = built(Linear())
    weights = np.asarray(params["Dense_0"]["kernel"]).T.reshape(-1, *X.shape[1:])[Y]
    _close(MAPS["gradient"](logits_of, X, Y), weights)
    _close(MAPS["smooth_grad"](logits_of, X, Y), weights)
    _close(MAPS["gradient_times_input"](logits_of, X, Y, 0.5), weights * (X - 0.5))
    _close(MAPS["integrated_gradients"](logits_of, X, Y, 0.5), weights * (X - 0.5))


@pytest.mark.parametrize("relu", [False, True])
def test_integrated_gradients_add_up_to_the_change_of_the_logit(relu):
    _, _, logits_of = built(Smooth(relu), seed=2)
    size = np.abs(np.asarray(logits_of(X))[np.arange(len(Y)), Y])
    assert (size > 1e-3).all()  # float32 cannot resolve a thousandth of less
    maps, steps = integrated.integrated_gradients_within(logits_of, X, Y, -1.0, steps=4)
    assert (np.asarray(integrated.completeness_gap(logits_of, X, Y, maps, -1.0)) <= 1e-3 * size).all()
    coarse = integrated.integrated_gradients(logits_of, X, Y, -1.0, steps=4)
    gap = integrated.completeness_gap(logits_of, X, Y, coarse, -1.0)
    assert ((np.asarray(gap) <= 1e-3 * size) == (np.asarray(steps) == 4)).all() and (np.asarray(steps) > 4).any()


def test_added_points_give_the_midpoint_rule_of_as_many_points_example_by_example():
    _, _, logits_of = built(Smooth(relu=True))
    maps, steps = integrated.integrated_gradients_within(logits_of, X, Y, -1.0, tolerance=2e-2, steps=4, most_steps=40)
    assert set(np.asarray(steps).tolist()) <= {4, 12, 36} and len(set(np.asarray(steps).tolist())) > 1
    for example, points in enumerate(np.asarray(steps)):
        want = integrated.integrated_gradients(logits_of, X, Y, -1.0, steps=int(points))[example]
        _close(maps[example], want)


def test_completeness_gap_is_what_is_missing():
    _, _, logits_of = built(Linear())
    maps = integrated.integrated_gradients(logits_of, X, Y)
    _close(integrated.completeness_gap(logits_of, X, Y, maps.at[:, 0, 0, 0].add(0.25)), 0.25, 1e-4)


@pytest.mark.parametrize("name", MAPS)
def test_a_zero_gradient_gives_a_zero_map(name):
    flat = lambda x: jnp.zeros((len(x), 4)) + 0.0 * x.sum()  # noqa: E731
    assert (np.asarray(MAPS[name](flat, X, Y)) == 0).all()
    constant = np.full_like(X, 0.5)  # no range: SmoothGrad has nothing to scale its noise by
    assert np.isfinite(_compiled(name)(built(Smooth())[1], constant, Y)).all()


@pytest.mark.parametrize("name", MAPS)
def test_a_map_does_not_depend_on_its_batch_mates(name):
    _, params, _ = built(Smooth())
    others = np.roll(X, 1, 0) * 3
    others[2] = X[2]
    _close(_compiled(name)(params, others, Y)[2], _compiled(name)(params, X, Y)[2])


@pytest.mark.parametrize("name", MAPS)
def test_maps_of_many_models_are_the_maps_of_each(name):
    _, params, _ = built(Smooth())
    _, other, _ = built(Smooth(), seed=7)
    both = jax.tree.map(lambda a, b: jnp.stack([a, b]), params, other)
    maps = jax.jit(jax.vmap(_compiled(name), in_axes=(0, None, None)))(both, X, Y)
    _close(maps[0], _compiled(name)(params, X, Y))
    _close(maps[1], _compiled(name)(other, X, Y))


@pytest.mark.parametrize("name", [*MAPS, "grad_cam"])
def test_randomising_weights_from_the_top_down_changes_the_map(name):
    """Adebayo et al. 2018 (arXiv 1810.03292): a map that survives it does not show the model.

    Rank correlations of maps with those under other weights, without signs, over images and five random draws:
    below 0.7 once the last layer is random, and near those of unrelated maps of 30 or 60 pixels once all layers are.
    """
    _, params, _ = built(Smooth())
    plain = _rows(name, params)
    top, whole = [], []
    for seed in range(11, 16):
        _, fresh, _ = built(Smooth(), seed=seed)
        top.append(_likeness(plain, _rows(name, {**params, "Dense_0": fresh["Dense_0"]})))
        whole.append(_likeness(plain, _rows(name, fresh)))
    assert _likeness(plain, plain) == pytest.approx(1.0)
    assert np.mean(whole) < 0.25 and np.mean(whole) < np.mean(top) < 0.7


def _rows(name, params):
    return np.asarray(_compiled(name)(params, X, Y)).reshape(len(X), -1)


def _likeness(maps, others):
    """Mean absolute rank correlation, image by image; a map without any relevance is like no other."""
    pairs = [(a, b) for a, b in zip(maps, others, strict=True) if np.ptp(a) and np.ptp(b)]
    return sum(abs(stats.spearmanr(a, b).statistic) for a, b in pairs) / len(maps)
