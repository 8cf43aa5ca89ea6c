"""Campaigns of estimators, end to end: bits, failures, refusals."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.estimators import random_state
from miajax.campaign.interrupt import Stopped
from miajax.campaign.privacy import PrivacyFlags
from miajax.campaign.run import run_campaign
from miajax.errors import UserError
from miajax.models.registry import ModelOptions
from miajax.training.recipe import Recipe

FOREST = "sklearn.ensemble:RandomForestClassifier"
OWN = '''
import numpy as np
from sklearn.ensemble import RandomForestClassifier


class Fails(RandomForestClassifier):
    """Fails where the first example is a member, and answers NaN where the second is and the first is not."""

    def fit(self, X, y):
        self.first, self.second = ((X == row).all(1).any() for row in np.load(FIRST))
        if self.first:
            raise RuntimeError("no such luck\\nsecond line")
        return super().fit(X, y)

    def predict_proba(self, X):
        answers = super().predict_proba(X)
        return answers * np.nan if self.second else answers


def factory(trees=5):
    return RandomForestClassifier(trees)
'''


def configured(model: str = FOREST, args: dict | None = None, num_shadows: int = 4, **settings) -> CampaignConfig:
    given = json.dumps({"n_estimators": 5} if args is None else args)
    return CampaignConfig(
        model=model, model_options=ModelOptions(model_args=given), num_shadows=num_shadows, **settings
    )


def trained(path: Path, config: CampaignConfig):
    return run_campaign(Setup.of(config), path)


@pytest.fixture(scope="module")
def forest(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("runs") / "forest", configured())


def test_signals_are_those_of_the_same_fit_by_hand(forest):
    from sklearn.ensemble import RandomForestClassifier

    data, model = forest.setup.dataset, 2
    rows = np.flatnonzero(forest.member[model])
    by_hand = RandomForestClassifier(5, random_state=random_state(0, model), n_jobs=1)
    by_hand.fit(data.features[rows], data.labels[rows])
    label = by_hand.predict_proba(data.features)[np.arange(len(data.labels)), data.labels]
    p = np.clip(label, 0.1, 0.9)  # 1 / (2 x 5 trees)
    np.testing.assert_allclose(forest.signals[model, :, 0], np.log(p / (1 - p)), atol=1e-5)
    assert forest.folder.manifest["answers"] == {"kind": "probabilities", "clip": 0.1, "rule": "votes", "votes": 5}


def test_a_models_bits_depend_neither_on_groups_nor_on_how_many_there_are(forest, tmp_path):
    apart = trained(tmp_path / "run", configured(num_shadows=5, group=3))
    np.testing.assert_array_equal(apart.signals[:4], forest.signals)
    part = trained(tmp_path / "grown", configured(num_shadows=2))
    grown = trained(tmp_path / "grown", configured(num_shadows=4))
    assert (part.trained, grown.trained) == (2, 2)
    np.testing.assert_array_equal(grown.signals, forest.signals)


def test_the_workers_of_the_later_models_find_the_same_clip(forest, tmp_path):
    from miajax.campaign.runner import Incomplete

    with pytest.raises(Incomplete):
        trained(tmp_path / "run", configured(models="2:4"))
    whole = trained(tmp_path / "run", configured())
    assert whole.folder.manifest["answers"] == forest.folder.manifest["answers"]
    np.testing.assert_array_equal(whole.signals, forest.signals)


class _StopsAfter:
    """Sends Ctrl-C once so many models are there."""

    def __init__(self, models: int):
        self.models, self.asked = models, False

    def say(self, line):
        pass

    def close(self):
        pass

    def advance(self, done, total, loss, accuracy):
        if done >= self.models and not self.asked:
            self.asked = True
            os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupted_run_goes_on_to_the_same_signals(tmp_path):
    config = configured(args={"n_estimators": 40}, num_shadows=12, group=12)
    with pytest.raises(Stopped):
        run_campaign(Setup.of(config), tmp_path / "run", _StopsAfter(4))
    resumed = trained(tmp_path / "run", config)
    assert resumed.trained < 12
    whole = trained(tmp_path / "whole", config)
    np.testing.assert_array_equal(resumed.signals, whole.signals)


def test_models_that_raise_or_answer_nan_are_named_and_masked(tmp_path):
    setup = Setup.of(configured())
    member = setup.membership(8)
    raises, nan = member[:, 0], ~member[:, 0] & member[:, 1]
    assert raises.any() and nan.any() and not (raises | nan).all()
    np.save(tmp_path / "first.npy", setup.dataset.features[:2].astype(np.float32))
    file = tmp_path / "own.py"
    file.write_text(OWN.replace("FIRST", repr(str(tmp_path / "first.npy"))))
    campaign = trained(tmp_path / "run", configured(f"{file}:Fails", num_shadows=8))
    np.testing.assert_array_equal(campaign.valid, ~(raises | nan))
    assert np.isnan(campaign.signals[~campaign.valid]).all()
    ids = ", ".join(map(str, np.flatnonzero(raises)))
    assert f"Models {ids} failed: RuntimeError: no such luck." in campaign.notes
    assert any("answers are NaN" in note for note in campaign.notes)


def test_processes_that_die_at_every_model_are_told_in_one_line(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(
        "import os\nclass Dies:\n    def fit(self, X, y): os._exit(9)\n    def predict_proba(self, X): ...\n"
    )
    with pytest.raises(UserError, match=r"no model of .*Dies.* trained .its process was killed, or died"):
        trained(tmp_path / "run", configured(f"{file}:Dies", {}, num_shadows=2))
    assert trained(tmp_path / "other", configured(num_shadows=2)).valid.all()  # later runs get new processes


DIES = """
import os, numpy as np
class Dies:
    def fit(self, X, y):
        if (X == np.load(FIRST)[0]).all(1).any():
            os._exit(9)
        self.mean = float(y.mean())
    def predict_proba(self, X):
        odds = np.full((len(X), 10), .1)
        odds[:, 0] += .01 * X[:, 20] / 16
        return odds / odds.sum(1, keepdims=True)
