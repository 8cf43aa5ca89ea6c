"""What is recorded after every epoch: as the finished models say it, and the same however training was cut."""

import jax
import numpy as np
import pytest

from miajax.campaign import runner
from miajax.campaign.epochs import early_epoch, scaled_logit_of_loss
from miajax.campaign.interrupt import Stopped
from miajax.campaign.recorded import kept_models
from miajax.campaign.run import run_campaign
from miajax.models.registry import ModelOptions
from miajax.signals.gradients import gradient_norms
from miajax.training.recipe import Recipe
from tests.studies.helpers import small

pytestmark = pytest.mark.slow

KEEP = ("logits", "losses", "margins", "early", "parameters")
FILES = ("losses", "margins", "early_logits", "early_gradient_norm", "validation_loss", "validation_accuracy")


def test_the_scaled_logit_comes_back_from_its_loss():
    phi = np.float32([-300.0, -30.0, -1.0, 0.0, 1e-3, 2.0, 15.0, 60.0])
    np.testing.assert_allclose(scaled_logit_of_loss(np.logaddexp(np.float32(0), -phi)), phi, rtol=1e-5, atol=2e-6)
    assert scaled_logit_of_loss(np.float32([0.0]))[0] == np.float32(103.6)


def test_the_early_epoch_is_a_tenth_of_the_training_and_never_before_the_first():
    assert [early_epoch(epochs) for epochs in (1, 3, 10, 30, 200)] == [1, 1, 1, 3, 20]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    setup = small(6, keep=KEEP, validation_fraction=0.2, model_options=ModelOptions(widths=(16,)))
    return run_campaign(setup, tmp_path_factory.mktemp("runs") / "recorded")


def test_the_last_epoch_is_what_the_finished_models_say(recorded):
    folder, labels = recorded.folder, recorded.setup.dataset.labels
    logits = folder.gather("logits", 6)[:, :, 0]
    own = np.take_along_axis(logits, labels[None, :, None], 2)[..., 0]
    others = np.where(np.arange(10) == labels[:, None], -np.inf, logits).max(-1)
    margins = folder.gather("margins", 6)
    assert margins.shape == (6, 3, len(labels))
    np.testing.assert_allclose(margins[:, -1], own - others, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(margins[:, -1] > 0, recorded.correct)
    phi = scaled_logit_of_loss(folder.gather("losses", 6)[:, -1])
    np.testing.assert_allclose(phi, recorded.signals[:, :, 0], rtol=1e-4, atol=1e-5)


def test_the_validation_part_is_seen_after_every_epoch(recorded):
    data, trainer = recorded.setup.dataset, recorded.setup.trainer
    params, state = kept_models(recorded)
    apply = jax.vmap(lambda p, s: trainer.model.apply(p, s, data.validation_features, False, None)[0])
    hits = np.argmax(apply(params, state), -1) == data.validation_labels
    found = recorded.folder.gather("validation_accuracy", 6)
    assert found.shape == (6, 3)
    np.testing.assert_allclose(found[:, -1], hits.mean(1), rtol=1e-6)
    assert np.isfinite(recorded.folder.gather("validation_loss", 6)).all()


def test_a_stopped_model_leaves_no_record_while_others_of_its_group_train_on(tmp_path):
    recipe = Recipe(epochs=10, batch_size=32, learning_rate=0.3, schedule="constant", early_stopping=1)
    folder = run_campaign(small(6, recipe=recipe, keep=KEEP, validation_fraction=0.2), tmp_path / "run").folder
    untrained = np.isnan(folder.gather("training_loss", 6))
    stops = (~untrained).sum(1)
    assert len(set(stops)) > 1 and stops.max() - stops.min() > 1, "models that stop at different epochs"
    for kind in ("margins", "losses"):
        np.testing.assert_array_equal(np.isnan(folder.gather(kind, 6)), untrained[:, :, None] | np.zeros(240, bool))
    for rule in ("validation_loss", "validation_accuracy"):
        np.testing.assert_array_equal(np.isnan(folder.gather(rule, 6)), untrained)


def test_early_signals_are_those_of_models_trained_so_far_only(recorded, tmp_path):
    """Of three epochs the first is the early one: models whose constant schedule ends there are the same."""
    train = lambda epochs: Recipe(epochs=epochs, batch_size=32, schedule="constant")  # noqa: E731
    options = {"validation_fraction": 0.2, "model_options": ModelOptions(widths=(16,)), "keep": KEEP}
    three = run_campaign(small(2, recipe=train(3), **options), tmp_path / "3")
    one = run_campaign(small(2, recipe=train(1), **options), tmp_path / "1")
    np.testing.assert_allclose(
        three.folder.gather("early_logits", 2), one.folder.gather("logits", 2)[:, :, 0], rtol=1e-5, atol=1e-5
    )
    data = one.setup.dataset
    norms = gradient_norms(one.setup.trainer, kept_models(one), data.features, data.labels, one.plan.placement())
    np.testing.assert_allclose(three.folder.gather("early_gradient_norm", 2), norms.parameters, rtol=1e-4, atol=1e-6)


def test_records_go_on_from_a_checkpoint(recorded, tmp_path, monkeypatch):
    class StopAfterFirstEpoch:
        def __enter__(self):
            return lambda: True

        def __exit__(self, *_):
            return False

    with monkeypatch.context() as patch:
        patch.setattr(runner, "asked_to_stop", StopAfterFirstEpoch)
        with pytest.raises(Stopped):
            run_campaign(recorded.setup, tmp_path / "r")
    resumed = run_campaign(recorded.setup, tmp_path / "r")
    for name in FILES:
        np.testing.assert_array_equal(resumed.folder.gather(name, 6), recorded.folder.gather(name, 6), err_msg=name)
