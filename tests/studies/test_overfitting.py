"""The study of epochs: the last epoch is the finished run, validation stays apart, results keep their shape."""

import dataclasses
import json

import numpy as np
import pytest

from miajax.campaign.config import Setup
from miajax.campaign.run import run_campaign
from miajax.errors import UserError
from miajax.metrics.figures import Figure
from miajax.studies.lira.study import run_lira
from miajax.studies.overfitting.epochs import standing_from
from miajax.studies.overfitting.study import OverfittingOptions, run_overfitting
from miajax.training.recipe import Recipe
from tests.report.browser import opened
from tests.report.folded import folded_numbers
from tests.report.html import Document
from tests.studies.helpers import small

SLOW = pytest.mark.slow

EPOCHS = 4
RECIPE = Recipe(epochs=EPOCHS, batch_size=32, schedule="constant")


def setup(**changes) -> Setup:
    return small(**{"recipe": RECIPE, "validation_fraction": 0.2, **changes})


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return run_overfitting(setup(), tmp_path_factory.mktemp("runs") / "run")


def test_accuracy_stands_where_its_rise_is_shown_to_be_small_and_stays_so():
    def rises(*ends):
        return [Figure(sum(pair) / 2, tuple(pair)) for pair in ends]

    assert standing_from(rises((0.02, 0.03), (-0.001, 0.004), (-0.002, 0.001)), 0.005) == 1
    assert standing_from(rises((0.02, 0.03), (-0.011, 0.014), (-0.012, 0.011)), 0.005) is None, "too few models to say"
    assert standing_from(rises((0.001, 0.002), (-0.001, 0.006), (-0.002, 0.001)), 0.005) == 2, "it dips once more"
    assert standing_from(rises((-0.05, -0.04)), 0.005) == 0


@SLOW
def test_lira_after_the_last_epoch_is_the_lira_of_the_finished_run(found):
    lira = run_lira(found.campaign.setup, found.campaign.folder.path)
    for name, entry in found.results["attacks"].items():
        finished = lira.results["attacks"][name]
        assert entry["auc"][-1] == pytest.approx(finished["auc"], abs=1e-5), name
        for fpr in ("0.001", "0.01"):
            assert entry["tpr_at_fpr"][fpr][-1] == pytest.approx(finished["tpr_at_fpr"][fpr], abs=2e-3), name
    assert found.results["accuracy"]["non_member"][-1] == pytest.approx(lira.results["test_accuracy"])
    assert found.results["gap"][-1] == pytest.approx(lira.results["generalization_gap"])


@SLOW
def test_results_keep_their_shape(found):
    results = json.loads((found.folder / "results.json").read_text())
    assert results["epochs"] == list(range(1, EPOCHS + 1))
    for side in ("member", "non_member"):
        assert len(results["accuracy"][side]) == EPOCHS
        assert all(low <= value <= high for value, (low, high) in
                   zip(results["accuracy"][side], results["accuracy"][f"{side}_ci"], strict=True))  # fmt: skip
    assert len(results["accuracy"]["validation"]) == len(results["loss"]["validation"]) == EPOCHS
    for figure in ("accuracy", "loss"):
        for side in ("member", "non_member", "validation"):
            values, ends = results[figure][side], results[figure][f"{side}_ci"]
            assert all(low <= value <= high for value, (low, high) in zip(values, ends, strict=True)), (figure, side)
    assert list(results["attacks"]) == ["global_threshold", "gap", "lira_online", "lira_online_fixed"]
    for entry in results["attacks"].values():
        assert len(entry["auc"]) == len(entry["advantage"]) == len(entry["tpr_at_fpr"]["0.01"]) == EPOCHS
        assert np.shape(entry["auc_ci"]) == (EPOCHS, 2)
    shown = results["histograms"]
    assert shown["epochs"][0] == 1 and shown["epochs"][-1] == EPOCHS
    widths = np.diff(shown["edges"])
    np.testing.assert_allclose([np.dot(density, widths) for density in shown["member"]], 1.0)
    stopping = results["early_stopping"]
    assert set(stopping["rules"]) == {"validation_loss", "validation_accuracy"}
    assert 1 <= stopping["rules"]["validation_loss"]["epoch_min"] <= stopping["rules"]["validation_loss"]["epoch_max"]