"""


def test_a_process_that_dies_costs_its_own_model_alone_and_strict_makes_it_an_error(tmp_path):
    setup = Setup.of(configured())
    dies = setup.membership(8)[:, 0]
    assert dies.any() and not dies.all()
    np.save(tmp_path / "first.npy", setup.dataset.features[:1].astype(np.float32))
    file = tmp_path / "own.py"
    file.write_text(DIES.replace("FIRST", repr(str(tmp_path / "first.npy"))))
    campaign = trained(tmp_path / "run", configured(f"{file}:Dies", {}, num_shadows=8))
    np.testing.assert_array_equal(campaign.valid, ~dies)
    ids = ", ".join(map(str, np.flatnonzero(dies)))
    assert any(note.startswith(f"Models {ids} failed: its process was killed, or died") for note in campaign.notes)
    strict = configured(f"{file}:Dies", {}, num_shadows=8, strict=True)
    with pytest.raises(UserError, match=rf"{dies.sum()} models failed \({ids}; model .*its process was killed"):
        trained(tmp_path / "run", strict)


@pytest.mark.parametrize("text", ["[1]", "{bad", "3", "[" * 3000, f'{{"a": {"9" * 5000}}}'], ids=range(5))
def test_arguments_that_are_no_json_object_are_refused(text):
    with pytest.raises(UserError, match=r"--model_args .* is no JSON"):
        Setup.of(CampaignConfig(model=FOREST, model_options=ModelOptions(model_args=text)))


def test_a_class_without_a_colon_is_told_how_it_is_written():
    with pytest.raises(UserError, match=f"Write {FOREST}"):
        Setup.of(CampaignConfig(model="sklearn.ensemble.RandomForestClassifier"))


def test_the_library_takes_an_estimator_by_name_and_refuses_an_object(tmp_path):
    from sklearn.ensemble import RandomForestClassifier

    import miajax as mj

    run = mj.run_campaign("digits", FOREST, 2, tmp_path / "run", model_args='{"n_estimators": 3}')
    assert run.signals.scaled_logit.shape == (2, 1797, 1)
    with pytest.raises(UserError, match="module:Class"):
        mj.run_campaign("digits", RandomForestClassifier(), 2, tmp_path / "other")


def test_a_factory_in_a_file_is_an_estimator_and_its_content_is_identity(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(OWN)
    setup = Setup.of(configured(f"{file}:factory", {"trees": 3}))
    assert setup.estimator is not None and setup.estimator.voters == (3,)
    assert setup.identity()["model"]["sha256"]
    file.write_text(OWN + "\n# changed")
    assert Setup.of(configured(f"{file}:factory", {"trees": 3})).identity() != setup.identity()


@pytest.mark.parametrize(
    ("model", "args", "says"),
    [
        ("no_such_module:Forest", {}, "cannot be imported"),
        ("sklearn.ensemble:NoForest", {}, "has no NoForest"),
        (FOREST, {"n_trees": 5}, "unexpected keyword argument 'n_trees'"),
        (FOREST, {"random_state": 5}, "draws from a state of its own"),
        ("sklearn.linear_model:RidgeClassifierCV", {"alphas": 3, "x": 1}, "unexpected keyword"),
        ("sklearn.ensemble:RandomForestRegressor", {}, "neither predict_proba nor decision_function"),
        ("sklearn.ensemble:IsolationForest", {}, "is no classifier"),
        ("sklearn.preprocessing:StandardScaler", {}, "neither predict_proba nor decision_function"),
    ],
)
def test_what_is_no_classifier_that_answers_is_refused_in_one_line(model, args, says, tmp_path):
    with pytest.raises(UserError, match=says) as refused:
        Setup.of(configured(model, args))
    assert "\n" not in str(refused.value)


def test_an_estimator_that_never_fits_ends_the_run_before_anything_is_stored(tmp_path):
    with pytest.raises(UserError, match=f"no model of --model {FOREST} trained .*max_depth"):
        trained(tmp_path / "run", configured(args={"max_depth": "deep"}))
    assert not (tmp_path / "run" / "groups").exists()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"queries": 2}, "--queries 2"),
        ({"recipe": Recipe(early_stopping=2)}, "--early_stopping 2"),
        ({"recipe": Recipe(flip=True)}, "--flip True"),
        ({"privacy": PrivacyFlags(dp_epsilon=8.0)}, "differentially private training"),
    ],
)
def test_what_needs_a_network_is_named(settings, says):
    with pytest.raises(UserError, match=f"{says}.* needs a network, and --model {FOREST} is an estimator"):
        Setup.of(configured(**settings))


def test_arguments_for_a_network_are_refused():
    with pytest.raises(UserError, match="--model_args with --model mlp"):
        Setup.of(configured("mlp"))


def test_states_of_models_are_their_own():
    states = {random_state(seed, model) for seed in range(3) for model in range(50)}
    assert len(states) == 150 and all(0 <= state < 2**31 for state in states)


def test_joblib_of_the_caller_works_after_a_campaign(forest):
    import joblib

    assert joblib.Parallel(n_jobs=2)(joblib.delayed(abs)(x) for x in (-1, -2)) == [1, 2]
