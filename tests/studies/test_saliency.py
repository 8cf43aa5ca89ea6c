"""Saliency studies of small campaigns: figures, pictures, tables, and what bad input is told."""

import json

import numpy as np
import pytest

from experiments import saliency
from miajax.errors import UserError
from miajax.studies.campaign import run_campaign
from miajax.studies.saliency import SaliencyOptions, _two_groups, run_saliency
from miajax.studies.saliency_maps import Examples, Mapper, deletion_share
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
        assert entry["spearman_ci"][0] <= entry["spearman"] <= entry["spearman_ci"][1]
    assert not set(results["groups"]["vulnerable"]) & set(results["groups"]["safe"])


def test_maps_that_multiply_by_the_way_from_black_say_nothing_of_the_background(finished):
    _, results = finished
    for name, entry in results["methods"].items():
        assert (entry["background"] is None) == (name in ("gradient_times_input", "integrated_gradients"))


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
    assert all(0 <= feature["vulnerable"] <= 1 for feature in results["features"])


def test_a_run_without_parameters_and_a_network_without_convolutions_are_told(tmp_path):
    setup = small(8, keep=())
    with pytest.raises(UserError, match="kept no parameters"):
        run_saliency(setup, tmp_path / "run")
    with pytest.raises(UserError, match="convolutional"):
        run_saliency(small(8), tmp_path / "other", SaliencyOptions(methods=("grad_cam",)))


def test_groups_are_compared_by_welchs_interval():
    rng = np.random.default_rng(0)
    one, other = rng.normal(1, 1, 40), rng.normal(0, 3, 60)
    from scipy.stats import ttest_ind

    want = ttest_ind(one, other, equal_var=False).confidence_interval()
    found = _two_groups(np.append(one, np.nan), other)
    np.testing.assert_allclose(found["difference_ci"], [want.low, want.high], rtol=1e-6)


def test_a_flat_deletion_curve_leaves_everything():
    curves = np.array([[0.8] * 11, [0.0] * 11])
    np.testing.assert_allclose(deletion_share(curves), [1.0, np.nan], rtol=1e-6)