@SLOW
def test_stopping_at_the_last_epoch_changes_nothing_and_before_it_is_that_epoch(found, tmp_path):
    """Validation losses are written by hand into a copy of the run: every model is best after the second epoch."""
    run_campaign(setup(keep=("losses", "margins")), tmp_path / "run")
    for best, place in ((EPOCHS, -1), (2, 1)):
        loss = np.abs(np.arange(1, EPOCHS + 1) - best)[None].repeat(16, 0).astype(np.float32)
        again = _with_validation(tmp_path / "run", loss)
        rule = again["early_stopping"]["rules"]["validation_loss"]
        assert rule["epoch_mean"] == best and again["early_stopping"]["best_epoch"] == best
        for name, entry in rule["attacks"].items():
            assert entry["auc"] == pytest.approx(again["attacks"][name]["auc"][place])
        change = rule["change"]["attacks"]["lira_online"]["auc"]
        auc = again["attacks"]["lira_online"]["auc"]
        assert change["value"] == pytest.approx(auc[place] - auc[-1])
        assert change["ci"][0] <= change["value"] <= change["ci"][1]


def _with_validation(path, loss):
    """Results of a run whose recorded validation losses are replaced; its hashes follow."""
    from miajax.runs.atomic import hash_of, read_sealed, write_sealed

    for group in (path / "groups").iterdir():
        np.save(group / "validation_loss.npy", loss)
        record = read_sealed(group / "group.json")
        record["sha256"][f"groups/{group.name}/validation_loss.npy"] = hash_of(group / "validation_loss.npy")
        write_sealed(group / "group.json", record)
    return run_overfitting(setup(keep=("losses", "margins")), path).results


@SLOW
def test_the_validation_part_never_meets_an_attacks_non_members(found, tmp_path):
    """Nonsense in the validation part changes its own curve and nothing that any attack is judged by."""
    data = found.campaign.setup.dataset
    rows = {row.tobytes() for row in data.features}
    assert not rows & {row.tobytes() for row in data.validation_features}, "digits has no copies: they would be shared"
    assert found.campaign.member.shape[1] == len(data.features) == 240 and len(data.validation_labels) == 60
    assert found.results["num_non_members"] == 16 * 120

    nonsense = dataclasses.replace(
        data, validation_features=data.validation_features[::-1] * 0 + 7, validation_labels=data.validation_labels[::-1]
    )
    other = run_overfitting(dataclasses.replace(setup(), dataset=nonsense), tmp_path / "run").results
    assert other["accuracy"]["validation"] != found.results["accuracy"]["validation"]
    for part in ("attacks", "gap", "histograms"):
        assert other[part] == found.results[part]
    assert other["accuracy"]["non_member"] == found.results["accuracy"]["non_member"]


@SLOW
def test_running_again_trains_nothing_and_finds_the_same(found):
    again = run_overfitting(setup(), found.campaign.folder.path)
    assert again.campaign.trained == 0
    without = lambda results: {name: value for name, value in results.items() if name not in ("timing", "made")}  # noqa: E731
    assert without(again.results) == without(found.results)


@SLOW
def test_without_a_validation_part_early_stopping_is_not_judged(tmp_path):
    results = run_overfitting(setup(validation_fraction=0.0), tmp_path / "run").results
    assert results["early_stopping"] is None and results["accuracy"]["validation"] is None
    assert any("set aside" in note for note in results["notes"])
    assert "early stopping is not judged" in (tmp_path / "run" / "overfitting" / "report.html").read_text()


@SLOW
def test_what_cannot_be_studied_is_told_before_training(tmp_path):
    stops = setup(recipe=dataclasses.replace(RECIPE, early_stopping=2))
    with pytest.raises(UserError, match="early_stopping 2"):
        run_overfitting(stops, tmp_path / "run")
    with pytest.raises(UserError, match="margin 0"):
        OverfittingOptions(margin=0.0)
    with pytest.raises(UserError, match="histogram_epochs 9"):
        run_overfitting(setup(), tmp_path / "run", OverfittingOptions(histogram_epochs=(9,)))
    assert not (tmp_path / "run").exists()
    run_campaign(setup(), tmp_path / "bare")
    with pytest.raises(UserError, match="--keep losses margins"):
        run_overfitting(setup(), tmp_path / "bare")


@SLOW
def test_the_report_is_whole_in_a_browser(found, tmp_path):
    report = found.folder / "report.html"
    document = Document(report.read_text())
    assert "nan" not in document.text.lower().split() and "None" not in document.text
    assert folded_numbers(report.read_text()) == []
    pictures, missing, errors = opened(report, tmp_path)
    assert pictures >= 6 and not missing and not errors
