"""Private campaigns: their flags, their secret, what they have spent, and one ensemble for a sweep."""

import dataclasses
import json
import math
from pathlib import Path

import flax.linen as nn
import numpy as np
import pytest

from miajax.campaign.config import CampaignConfig, Setup, plain
from miajax.campaign.privacy import PrivacyFlags, privacy_note, privacy_record
from miajax.campaign.run import run_campaign
from miajax.campaign.stored import stored_config
from miajax.data.registry import DataOptions
from miajax.defenses.treatment import down_weight
from miajax.errors import UserError
from miajax.models.model import from_linen
from miajax.models.registry import ModelOptions
from miajax.report import privacy_words
from miajax.runs.atomic import write_sealed
from miajax.runs.exports import ExportFormat, export_run
from miajax.runs.folder import RunFolder
from miajax.studies import common
from miajax.studies.lira.study import run_lira
from miajax.training.dp import accounting
from miajax.training.dp.mechanism import Privacy
from miajax.training.dp.noise import KEY_FILE
from miajax.training.recipe import Recipe
from tests.studies.helpers import command, small
from tests.training.helpers import digits

NOISY = PrivacyFlags(dp_noise_multiplier=1.0, dp_clip_norm=0.5)
PUBLIC = dataclasses.replace(NOISY, dp_reproducible_noise=True)


def private(num_shadows: int = 4, privacy: PrivacyFlags = NOISY, **changes):
    return small(num_shadows, model_options=ModelOptions(widths=(8,)), privacy=privacy, **changes)


def test_flags_are_the_settings_of_private_training_under_a_prefix():
    flags = {field.name: field.default for field in dataclasses.fields(PrivacyFlags)}
    assert flags == {f"dp_{field.name}": field.default for field in dataclasses.fields(Privacy)}
    privacy = Privacy(epsilon=3.0, clip_norm=0.1, overflow="microbatch")
    assert PrivacyFlags.of(privacy).asked() == privacy
    assert PrivacyFlags().asked() is None


def test_settings_of_a_private_training_that_nobody_asked_for_are_refused():
    with pytest.raises(UserError, match=r"--dp_clip_norm 0\.5 without private training"):
        CampaignConfig(privacy=PrivacyFlags(dp_clip_norm=0.5))


def test_an_infinite_budget_survives_the_run_folder(tmp_path):
    config = CampaignConfig(privacy=PrivacyFlags(dp_epsilon=math.inf))
    RunFolder.create(tmp_path, {}, {})
    write_sealed(tmp_path / "config.json", plain(dataclasses.asdict(config)))
    assert stored_config(tmp_path) == config


def test_a_campaign_without_privacy_keeps_its_fingerprint():
    assert "privacy" not in small(2).identity()


def test_weights_of_examples_are_refused_under_privacy():
    weighed = down_weight(np.arange(300) < 30, 0.1)
    with pytest.raises(UserError, match="down_weight weighs examples"):
        Setup.of(private(2).config, treatment=weighed)
    assert small(2).config.privacy.asked() is None
    Setup.of(small(2).config, treatment=weighed)


@pytest.mark.slow
def test_an_infinite_budget_draws_no_noise_and_promises_nothing(tmp_path):
    campaign = run_campaign(private(2, PrivacyFlags(dp_epsilon=math.inf)), tmp_path / "run")
    privacy = common.campaign_privacy(campaign)
    assert not campaign.setup.trainer.private.noisy
    assert privacy["epsilon"] is None and privacy["noise_multiplier"] == 0
    assert "no privacy guarantee" in " ".join(common.campaign_notes(campaign))


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("private") / "run"
    run_lira(private(), folder)
    return folder


@pytest.mark.slow
def test_results_and_manifest_say_what_was_spent_and_what_it_rests_on(finished):
    results = json.loads((finished / "results.json").read_text())
    privacy, mechanism = results["privacy"], private().mechanisms[0]
    assert privacy["private_steps"] == [mechanism.steps] * 4
    assert privacy["epsilon_per_model"] == [mechanism.epsilon(mechanism.steps)] * 4
    assert privacy["epsilon"] == privacy["planned_epsilon"]
    manifest = RunFolder.open(finished).manifest
    assert manifest["mechanisms"] == [mechanism.record()]
    assert manifest["clipping"]
    report = (finished / "report.html").read_text()
    assert "Differential privacy" in report and "add or remove one example" in report
    assert "gives the same bits" not in report


