"""The execution plan of a campaign: stored once, taken up again, changed only by flags, and then told."""

import dataclasses
import json

import pytest

from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.planning import planned
from miajax.errors import UserError
from miajax.training.recipe import Recipe
from miajax.training.tuner import Trial
from tests.training.helpers import digits

CONFIG = CampaignConfig(num_shadows=16, recipe=Recipe(epochs=1, batch_size=8))


def plan_of(path, heard=None, **changes):
    setup = Setup.of(dataclasses.replace(CONFIG, **changes), digits(64))
    return planned(setup, path, {"device": "a machine"}, (heard if heard is not None else []).append)


@pytest.fixture
def trials(monkeypatch):
    """The search finds chunks of 2 best, and is counted."""
    searches = []

    def tune(trainer, dataset, plan, wanted, *, listen):
        searches.append(wanted)
        found = [Trial("cpu", 2, 300.0, 0.5), Trial("cpu", plan.chunk, 200.0, 0.5), Trial("cpu", 16, None, 0.0, "big")]
        for trial in found:
            listen(trial)
        return found

    monkeypatch.setattr("miajax.campaign.planning.tune", tune)
    return searches


def test_nothing_is_tried_unasked_on_a_cpu(tmp_path, trials):
    plan, folder, changed = plan_of(tmp_path / "run")
    assert not trials and changed is None and "tuning" not in folder.manifest
    assert folder.manifest["plan"] == json.loads(json.dumps(dataclasses.asdict(plan)))


def test_the_winner_of_the_trials_is_told_stored_and_taken_up_again(tmp_path, trials):
    heard = []
    plan, folder, _ = plan_of(tmp_path / "run", heard, tune=True)
    assert plan.chunk == 2 and plan.group % (2 * plan.num_devices) == 0
    assert [t["left_out"] for t in folder.manifest["tuning"]] == [None, None, "big"]
    assert any("300 model-steps/s" in line for line in heard) and heard[-1] == "tuning: chose cpu x chunks of 2"
    again, _, changed = plan_of(tmp_path / "run", tune=True)
    assert (again, changed, len(trials)) == (plan, None, 1)
    grown, _, changed = plan_of(tmp_path / "run", num_shadows=64)
    assert (grown.chunk, changed) == (2, None)


def test_flags_leave_no_choice_and_a_changed_plan_is_told(tmp_path, trials):
    plan, _, _ = plan_of(tmp_path / "run", tune=True, chunk=4, lowering="cpu")
    assert (plan.chunk, plan.lowering, trials) == (4, "cpu", [])
    changed_plan, _, changed = plan_of(tmp_path / "run", lowering="patches")
    assert changed_plan.chunk == 4 and "lowering: cpu before, patches now" in changed
    _, _, changed = plan_of(tmp_path / "run", chunk=1)
    assert "chunk: 4 before, 1 now" in changed


def test_an_unknown_lowering_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"--lowering fft is unknown.*cpu, grouped, patches, unrolled"):
        plan_of(tmp_path / "run", lowering="fft")
    assert not (tmp_path / "run").exists()


def test_precision_of_the_plan_is_the_recipes(tmp_path):
    recipe = Recipe(epochs=1, batch_size=8, precision="bfloat16")
    assert plan_of(tmp_path / "half", recipe=recipe)[0].precision == "bfloat16"
    assert plan_of(tmp_path / "whole")[0].precision == "float32"
