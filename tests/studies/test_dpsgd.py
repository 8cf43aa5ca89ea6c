"""The study of private training: one ensemble for all budgets, its points, its report, its bounds."""

import dataclasses
import json
import math

import numpy as np
import pytest

from experiments import dpsgd as dpsgd_command
from miajax.campaign.config import Setup, plain
from miajax.campaign.presets import preset
from miajax.campaign.privacy import PrivacyFlags
from miajax.data.registry import DataOptions
from miajax.errors import UserError
from miajax.models.registry import ModelOptions
from miajax.studies.dpsgd import study as dpsgd
from miajax.studies.dpsgd.points import BOUNDS, IN_VERDICT, Models, gathered, lower_bounds, measured, refuting
from miajax.studies.dpsgd.study import DpsgdOptions, run_dpsgd
from miajax.training.dp import accounting
from miajax.training.dp.mechanism import Privacy, resolve
from miajax.training.recipe import Recipe
from tests.studies.helpers import small

OPTIONS = DpsgdOptions(epsilons=(math.inf, 2.0), non_private_recipe="private")
PRIVACY = PrivacyFlags(dp_epsilon=8.0, dp_overflow="microbatch", dp_delta=1e-4)


CHANGES = {"model_options": ModelOptions(widths=(8,)), "privacy": PRIVACY, "split": "bernoulli"}


def setup(models: int = 6):
    return small(models, **CHANGES)


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


@pytest.mark.slow
def test_the_folder_of_a_study_tells_the_command_what_was_asked(study, capsys):
    again = dpsgd_command.run(["--run", str(study.folder)])
    assert again.private.trained == again.non_private.trained == 0
    assert again.results["points"] == study.results["points"] and again.folder == study.folder
    assert dpsgd.stored(study.folder) == (setup().config, OPTIONS)
    with pytest.raises(UserError, match="not a folder of this study"):
        dpsgd_command.run(["--run", str(study.folder / "private")])


def test_the_name_of_a_study_follows_from_what_its_models_depend_on():
    one = setup()
    names = [
        dpsgd.identity(one, OPTIONS),
        dpsgd.identity(one, dataclasses.replace(OPTIONS, epsilons=(8.0,))),
        dpsgd.identity(one, dataclasses.replace(OPTIONS, non_private_recipe="digits")),
    ]
    assert all(a != b for i, a in enumerate(names) for b in names[:i])
    same = [setup(8), small(6, **{**CHANGES, "privacy": dataclasses.replace(PRIVACY, dp_epsilon=3.0)})]
    assert all(dpsgd.identity(other, OPTIONS) == names[0] for other in same), "neither their number nor one budget"
    json.dumps(names, allow_nan=False)
    assert plain({"epsilons": (math.inf, 2.0)}) == {"epsilons": ["inf", 2.0]}


def test_models_without_privacy_train_by_the_digits_recipe_for_digits_only():
    config, mine = setup().config, setup().config.recipe
    other = dataclasses.replace(config, dataset="purchase_like", data=DataOptions(max_examples=300), model="mlp")
    for campaign, name, expected in [
        (config, None, preset("digits").recipe),
        (config, "private", mine),
        (other, None, mine),
        (other, "digits", preset("digits").recipe),
    ]:
        options = dataclasses.replace(OPTIONS, non_private_recipe=name, epsilons=(math.inf,))
        assert dpsgd.setups(Setup.of(campaign), options)[1].config.recipe == expected


def synthetic(leak: float, models: int = 128, examples: int = 60) -> Models:
    """Models whose signal rises by ``leak`` deviations on each member."""
    rng = np.random.default_rng(0)
    member = rng.random((models, examples)) < 0.5
    signals = (rng.normal(size=member.shape) + leak * member)[..., None].astype(np.float32)
    steps = np.full(models, 10, np.int32)
    return Models(signals, member, member, np.ones(models, bool), np.zeros(examples, np.int32), steps, True, True)


def bounds_of(models: Models):
    return lower_bounds(gathered(models, 1e-5, 0.05), 1e-5, 0.05)


def detail_of(models: Models):
    return measured(models, None, None, 1e-5, 0.05)[0].epsilon_lower_detail


def test_bounds_are_nothing_without_a_leak_and_grow_with_it():
    nothing, much, detail = bounds_of(synthetic(0.0)), bounds_of(synthetic(6.0)), detail_of(synthetic(6.0))
    assert max(nothing.values()) < 0.2
    assert all(much[name] > 2.0 for name in BOUNDS)
    assert much["clopper_pearson"] <= detail["largest_possible"]
    assert detail["members"] + detail["non_members"] == 64


def above_chance(models: Models, budgets: int = 1):
    return measured(models, None, None, 1e-5, 0.05, budgets)[0].attacked.above_chance


