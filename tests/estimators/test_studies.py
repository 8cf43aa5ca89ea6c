"""Studies of a run of estimators: figures, saturation, what is refused."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.recorded import recorded_signals
from miajax.data.registry import DataOptions
from miajax.errors import UserError
from miajax.models.registry import ModelOptions
from miajax.runs.exports import export_run
from miajax.runs.imports import read_signals
from miajax.studies.attacks.study import AttacksOptions, run_attacks_study
from miajax.studies.lira.study import run_lira

FOREST = "sklearn.ensemble:RandomForestClassifier"


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    config = CampaignConfig(
        data=DataOptions(max_examples=500), model=FOREST, num_shadows=6, group=4,
        model_options=ModelOptions(model_args='{"n_estimators": 10}'),
    )  # fmt: skip
    return run_lira(Setup.of(config), tmp_path_factory.mktemp("runs") / "run")


def test_a_run_of_estimators_is_exported_as_any_other(studied, tmp_path):
    export_run(studied.folder, "lira2021", tmp_path / "out")
    keep = np.load(tmp_path / "out" / "experiment-5_6" / "keep.npy")
    np.testing.assert_array_equal(keep, studied.campaign.member[5])


@pytest.mark.parametrize("layout", ["lira2021", "privacy_meter", "tf_privacy"])
def test_what_was_exported_of_estimators_can_be_imported(studied, tmp_path, layout):
    """Their signals are clipped and their logits are not."""
    export_run(studied.folder, layout, tmp_path / "out")
    found = read_signals(tmp_path / "out", layout)
    np.testing.assert_array_equal(found.member, studied.campaign.member)


def labels_probability(campaign) -> np.ndarray:
    """``[M, N]`` from the stored log-probabilities."""
    rows = np.exp(campaign.folder.gather("logits", len(campaign.valid))[:, :, 0].astype(np.float64))
    return rows[:, np.arange(rows.shape[1]), campaign.setup.dataset.labels]


def test_results_hold_the_clip_and_the_shares_at_it(studied):
    found, p = studied.results["saturation"], labels_probability(studied.campaign)
    assert (found["clip"], found["rule"], found["votes"], found["kind"]) == (0.05, "votes", 10, "probabilities")
    assert found["share_high"] == pytest.approx((p >= 0.95 - 1e-6).mean())
    assert found["share_low"] == pytest.approx((p <= 0.05 + 1e-6).mean())
    assert found["share_high"] > 0.05


def test_an_attack_is_measured_anew_at_every_clip(studied):
    found, p, member = studied.results["saturation"], labels_probability(studied.campaign), studied.campaign.member
    assert [each["clip"] for each in found["auc"]] == pytest.approx([0.1, 0.05, 0.01])
    for each in found["auc"]:
        clipped = np.round(np.clip(p, each["clip"], 1 - each["clip"]), 9)
        assert each["attacks"]["global_threshold"] == pytest.approx(roc_auc_score(member.ravel(), clipped.ravel()))


def test_the_note_names_the_attack_that_the_clip_moves_most(studied):
    found = studied.results["saturation"]
    here, *others = sorted(found["auc"], key=lambda each: each["clip"] != found["clip"])
    moves = {
        name: max(abs(other["attacks"][name] - value) for other in others) for name, value in here["attacks"].items()
    }
    most = max(moves, key=moves.__getitem__)
    assert found["moves_most"]["attack"] == most
    (note,) = [note for note in studied.results["notes"] if note.startswith("Answers saturate")]
    assert f"moves {most} most" in note and f"{found['moves_most']['other_auc']:.3f}" in note


def test_attacks_on_logits_read_clipped_ones_and_the_folder_keeps_them_whole(studied):
    signals = recorded_signals(studied.campaign, gradients=False)
    assert signals.logits.min() == pytest.approx(np.log(0.05 / 9), rel=1e-6)
    assert studied.campaign.folder.gather("logits", 6).min() < -100


def test_all_attacks_run_on_the_same_folder(studied):
    path = studied.campaign.folder.path
    found = run_attacks_study(studied.campaign.setup, path, AttacksOptions(outlier_metric=None))
    assert found.results["made"]["models_here"] == 0
    assert {"lira_online", "rmia_offline", "base_online", "entropy"} <= set(found.results["attacks"])
    assert found.results["attacks_not_run"]["gradient_norm"].startswith("needs gradient_norm")
    assert {"entropy", "rmia_offline"} <= set(found.results["saturation"]["auc"][0]["attacks"])


def test_networks_have_no_clip(tmp_path):
    config = CampaignConfig(data=DataOptions(max_examples=200), num_shadows=2)
    config = dataclasses.replace(config, recipe=dataclasses.replace(config.recipe, epochs=1, batch_size=16))
    assert "saturation" not in run_lira(Setup.of(config), tmp_path / "run").results


def test_studies_of_networks_refuse_by_name(studied):
    from miajax.studies.overfitting.study import run_overfitting
    from miajax.studies.saliency.study import run_saliency

    setup, path = studied.campaign.setup, studied.campaign.folder.path
    for study, what in ((run_saliency, "saliency maps"), (run_overfitting, "overfitting over epochs")):
        with pytest.raises(UserError, match=f"{what} needs a network, and --model {FOREST} is an estimator"):
            study(setup, path)


@pytest.mark.slow
def test_a_command_refuses_a_flag_of_networks_with_status_2(tmp_path):
    typed = ["--model", FOREST, "--epochs", "5", "--out", str(tmp_path / "run")]
    done = subprocess.run([sys.executable, "-m", "experiments.lira", *typed], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"error: --epochs needs a network, and --model {FOREST} is an")


def test_the_plan_names_the_packages_that_models_depend_on(studied):
    plan = json.loads((studied.folder / "manifest.json").read_text())["plan"]
    assert plan["packages"].startswith("scikit-learn ") and "numpy " in plan["packages"]
    assert plan["jax"] == ""
