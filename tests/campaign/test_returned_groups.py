"""A plan whose members are people comes back as a run whose figures are by person too."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from miajax.campaign.handover import campaign_of, hand_out
from miajax.campaign.returned import take_in
from miajax.data.registry import DataOptions
from miajax.studies.attacks.study import AttacksOptions, run_attacks_study
from tests.campaign.plans import helper

PEOPLE, EACH, MODELS = 60, 2, 8


def people(folder, kind: str) -> tuple[DataOptions, np.ndarray, np.ndarray, np.ndarray]:
    """Writes rows of people in a mixed order: ``(options, features, labels, keys)``."""
    rng = np.random.default_rng(0)
    who = rng.permutation(np.repeat(np.arange(PEOPLE), EACH))
    features = (rng.normal(size=(PEOPLE, 4))[who] + 0.2 * rng.normal(size=(len(who), 4))).astype(np.float32)
    sick, keys = (rng.random(PEOPLE) < 0.5)[who], np.array([f"P{number:02d}" for number in who])
    if kind == "npz":
        np.savez(folder / "data.npz", features=features, labels=sick.astype(np.int32), groups=keys)
        return DataOptions(data_path=str(folder / "data.npz")), features, sick.astype(np.int32), keys
    labels = np.where(sick, "sick", "well")
    lines = [
        ",".join([key, *(f"{value:.6f}" for value in row), label])
        for key, row, label in zip(keys, features, labels, strict=True)
    ]
    (folder / "data.csv").write_text("\n".join(["patient,a,b,c,d,diagnosis", *lines]) + "\n")
    options = DataOptions(data_path=str(folder / "data.csv"), label_column="diagnosis", group_column="patient")
    return options, features, labels, keys


@pytest.mark.parametrize("kind", ["npz", "table"])
def test_a_plan_of_people_comes_back_as_a_run_with_figures_by_person(kind, tmp_path):
    options, features, labels, keys = people(tmp_path, kind)
    plan = hand_out(campaign_of(kind, options, MODELS, 5, "fixed_size", 0.5), tmp_path / "plan")
    handover = helper(plan.folder)
    y = handover.codes(labels)
    for model in handover.missing():
        rows = handover.members(model)
        assert not set(keys[rows]) & set(np.delete(keys, rows))  # a person's rows are members together
        own = (plan.folder / "keys" / f"model-{model:04d}.txt").read_text().split()
        assert sorted(own) == sorted(set(keys[rows]))
        forest = RandomForestClassifier(10, random_state=model).fit(features[rows], y[rows])
        handover.leave(model, forest.predict_proba(features), labels)
    run = take_in(plan.folder, tmp_path / "run")
    wanted = ("lira_online_fixed", "global_threshold")
    found = run_attacks_study(run.setup, tmp_path / "run", AttacksOptions(attacks=wanted, outlier_metric=None)).results
    assert found["unit"] == "group" and found["num_groups"] == found["groups"]["num_groups"] == PEOPLE
    assert found["groups"]["most_rows"] == found["groups"]["fewest_rows"] == EACH
    for name in wanted:
        assert found["attacks"][name]["per_group"]["num_groups"] == PEOPLE
    phi = run.signals.mean(-1)
    together = np.stack([phi[:, keys == key].mean(1) for key in sorted(set(keys))], 1)
    whole = np.stack([run.member[:, keys == key][:, 0] for key in sorted(set(keys))], 1)
    inside, outside = together[whole], together[~whole]
    won = (inside[:, None] > outside).mean() + 0.5 * (inside[:, None] == outside).mean()
    assert found["attacks"]["global_threshold"]["per_group"]["mean"]["auc"] == pytest.approx(won, abs=1e-3)
