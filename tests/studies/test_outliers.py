"""The study of outliers: what was planted is found, halves keep noise apart, results and report are whole."""

import dataclasses
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from miajax.campaign.config import CampaignConfig, Setup
from miajax.data.dataset import Dataset
from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError
from miajax.metrics.vulnerability import gaussian_vulnerability
from miajax.outliers.registry import METRICS
from miajax.studies.outlier_metrics import Estimator
from miajax.studies.outliers.study import OutliersOptions, run_outliers, small_class_notes
from miajax.studies.outliers.table import OutlierTable, halves
from miajax.training.recipe import Recipe
from tests.report.browser import opened
from tests.report.html import Document

pytestmark = pytest.mark.slow

MISLABELLED, FAR, COPIES = np.arange(20, 28), np.arange(40, 43), (60, 61)
QUICK = OutliersOptions(resamples=60, geometry_models=6)


def planted(shippable: bool = True) -> Setup:
    """Digits with eight labels changed, three pictures turned to noise, and one mislabelled picture there twice."""
    digits = load_dataset("digits", DataOptions(max_examples=400))
    features, labels = digits.features.copy(), digits.labels.copy()
    labels[MISLABELLED] = (labels[MISLABELLED] + 5) % 10
    noise = np.random.default_rng(0).uniform(size=(len(FAR), *features.shape[1:])) < 0.5
    features[FAR] = np.where(noise, features.max(), features.min())
    features[COPIES[1]] = features[COPIES[0]]
    labels[list(COPIES)] = (digits.labels[COPIES[0]] + 3) % 10
    data = Dataset(features, labels, 10, "planted", image_shape=digits.image_shape, shippable=shippable)
    config = CampaignConfig(num_shadows=32, recipe=Recipe(epochs=100, batch_size=32), chunk=2)
    return Setup.of(config, data)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return run_outliers(planted(), tmp_path_factory.mktemp("runs") / "run", QUICK)


def ranks(values: np.ndarray) -> np.ndarray:
    """Places from the top, the first being 0."""
    return np.argsort(np.argsort(-np.nan_to_num(values, nan=-np.inf)))


def test_planted_mislabelled_examples_are_memorised_and_found(found):
    memorised = found.metrics["memorisation"]
    assert memorised[MISLABELLED].mean() > 0.9 and np.median(memorised) < 0.1
    for name in ("memorisation", "inconsistency", "negative_margin", "el2n", "input_knn_disagreement"):
        places = ranks(found.metrics[name])[MISLABELLED]
        assert np.median(places) < 30, (name, places)
    table = pq.read_table(found.campaign.folder.path / "per_example.parquet")
    np.testing.assert_allclose(table["metric_memorisation"].to_numpy(), memorised, rtol=1e-6)


def test_planted_far_examples_are_found(found):
    for name in ("input_knn_distance", "input_centroid_distance", "input_local_outlier_factor"):
        assert set(np.flatnonzero(ranks(found.metrics[name]) < 8)) >= set(FAR), name


def test_a_copy_is_the_strongest_influence(found):
    """Nobody learns a wrong label but from the other copy of the picture."""
    first = found.results["influence_pairs"][0]
    assert {first["example"], first["on"]} == set(COPIES) and first["influence"] > 0.4
    assert ranks(found.metrics["input_knn_distance"])[list(COPIES)].min() > 100, "a copy has a near neighbour"


def test_what_was_planted_is_vulnerable_and_a_metric_says_so(found):
    signals = np.asarray(found.campaign.signals).mean(-1)
    separation = gaussian_vulnerability(signals, found.campaign.member, found.campaign.valid).auc
    assert np.median(ranks(separation)[MISLABELLED]) < 40
    entry = found.results["metrics"]["memorisation"]
    assert entry["auc_top_1pct"] > 0.7 and entry["spearman_ci"][0] < entry["spearman"] < entry["spearman_ci"][1]


def test_results_keep_their_shape(found):
    results = json.loads((found.folder / "results.json").read_text())
    names = {f"{space}_{name}" for name, metric in METRICS.items() if metric.family == "geometry"
             for space in ("input", "feature", "logit")}  # fmt: skip
    names |= {name for name, metric in METRICS.items() if metric.family != "geometry"}
    assert set(results["metrics"]) | set(results["metrics_not_run"]) == names and len(results["metrics"]) > 30
    for entry in results["metrics"].values():
        for of in (entry, entry["easy"], entry["hard"], entry["named_share"]):
            for figure in ("spearman", "precision_at_1pct", "auc_top_1pct"):
                if of[figure] is not None:
                    low, high = of[f"{figure}_ci"]
                    assert low <= of[figure] <= high
        assert set(entry["same_models"]) == {"spearman", "precision_at_1pct", "auc_top_1pct"}
    for figure, best in results["best"]["all"].items():
        assert best["value"] == max(entry[figure] for entry in results["metrics"].values() if entry[figure] is not None)
        assert best["metric"] not in best["not_told_apart"]
    assert results["outliers_by_fit"]["all"]["num_examples"] == results["vulnerability"]["num_examples"]