@pytest.mark.slow
def test_the_secret_is_in_no_other_file_of_the_run_or_of_an_export(finished, tmp_path):
    formats: tuple[ExportFormat, ...] = ("lira2021", "privacy_meter", "tf_privacy", "sklearn")
    for format in formats:
        export_run(finished, format, tmp_path / format)
    secret = (finished / KEY_FILE).read_bytes()[:8]  # the rest is its check
    words = np.frombuffer(secret, np.uint32)
    forms = {secret, secret[::-1], secret.hex().encode(), *(str(word).encode() for word in words)}
    files = [file for root in (finished, tmp_path) for file in root.rglob("*") if file.is_file()]
    assert sum(file.name == KEY_FILE for file in files) == 1
    for file in files:
        if file.name != KEY_FILE:
            content = file.read_bytes()
            assert not any(form in content for form in forms), file


@pytest.mark.slow
def test_a_run_grows_under_its_own_secret_and_not_under_another_mechanism(finished):
    before = RunFolder.open(finished).gather("signals", 4)
    grown = run_campaign(private(6), finished)
    assert grown.trained == 2
    np.testing.assert_array_equal(grown.signals[:4], before)
    with pytest.raises(UserError, match="clip_norm"):
        run_campaign(private(6, dataclasses.replace(NOISY, dp_clip_norm=1.0)), finished)


@pytest.mark.slow
def test_a_run_of_an_earlier_calibration_goes_on_with_its_own_noise_and_says_what_that_spends(tmp_path, monkeypatch):
    asked = PrivacyFlags(dp_epsilon=3.0, dp_reproducible_noise=True)
    monkeypatch.setattr(accounting, "calibrated_noise", lambda *_: 1.25)
    before = run_campaign(private(2, dataclasses.replace(asked, dp_accountant="pld")), tmp_path / "run")
    monkeypatch.undo()
    grown = run_campaign(private(4, asked), tmp_path / "run")
    assert private(4, asked).mechanisms[0].step.noise_multiplier != 1.25
    assert grown.trained == 2 and grown.setup.mechanisms[0].step.noise_multiplier == 1.25
    np.testing.assert_array_equal(grown.signals[:2], before.signals)
    spends = common.campaign_privacy(grown)["epsilon"]
    assert spends == before.setup.mechanisms[0].epsilon(before.setup.mechanisms[0].steps) > 3.0
    assert any("earlier version" in note and f"{spends:.4g} of 3" in note for note in grown.notes)


def test_folders_of_runs_without_privacy_load_with_the_accountant_that_was_the_default():
    assert CampaignConfig(privacy=PrivacyFlags(dp_accountant="pld")).privacy.asked() is None
    with pytest.raises(UserError, match="--dp_accountant rdp without private training"):
        CampaignConfig(privacy=PrivacyFlags(dp_accountant="rdp"))


def test_the_guarantee_names_what_was_read_off_the_data_at_hand(tmp_path):
    rows = "".join(f"{i % 7},{'ab'[i % 2]},{'xyz'[i % 3]}\n" for i in range(90))
    (tmp_path / "people.csv").write_text("age,city,outcome\n" + rows)
    for bounds, scaled in ((None, True), ("0,10", False)):
        data = DataOptions(str(tmp_path / "people.csv"), label_column="outcome", feature_bounds=bounds)
        setup = private(2, dataset="table", data=data, recipe=Recipe(epochs=1, batch_size=16))
        steps = np.array([setup.mechanisms[0].steps])
        told = privacy_record(setup.mechanisms[0], steps, setup.told_by_preparation())["not_covered"]
        assert any("deviations that these columns are scaled by" in line and "age" in line for line in told) == scaled
        assert any("categories" in line and "city" in line for line in told)
        assert "floating-point arithmetic" in told and not any("images" in line for line in told)


def test_bounds_of_pixels_are_part_of_what_a_run_depends_on():
    plain_run, scaled = small(2), small(2, data=DataOptions(max_examples=300, feature_bounds="0,1"))
    assert "scaling" not in plain_run.identity()
    assert plain_run.identity()["content_hash"] != scaled.identity()["content_hash"]
    pictures = np.random.default_rng(0).integers(0, 255, (60, 8, 8, 1)).astype(np.uint8)
    data = dataclasses.replace(digits(60), features=pictures, image_shape=(8, 8, 1))
    one, other = (
        Setup.of(small(2, data=DataOptions(feature_bounds=asked), recipe=Recipe(1, 16)).config, data)
        for asked in ("0,255", "0,200")
    )
    assert one.identity()["content_hash"] == other.identity()["content_hash"]
    assert one.identity()["scaling"] != other.identity()["scaling"]