def test_only_a_leak_is_above_chance():
    assert above_chance(synthetic(0.0)) is False
    assert above_chance(synthetic(-1.0)) is True, "shadow models tell that members' signals are the lower ones"
    assert above_chance(synthetic(6.0)) is True


def test_a_small_leak_is_above_chance_alone_and_not_among_a_million_budgets():
    point, _ = measured(synthetic(0.25), None, None, 1e-5, 0.05)
    attacked = point.attacked
    assert attacked.auc.value is not None and attacked.auc.interval is not None
    low, high = attacked.auc.interval
    assert 0.5 < low < attacked.auc.value < high
    assert attacked.above_chance is True
    assert above_chance(synthetic(0.25), 10**6) is False


def test_models_too_few_to_attack_are_neither_above_chance_nor_at_it():
    one = synthetic(6.0, models=1)
    point, notes = measured(one, None, None, 1e-5, 0.05)
    assert point.attacked.above_chance is None and any("was not run" in note for note in notes)


def test_diverged_models_take_no_part_in_bounds():
    models = synthetic(6.0)
    signals, valid = models.signals.copy(), models.valid.copy()
    valid[:20], signals[:20] = False, np.nan
    models = dataclasses.replace(models, signals=signals, valid=valid)
    bounds, detail = bounds_of(models), detail_of(models)
    assert detail["members"] + detail["non_members"] == 54
    assert all(bounds[name] > 1.5 for name in BOUNDS)


def test_without_a_coin_for_every_record_there_is_no_one_run_bound():
    bounds = bounds_of(dataclasses.replace(synthetic(6.0), fair=False))
    assert {name for name, bound in bounds.items() if bound is None} == {"one_run", "one_run_gdp"}


@pytest.mark.parametrize("count", [1, 2])
def test_models_too_few_to_choose_and_measure_bound_nothing(count):
    models = synthetic(6.0, models=count)
    assert bounds_of(models) == dict.fromkeys(BOUNDS, 0.0) and detail_of(models) == {}
    assert refuting(gathered(models, 1e-5, 0.05), 0.0, 1e-5, 0.05) == ()


def mechanism_of(sampling="poisson"):
    privacy = Privacy(epsilon=1.3, sampling=sampling, overflow="microbatch", accountant="rdp")
    return resolve(privacy, Recipe(epochs=2, batch_size=10), 50, ragged=False)


def test_only_bounds_that_assume_nothing_refute_a_guarantee():
    evidence = gathered(synthetic(6.0), 1e-5, 0.05)
    assert set(refuting(evidence, 1.0, 1e-5, 0.05)) == set(IN_VERDICT)
    highest = max(lower_bounds(evidence, 1e-5, 0.05)[name] for name in IN_VERDICT)
    assert lower_bounds(evidence, 1e-5, 0.05)["gdp"] > highest, "a reading that lies higher"
    assert refuting(evidence, highest, 1e-5, 0.05) == ()


def test_a_study_of_many_guarantees_refutes_none_by_chance_more_often_than_one():
    evidence = gathered(synthetic(6.0), 1e-5, 0.05)
    alone, among = (max(lower_bounds(evidence, 1e-5, s / 2)[n] for n in IN_VERDICT) for s in (0.05, 0.05 / 20))
    assert among < alone
    between = (among + alone) / 2
    assert refuting(evidence, between, 1e-5, 0.05) and not refuting(evidence, between, 1e-5, 0.05 / 20)


def test_without_a_coin_for_every_record_a_guarantee_answers_for_two_records_unless_it_is_about_replacing():
    models = dataclasses.replace(synthetic(6.0), apart=False, fair=False)
    added, replaced = mechanism_of(), mechanism_of("fixed_size")
    spent = added.epsilon(added.steps)
    assert accounting.replacing(2.0, 1e-5) == (4.0, pytest.approx(1e-5 * (1 + math.e**2)))

    def refuted(mechanism, models):
        return measured(models, mechanism, None, 1e-5, 0.05)[0].refuted_by

    bound = lower_bounds(gathered(models, 1e-5, 0.05), 1e-5, 0.025)["clopper_pearson"]
    assert spent < bound < 2 * spent, "what follows tells the two apart"
    assert refuted(added, dataclasses.replace(models, apart=True)) == ("clopper_pearson",)
    assert refuted(added, models) == ()
    assert replaced.epsilon(replaced.steps) < bound and refuted(replaced, models) == ("clopper_pearson",)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"epsilons": ()}, "names none"),
        ({"epsilons": (0.0,)}, "positive"),
        ({"epsilons": (1.0, 1.0)}, "each budget once"),
        ({"significance": 0.7}, "--significance"),
        ({"non_private_recipe": "nothing"}, "--preset nothing"),
    ],
)
def test_bad_options_are_refused(options, told):
    with pytest.raises(UserError, match=told):
        DpsgdOptions(**options)