def test_noise_that_metric_and_vulnerability_share_helps_nobody():
    """Models that leak nothing: on the same models 'vulnerability' foretells itself, across halves it does not."""
    rng = np.random.default_rng(0)
    member, phi = rng.random((64, 400)) < 0.5, rng.normal(size=(64, 400))
    separation = lambda valid: gaussian_vulnerability(phi, member, valid).auc  # noqa: E731
    estimator = Estimator("itself", METRICS["memorisation"], separation, 64)
    pair = halves(np.ones(64, bool), "fixed_size")
    fit = lambda valid: phi.mean(0)  # noqa: E731
    table = OutlierTable([estimator], {"separation": separation}, fit, pair, number=100)
    assert table.same_models("itself").spearman == pytest.approx(1.0)
    apart = table.measured()["itself"]["all"].figure("spearman")
    assert apart.ci[0] < 0.0 < apart.ci[1] and abs(apart.value) < 0.2


def test_too_few_models_are_refused_before_any_trains(tmp_path):
    few = planted()
    few = dataclasses.replace(few, config=dataclasses.replace(few.config, num_shadows=8))
    with pytest.raises(UserError, match="--num_shadows 8; expected 16 or more"):
        run_outliers(few, tmp_path / "run", QUICK)
    assert not (tmp_path / "run").exists()


def test_halves_share_no_model_and_keep_pairs_together():
    valid = np.ones(40, bool)
    valid[7] = False
    for split in ("fixed_size", "balanced"):
        first, second = halves(valid, split)
        assert not (first.models & second.models).any()
        np.testing.assert_array_equal(first.models | second.models, valid)
        for half in (first, second):
            np.testing.assert_array_equal(np.sum(half.groups, axis=0), half.models)
    pairs = first.models.reshape(-1, 2)
    assert (pairs.all(1) | ~pairs.any(1))[np.arange(20) != 3].all()
    with pytest.raises(UserError, match="15 models trained well"):
        halves(np.arange(20) < 15, "fixed_size")


def test_running_again_trains_nothing_and_finds_the_same(found):
    again = run_outliers(planted(), found.campaign.folder.path, QUICK)
    assert again.campaign.trained == 0
    without = lambda results: {name: value for name, value in results.items() if name not in ("timing", "made")}  # noqa: E731
    assert without(again.results) == without(found.results)


def test_what_was_not_kept_is_named_and_other_peoples_records_are_not_shown(tmp_path):
    setup = planted(shippable=False)
    config = dataclasses.replace(setup.config, num_shadows=16, keep=(), recipe=Recipe(epochs=3, batch_size=32))
    bare = Setup.of(config, setup.dataset)
    from miajax.campaign.run import run_campaign

    run_campaign(bare, tmp_path / "run")
    results = run_outliers(bare, tmp_path / "run", QUICK).results
    skipped = results["metrics_not_run"]
    assert "--keep margins" in skipped["forgetting"] and "--keep early" in skipped["grand"]
    assert "needs logits" in skipped["logit_leverage"] and "needs parameters" in skipped["feature_leverage"]
    assert {"memorisation", "input_leverage"} <= set(results["metrics"])
    document = Document((tmp_path / "run" / "outliers" / "report.html").read_text())
    assert not any((value or "").startswith("Picture") for _, name, value in document.attributes if name == "alt")


def test_the_report_is_whole_in_a_browser(found, tmp_path):
    report = found.folder / "report.html"
    document = Document(report.read_text())
    assert not {"nan", "none", "inf"} & set(document.text.lower().replace(".", " ").split()) - {"none"}
    pictures, missing, errors = opened(report, tmp_path)
    assert pictures > 20 and not missing and not errors


def test_notes_name_examples_of_classes_too_small_to_measure():
    assert small_class_notes(np.arange(12) % 3) == []
    alone, paired = small_class_notes(np.array([0, 0, 0, 1, 2, 2, 0]))
    assert "only one of its class: 1 has no value there and counts in no figure (the first is 3)" in alone
    assert paired.startswith("LOF and isolation forest are not") and "2 have no value there" in paired