def test_noise_that_nothing_bounds_is_not_called_no_noise():
    mechanism = private(2, PrivacyFlags(dp_noise_multiplier=1e-9)).mechanisms[0]
    record = privacy_record(mechanism, np.array([mechanism.steps]))
    assert record["epsilon"] is None and "too little" in privacy_note(record)
    assert "too little" in privacy_words.privacy_sections(record)[0].finding


@pytest.mark.slow
def test_noise_that_follows_from_the_seed_repeats_and_secret_noise_does_not(finished, tmp_path):
    first, again = (run_campaign(private(2, PUBLIC), tmp_path / name) for name in ("first", "again"))
    np.testing.assert_array_equal(first.signals, again.signals)
    assert not (tmp_path / "first" / KEY_FILE).exists()
    assert "not for release" in " ".join(common.campaign_notes(first))
    secret = run_campaign(private(2), tmp_path / "secret")
    assert (secret.signals != RunFolder.open(finished).gather("signals", 2)).any()


@pytest.mark.slow
def test_a_sweep_of_two_equals_two_single_runs(tmp_path):
    loud = Privacy(noise_multiplier=4.0, clip_norm=0.1, reproducible_noise=True)
    both = dataclasses.replace(private(4, PUBLIC).config, privacy=PrivacyFlags())
    sweep = run_campaign(Setup.of(both, privacies=[PUBLIC.asked(), loud]), tmp_path / "both")
    first = run_campaign(private(4, PUBLIC), tmp_path / "first")
    second = run_campaign(private(4, PrivacyFlags.of(loud)), tmp_path / "second")
    np.testing.assert_array_equal(sweep.signals[::2], first.signals[::2])
    np.testing.assert_array_equal(sweep.signals[1::2], second.signals[1::2])
    assert (first.signals[1::2] != second.signals[1::2]).any()
    with pytest.raises(UserError, match="another configuration"):
        run_campaign(private(4, PUBLIC), tmp_path / "both")


@pytest.mark.slow
def test_early_stopping_spends_what_ran_and_answers_for_what_was_planned(tmp_path):
    recipe = Recipe(epochs=8, batch_size=32, early_stopping=1)
    loud = PrivacyFlags(dp_noise_multiplier=100.0)
    campaign = run_campaign(private(4, loud, recipe=recipe, validation_fraction=0.2), tmp_path / "run")
    privacy, mechanism = common.campaign_privacy(campaign), campaign.setup.mechanisms[0]
    assert min(privacy["private_steps"]) < mechanism.steps
    assert privacy["epsilon_per_model"] == [mechanism.epsilon(steps) for steps in privacy["private_steps"]]
    assert max(privacy["epsilon_per_model"]) <= privacy["epsilon"] == privacy["planned_epsilon"]


class Grouped(nn.Module):
    """A convolution under GroupNorm, as De et al. 2022 train them."""

    @nn.compact
    def __call__(self, x, train):
        x = nn.relu(nn.GroupNorm(num_groups=2)(nn.Conv(4, (3, 3), strides=(2, 2))(x)))
        return nn.Dense(10)(x.reshape(len(x), -1))


@pytest.mark.slow
def test_the_recipe_of_de_et_al_is_a_matter_of_flags(tmp_path):
    """Views of each example, a moving average, and batches worked off in parts."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (120, 8, 8, 1)).astype(np.uint8)
    data = dataclasses.replace(digits(120), features=pictures, image_shape=(8, 8, 1))
    flags = dataclasses.replace(NOISY, dp_augmentation_multiplicity=2, dp_microbatch=8)
    recipe = Recipe(epochs=2, batch_size=24, shift=1, flip=True, ema=0.9)
    config = dataclasses.replace(small(2).config, privacy=flags, recipe=recipe)
    campaign = run_campaign(Setup.of(config, data, from_linen(Grouped(), "grouped")), tmp_path / "run")
    mechanism = campaign.setup.mechanisms[0]
    assert (mechanism.views, mechanism.block) == (2, 8) and mechanism.width > 8
    assert campaign.setup.trainer.private.plan.fallback is None
    assert campaign.valid.all() and (campaign.private_steps == mechanism.steps).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--model", "resnet20", "--dp_epsilon", "8", "--dataset", "fashion_mnist"], "GroupNorm"),
        (["--dp_epsilon", "8", "--dp_noise_multiplier", "1"], "exactly one of the two"),
        (["--dp_epsilon", "8", "--mixup", "0.2"], "--mixup"),
        (["--dp_clip_norm", "2"], "without private training"),
    ],
)
def test_what_breaks_the_guarantee_is_one_line_and_exit_status_2(tmp_path, flags, told):
    ended = command("--num_shadows", "2", "--out", str(tmp_path / "run"), *flags)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1 and told in ended.stderr
    assert not (tmp_path / "run").exists()
