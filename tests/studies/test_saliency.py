"""Saliency studies of small campaigns: figures, pictures, tables, and what bad input is told."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import spearmanr, ttest_ind

from experiments import saliency
from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.gathered import Campaign
from miajax.campaign.run import run_campaign
from miajax.data.dataset import Dataset
from miajax.errors import UserError
from miajax.saliency.counterfactual import Counterfactual
from miajax.studies.saliency.figures import SaliencyEvidence, no_background, related, two_groups
from miajax.studies.saliency.maps import Examples, Mapper, deletion_share
from miajax.studies.saliency.study import SaliencyOptions, run_saliency
from miajax.training.recipe import Recipe
from tests.experiments.test_attacks_command import main
from tests.report.html import Document
from tests.studies.helpers import small

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    run_campaign(small(16), folder)
    patch = pytest.MonkeyPatch()
    flags = ("--compared", "20", "--spread", "60", "--map_models", "4", "--shown", "3")
    assert main(patch, saliency, "--run", str(folder), *flags) == 0
    patch.undo()
    return folder, json.loads((folder / "saliency" / "results.json").read_text())


def test_every_map_has_its_comparison_and_its_counterfactual(finished):
    _, results = finished
    assert set(results["methods"]) == {"gradient", "gradient_times_input", "smooth_grad", "integrated_gradients"}
    for entry in results["methods"].values():
        for found in filter(None, ((entry["background"] or {}).get("excess"), entry["deletion"])):
            low, high = found["difference_ci"]
            assert low <= found["difference"] <= high
            assert found["difference"] == pytest.approx(found["vulnerable"] - found["safe"])
    for entry in results["counterfactual"].values():
        assert entry["num_examples"] <= 60  # those drawn, without the galleries' extremes
        assert entry["spearman_ci"][0] <= entry["spearman"] <= entry["spearman_ci"][1]
    assert not set(results["groups"]["vulnerable"]) & set(results["groups"]["safe"])


def test_maps_that_multiply_by_the_way_from_black_say_nothing_of_the_background(finished):
    _, results = finished
    for name, entry in results["methods"].items():
        assert (entry["background"] is None) == (name in ("gradient_times_input", "integrated_gradients"))


def test_integrated_gradients_of_a_dense_network_are_complete(finished):
    _, results = finished
    found = results["completeness"]
    assert found["tolerance"] == 1e-3 and found["median"] <= found["largest"]
    assert found["share_within"] > 0.95


def test_the_report_stands_alone_and_shows_maps(finished):
    folder, _ = finished
    document = Document((folder / "saliency" / "report.html").read_text())
    assert "script" not in document.tags and len(document.pictures()) > 3 * 4
    assert "None" not in document.text and "nan" not in document.text.split()


def test_a_map_is_the_same_whoever_else_is_mapped(finished):
    folder, _ = finished
    mapper = Mapper(run_campaign(small(16), folder))
    campaign = mapper.campaign
    several = np.concatenate([m for _, m in mapper.maps("gradient", [1, 3, 5], Examples.of(campaign, [7, 8, 9]))])
    alone = np.concatenate([m for _, m in mapper.maps("gradient", [5], Examples.of(campaign, [8]))])
    np.testing.assert_allclose(several[2, 1], alone[0, 0], rtol=1e-5, atol=1e-6)


def test_tables_get_bars_instead_of_pictures(tmp_path):
    from miajax.data.registry import DataOptions

    setup = small(8, dataset="purchase_like", data=DataOptions(max_examples=300))
    options = SaliencyOptions(compared=10, spread=20, map_models=2, shown=2)
    results = run_saliency(setup, tmp_path / "run", options).results
    assert len(results["features"]) == 15 and results["methods"]["gradient"]["background"] is None
    assert "table" in results["background_not_measured"]["gradient"] and results["empty_share"] is None
    assert all(0 <= feature["vulnerable"] <= 1 for feature in results["features"])


@pytest.fixture(scope="module")
def convolutional(tmp_path_factory):
    """Sixteen small networks of two convolutions, on bright blots whose place is their class, on black."""
    rng = np.random.default_rng(0)
    labels = (np.arange(200) % 4).astype(np.int32)
    pictures = np.zeros((200, 12, 12, 1), np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        row, column = 6 * (label // 2) + rng.integers(0, 3), 6 * (label % 2) + rng.integers(0, 3)
        picture[row : row + 4, column : column + 4, 0] = rng.integers(100, 256, (4, 4))
    blots = Dataset(pictures, labels, 4, "blots", image_shape=(12, 12, 1), shippable=True)
    config = CampaignConfig(
        dataset="blots", model="cnn", num_shadows=16, recipe=Recipe(epochs=3, batch_size=25), chunk=2
    )
    options = SaliencyOptions(compared=20, spread=40, map_models=2, shown=3)
    return run_saliency(Setup.of(config, dataset=blots), tmp_path_factory.mktemp("runs") / "run", options)


def test_convolutional_networks_get_grad_cam_in_figures_and_overlays(convolutional):
    results = convolutional.results
    methods = list(results["methods"])
    assert methods[-1] == "grad_cam" and list(results["counterfactual"]) == ["gradient", "grad_cam"]
    assert all(-1 <= entry["spearman"] <= 1 for entry in results["counterfactual"].values())
    curves = results["methods"]["grad_cam"]["deletion"]["curves"]
    assert all(0 <= p <= 1 for side in curves.values() for p in np.ravel(side))
    document = Document((convolutional.folder / "report.html").read_text())
    overlays = [v for _, name, v in document.attributes if name == "alt" and "under the maps" in v and "Grad-CAM" in v]
    shown = sum(min(len(ids), 3) if name in ("vulnerable", "safe") else len(ids)
                for name, ids in results["groups"].items())  # fmt: skip
    assert len(overlays) == shown
    assert "None" not in document.text and "nan" not in document.text.split()


def test_near_and_far_examples_are_those_of_each_class_in_penultimate_features(convolutional):
    results, campaign = convolutional.results, convolutional.campaign
    assert results["centroid"] == {"space": "feature", "model": 1}
    for end in ("nearest", "farthest"):
        ids = results["groups"][end]
        assert campaign.setup.dataset.labels[ids].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
        assert campaign.member[1, ids].all()


def test_an_empty_pixel_of_a_uint8_picture_is_where_maps_from_nothing_are_zero(convolutional):
    results = convolutional.results
    assert results["empty_share"] == pytest.approx(1 - 16 / 144, abs=1e-6)
    assert set(results["background_not_measured"]) == {"gradient_times_input", "integrated_gradients"}
    mapper = Mapper(convolutional.campaign)
    examples = Examples.of(mapper.campaign, range(8))
    for method in ("gradient_times_input", "integrated_gradients"):
        found = mapper.relevance(method, [1, 3], examples)
        np.testing.assert_allclose(found.background_mass, 0.0, atol=1e-6)
    assert (mapper.relevance("gradient", [1, 3], examples).background_mass > 0.1).all()
    mapper.empty_share = 0.03  # as in photographs
    assert mapper.background(examples) is None
    assert "only 3.0% of the data set's pixels" in no_background(mapper, "gradient")


def test_a_network_without_a_last_dense_layer_is_looked_into_by_its_logits(convolutional, monkeypatch):
    from miajax.studies.saliency import maps as saliency_maps

    mapper = Mapper(convolutional.campaign)
    space, features = mapper.space(3)
    assert space == "feature" and features.shape == (200, 128)

    def refuse(*_):
        raise UserError("no dense layer")

    monkeypatch.setattr(saliency_maps, "penultimate_features", refuse)
    space, logits = mapper.space(3)
    assert space == "logit" and logits.shape == (200, 4)
    hit = logits.argmax(1) == mapper.campaign.setup.dataset.labels
    np.testing.assert_array_equal(hit, np.asarray(mapper.campaign.correct)[3].reshape(200, -1)[:, 0])


def test_a_run_without_parameters_and_a_network_without_convolutions_are_told(tmp_path):
    setup = small(8, keep=())
    with pytest.raises(UserError, match="kept no parameters"):
        run_saliency(setup, tmp_path / "run")
    with pytest.raises(UserError, match="convolutional"):
        run_saliency(small(8), tmp_path / "other", SaliencyOptions(methods=("grad_cam",)))


def partly(kind, **fields):
    """An object of that kind that has some of its fields only."""
    if issubclass(kind, tuple):
        return tuple.__new__(kind, [fields.get(name) for name in kind._fields])
    made = object.__new__(kind)
    for name, value in fields.items():
        object.__setattr__(made, name, value)
    return made


def test_a_counterfactual_of_few_examples_has_no_figure():
    known = np.where(np.arange(30) < 5, np.arange(30) / 10, np.nan)
    rows = SimpleNamespace(campaign=partly(Campaign, setup=SimpleNamespace(dataset=SimpleNamespace(groups=None))))
    few = partly(
        SaliencyEvidence, spread=partly(Examples, ids=np.arange(30)), drawn=20, vulnerability=known, mapper=rows
    )
    found = related(few, partly(Counterfactual, shift=np.arange(30.0)), 10)
    assert (found.num_examples, found.spearman.value, found.difference.value) == (5, None, None)


def test_examples_that_were_not_drawn_have_no_part_in_the_figures():
    rng = np.random.default_rng(0)
    vulnerability, shift = rng.random(60), rng.random(60)
    spread, found = partly(Examples, ids=np.arange(60)), partly(Counterfactual, shift=shift)
    rows = partly(Campaign, setup=SimpleNamespace(dataset=SimpleNamespace(groups=None)))
    evidence = partly(
        SaliencyEvidence, spread=spread, drawn=50, vulnerability=vulnerability, mapper=SimpleNamespace(campaign=rows)
    )
    before = related(evidence, found, 10)
    assert before.num_examples == 50
    assert before.spearman.value == pytest.approx(spearmanr(vulnerability[:50], shift[:50]).statistic, abs=1e-5)
    shift[50:] = 1e3 * vulnerability[50:]
    assert related(evidence, found, 10) == before


def test_groups_are_compared_by_welchs_interval():
    rng = np.random.default_rng(0)
    one, other = rng.normal(1, 1, 40), rng.normal(0, 3, 60)
    want = ttest_ind(one, other, equal_var=False).confidence_interval()
    found = two_groups(np.append(one, np.nan), other)
    np.testing.assert_allclose(found.difference.interval, [want.low, want.high], rtol=1e-6)


def test_a_flat_deletion_curve_leaves_everything():
    curves = np.array([[0.8] * 11, [0.0] * 11])
    np.testing.assert_allclose(deletion_share(curves), [1.0, np.nan], rtol=1e-6)
