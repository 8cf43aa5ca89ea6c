"""Files of a run or a plan whose seal fits and whose content does not: one line each, as of any damage."""

from pathlib import Path

import pytest

from miajax.campaign.config import CampaignConfig, plain
from miajax.campaign.handover import read_plan
from miajax.campaign.stored import stored_config, stored_plan
from miajax.errors import UserError
from miajax.runs.atomic import read_sealed, write_sealed
from miajax.runs.exports import export_run
from miajax.runs.folder import RunFolder
from tests.campaign.plans import planned
from tests.runs.stored_runs import simulated_run


@pytest.fixture
def run(tmp_path) -> Path:
    import dataclasses

    simulated_run(tmp_path / "run", num_models=2, num_examples=9)
    write_sealed(tmp_path / "run" / "config.json", plain(dataclasses.asdict(CampaignConfig())))
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe": {"epochs": True}}, "holds 'True'; expected int"),
        ({"recipe": {"learning_rate": 10**400}}, "holds '1000"),
        ({"keep": 0.5}, "holds '0.5'"),
        ({"data": {"drop_columns": "x"}}, "holds 'x'"),
        ({"data": []}, "holds '\\[\\]'; expected DataOptions"),
        ({"num_shadows": None}, "holds 'None'; expected int"),
        ({"recipe": {"batch_size": -1}}, "batch_size -1"),
    ],
)
def test_settings_of_another_kind_are_named(run, changes, said):
    config = read_sealed(run / "config.json")
    config |= {name: {**config[name], **new} if isinstance(new, dict) else new for name, new in changes.items()}
    write_sealed(run / "config.json", config)
    with pytest.raises(UserError, match=said) as told:
        stored_config(run)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("recipe", [0.5, {}, {"epochs": "30"}])
def test_an_export_without_epochs_is_refused(run, recipe, tmp_path):
    write_sealed(run / "config.json", {**read_sealed(run / "config.json"), "recipe": recipe})
    with pytest.raises(UserError, match="lacks the model, the seed or the recipe's epochs"):
        export_run(run, "lira2021", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"plan": None}, "holds no plan"), ({"device": 3}, "holds no device"), ({"plan": {"group": "8"}}, "holds '8'")],
)
def test_a_manifest_without_a_plan_is_refused(run, changes, said):
    RunFolder.open(run).update_manifest(**{"plan": {}, "device": "none", **changes})
    with pytest.raises(UserError, match=said):
        stored_plan(RunFolder.open(run))


@pytest.mark.parametrize("name", ["id", "campaign", "classes", "content_hash", "membership_sha256"])
def test_a_plan_that_lacks_a_part_says_which(tmp_path, name):
    planned(tmp_path, num_shadows=2)
    file = tmp_path / "plan" / "plan.json"
    told = read_sealed(file)
    for forged in ({**told, name: 3}, {key: value for key, value in told.items() if key != name}):
        write_sealed(file, forged)
        with pytest.raises(UserError, match=f"lacks {name}"):
            read_plan(tmp_path / "plan")
