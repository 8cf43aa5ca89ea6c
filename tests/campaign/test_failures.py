"""Groups that cannot be trained are named and left out, or refused where there is nothing else."""

import dataclasses

import jax
import numpy as np
import pytest

from miajax.campaign import failures, group_trainer
from miajax.campaign import run as campaign_module
from miajax.campaign.recorded import recorded_signals
from miajax.campaign.run import run_campaign
from miajax.errors import UserError
from miajax.models.registry import ModelOptions
from tests.studies.helpers import small


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return run_campaign(small(32, group=16), tmp_path_factory.mktemp("failures") / "r")


def failing(monkeypatch, message: str, at: int):
    """Training fails from the group that begins at model ``at``."""
    real = campaign_module.NetworkRunner._one_group

    def one_group(self, models, width, stop):
        if models.start == at:
            raise jax.errors.JaxRuntimeError(message)
        return real(self, models, width, stop)

    monkeypatch.setattr(campaign_module.NetworkRunner, "_one_group", one_group)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("RESOURCE_EXHAUSTED: Out of memory allocating 99 bytes.", "no memory for it"),
        ("INTERNAL: the compiler has crashed", "INTERNAL: the compiler has crashed"),
    ],
)
def test_a_campaign_goes_on_without_a_group_that_cannot_be_trained(undisturbed, tmp_path, monkeypatch, message, why):
    failing(monkeypatch, message, at=16)
    campaign = run_campaign(small(32, group=16), tmp_path / "r")
    np.testing.assert_array_equal(campaign.valid, np.arange(32) < 16)
    np.testing.assert_array_equal(campaign.signals[:16], undisturbed.signals[:16])
    assert np.isnan(campaign.signals[16:]).all()
    assert f"Models {', '.join(map(str, range(16, 32)))} failed: {why}." in campaign.notes
    signals = recorded_signals(campaign)
    assert signals.logits is not None and np.isnan(signals.logits[16:]).all()
    monkeypatch.undo()
    again = run_campaign(small(32, group=16), tmp_path / "r")
    assert again.trained == 0 and again.notes == campaign.notes, "what is said of them stays with the run"


def test_strict_makes_failed_models_an_error_that_names_them_and_why(tmp_path, monkeypatch):
    failing(monkeypatch, "INTERNAL: the compiler has crashed", at=16)
    with pytest.raises(UserError, match=r"16 models failed \(16, 17, .*model 16: INTERNAL.*--strict.*--no_strict"):
        run_campaign(small(32, group=16, strict=True), tmp_path / "r")
    assert run_campaign(small(32, group=16), tmp_path / "r").valid.sum() == 16


def test_where_no_group_can_be_trained_the_campaign_is_refused_with_the_reason(tmp_path, monkeypatch):
    failing(monkeypatch, "INTERNAL: the compiler has crashed", at=0)
    with pytest.raises(UserError, match=r"no group of mlp could be trained \(INTERNAL: the compiler has crashed\)"):
        run_campaign(small(32, group=16), tmp_path / "r")


def test_the_smallest_group_that_does_not_fit_is_refused_with_need_and_free_memory(tmp_path, monkeypatch):
    class Large(group_trainer.Programs):
        def device_bytes(self):
            return 3_000_000_000

    monkeypatch.setattr(group_trainer, "Programs", Large)
    monkeypatch.setattr(group_trainer, "free_memory", lambda device: 2_000_000_000)
    with pytest.raises(
        UserError, match=r"the smallest group, 16 models of mlp, .*needs 3\.00 GB .* and 2\.00 GB are free"
    ):
        run_campaign(small(32, group=32), tmp_path / "r")


def test_a_model_of_which_one_does_not_fit_is_refused_before_anything_is_compiled(tmp_path, monkeypatch):
    monkeypatch.setattr(failures, "free_memory", lambda device: 1_000_000_000)
    setup = small(16, chunk=1)
    huge = dataclasses.replace(setup.config, model_options=ModelOptions(widths=(200_000, 200_000)))
    with pytest.raises(UserError, match=r"training 1 model of mlp on a device needs \d+\.\d\d GB .* 1\.00 GB are free"):
        run_campaign(type(setup).of(huge), tmp_path / "r")
    assert not (tmp_path / "r").exists()
