"""The study of private training: one ensemble for all budgets, its points, its report, its bounds."""

import dataclasses
import json
import math

import numpy as np
import pytest

from miajax.errors import UserError
from miajax.models.registry import ModelOptions
from miajax.studies.dpsgd import DpsgdOptions, run_dpsgd
from miajax.studies.dpsgd_points import BOUNDS, Models, lower_bounds
from miajax.studies.privacy import PrivacyFlags
from miajax.training.dp import accounting
from tests.studies.helpers import small

OPTIONS = DpsgdOptions(epsilons=(math.inf, 2.0), non_private_recipe=None)
PRIVACY = PrivacyFlags(dp_epsilon=8.0, dp_overflow="microbatch", dp_delta=1e-4)


def setup(models: int = 6):
    return small(models, model_options=ModelOptions(widths=(8,)), privacy=PRIVACY, split="bernoulli")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return run_dpsgd(setup(), tmp_path_factory.mktemp("dpsgd") / "study", OPTIONS)


@pytest.mark.slow
def test_every_budget_has_its_point_beside_the_models_without_privacy(study):
    results = json.loads((study.folder / "results.json").read_text())
    clipped, private = results["points"]
    assert results["epsilons"] == ["inf", "2"] and results["delta"] == 1e-4
    assert clipped["epsilon_target"] is None and clipped["epsilon"] is None and clipped["noise_multiplier"] == 0
    assert 1.95 < private["epsilon"] <= private["epsilon_target"] == 2.0
    for point in (clipped, private, results["non_private"]):
        assert set(point["epsilon_lower"]) == set(BOUNDS) == set(results["bounds"])
        assert point["num_models"] == 6 and point["test_accuracy_ci"][0] <= point["test_accuracy"]
        assert set(point["lira_tpr_at_fpr"]) == set(point["lira_tpr_at_fpr_ci"]) == {"0.0001", "0.001", "0.01"}
    assert private["refuted_by"] == []
    page = (study.folder / "report.html").read_text()
    assert "What privacy costs" in page and "heuristic" in page and "gives the same bits" not in page


@pytest.mark.slow
def test_both_accountants_speak_of_the_mechanism_that_ran(study):
    mechanism = study.private.setup.mechanisms[1]
    point = study.results["points"][1]
    for name in ("pld", "rdp"):
        spent = accounting.epsilon(mechanism.step, point["private_steps"], 1e-4, name)
        assert point["epsilon_by_accountant"][name] == spent
    assert point["epsilon_by_accountant"]["pld"] < point["epsilon_by_accountant"]["rdp"]


@pytest.mark.slow
def test_all_budgets_are_one_ensemble_that_the_same_command_does_not_train_again(study):
    assert study.private.trained == 12 and study.non_private.trained == 6
    again = run_dpsgd(setup(), study.folder, OPTIONS)
    assert again.private.trained == again.non_private.trained == 0
    assert again.results["points"] == study.results["points"]
    with pytest.raises(UserError, match="another configuration"):
        run_dpsgd(setup(), study.folder, dataclasses.replace(OPTIONS, epsilons=(math.inf, 3.0)))


def synthetic(leak: float, models: int = 128, examples: int = 60) -> Models:
    """Models whose signal rises by ``leak`` deviations on each member."""
    rng = np.random.default_rng(0)
    member = rng.random((models, examples)) < 0.5
    signals = (rng.normal(size=member.shape) + leak * member)[..., None].astype(np.float32)
    return Models(signals, member, member, np.ones(models, bool), np.zeros(examples, np.int32), None, True)


def test_bounds_are_nothing_without_a_leak_and_grow_with_it():
    nothing, _ = lower_bounds(synthetic(0.0), 1e-5, 0.05)
    much, detail = lower_bounds(synthetic(6.0), 1e-5, 0.05)
    assert max(nothing.values()) < 0.2
    assert all(much[name] > 2.0 for name in BOUNDS)
    assert much["clopper_pearson"] <= detail["largest_possible"]
    assert detail["members"] + detail["non_members"] == 64


def test_diverged_models_take_no_part_in_bounds():
    models = synthetic(6.0)
    signals, valid = models.signals.copy(), models.valid.copy()
    valid[:20], signals[:20] = False, np.nan
    bounds, detail = lower_bounds(dataclasses.replace(models, signals=signals, valid=valid), 1e-5, 0.05)
    assert detail["members"] + detail["non_members"] == 54
    assert all(bounds[name] > 1.5 for name in BOUNDS)


def test_without_a_coin_for_every_record_there_is_no_one_run_bound():
    bounds, _ = lower_bounds(dataclasses.replace(synthetic(6.0), fair=False), 1e-5, 0.05)
    assert {name for name, bound in bounds.items() if bound is None} == {"one_run", "one_run_gdp"}


def test_one_model_bounds_nothing():
    models = synthetic(6.0, models=1)
    assert lower_bounds(models, 1e-5, 0.05) == (dict.fromkeys(BOUNDS, 0.0), {})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"epsilons": ()}, "names none"),
        ({"epsilons": (0.0,)}, "positive"),
        ({"epsilons": (1.0, 1.0)}, "each budget once"),
        ({"significance": 0.7}, "--significance"),
        ({"non_private_recipe": "nothing"}, "nothing"),
    ],
)
def test_bad_options_are_refused(options, told):
    with pytest.raises(UserError, match=told):
        DpsgdOptions(**options)
