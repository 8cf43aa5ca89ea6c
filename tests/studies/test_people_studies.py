"""Every study of a run whose members are groups works, and says what it is about."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from miajax.cli import main
from miajax.metrics.json_form import from_json, to_json
from miajax.runs.tables import read_table
from miajax.studies.compare.results import Comparison
from tests.schema import breaches
from tests.studies.people import figures_of

SMALL = ["--epochs", "4", "--widths", "8", "--batch_size", "16", "--split", "bernoulli", "--num_shadows", "16"]
ATTACKS = ["--attacks", "global_threshold", "lira_online_fixed"]


def ran(*words):
    """A command, to its end."""
    main([str(word) for word in words])


def results(folder: Path):
    return json.loads((folder / "results.json").read_text())


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """60 people of 1 to 4 rows, whose labels are their own."""
    folder = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), np.arange(60) % 4 + 1)
    features = (rng.normal(size=(60, 12))[groups] + 0.2 * rng.normal(size=(len(groups), 12))).astype(np.float32)
    np.savez(folder / "people.npz", features=features, labels=rng.integers(0, 2, 60)[groups], groups=groups)
    return folder


@pytest.fixture(scope="module")
def run(data):
    where = data / "run"
    ran("attacks", "--dataset", "npz", "--data_path", data / "people.npz", *SMALL, "--out", where, *ATTACKS)
    return where


def test_attacks_say_the_unit_and_have_figures_per_group(run):
    found = results(run / "attacks")
    assert (found["unit"], found["num_groups"]) == ("group", 60)
    for entry in found["attacks"].values():
        assert entry["per_group"]["num_groups"] == 60
    assert found["groups"]["single_row"] == 15
    assert any("15 of which have one row only" in note for note in found["notes"])


def test_a_gate_holds_figures_per_group_against_ceilings(run, capsys):
    ran("gate", "--run", run / "attacks", "--at_most", "lira_online_fixed:per_group:auc=1.0")
    assert "kept: lira_online_fixed:per_group:auc" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        ran("gate", "--run", run / "attacks", "--at_most", "lira_online_fixed:per_group:sum:auc=0.01")
    assert ended.value.code == 3


def test_budgets_outliers_exports_and_cards_work_on_groups(run, data):
    ran("low_budget", "--run", run, *ATTACKS)
    assert results(run / "low_budget")["unit"] == "group"
    ran("outliers", "--run", run, "--resamples", 50)
    found = results(run / "outliers")
    assert not breaches(found) and "By group" in (run / "outliers" / "report.html").read_text()
    _outliers_of_people(run, found["per_group"])
    ran("model_card", "--run", run)
    ran("export", "--run", run, "--format", "lira2021", "--out", data / "exported")
    assert not list((data / "exported").rglob("*.salt"))


def _outliers_of_people(run, found):
    """Each metric's mean over a person's rows, against how far the means of their scaled logits lie apart."""
    groups, member = np.load(run / "group_of_row.npy"), np.load(run / "membership.npy")
    phi = np.load(run / "signals.npy").astype(np.float64).mean(-1)

    def means(values):
        return np.stack([values[..., groups == person].mean(-1) for person in range(60)], -1)

    def separation(models):
        apart = []
        for person, of in enumerate(means(phi).T):
            inside = member[:, groups == person][:, 0]
            sides = [of[models & side] for side in (inside, ~inside)]
            if min(map(len, sides)) < 2:
                apart.append(np.nan)
                continue
            apart.append((sides[0].mean() - sides[1].mean()) / np.sqrt(sum(side.var(ddof=1) for side in sides)))
        return np.array(apart)

    name = "input_centroid_distance"  # which no model moves
    metric = means(np.asarray(read_table(run / "per_example.parquet")[f"metric_{name}"], np.float64))
    table = read_table(run / "per_group.parquet")
    assert sorted(table[f"metric_{name}"]) == pytest.approx(sorted(metric), rel=1e-6)
    assert "vulnerability_lira_online_fixed" in table and sum(table["rows"]) == 150
    assert found["num_groups"] == 60 >= found["num_known"] and found["best"]["all"]["spearman"]
    if found["num_known"] == 60:
        ways = [spearmanr(metric, separation(np.arange(16) % 2 == turn)).statistic for turn in (1, 0)]
        assert found["metrics"][name]["spearman"] == pytest.approx(np.mean(ways), abs=1e-6)


def test_an_audit_guesses_groups_whose_rows_share_a_coin(run):
    ran("audit", "--run", run, "--promised_epsilon", 1)
    found = results(run / "audit")
    assert found["canaries"]["count"] == 60 and found["num_groups"] == 60


def test_a_target_is_judged_by_group_where_it_took_groups_whole(run, data):
    member, logits = np.load(run / "membership.npy")[0], np.load(next((run / "logits").glob("*.npy")))[0, :, 0]
    np.savez(data / "target.npz", membership=member, logits=logits)
    ran("audit_target", "--run", run, "--target", data / "target.npz", *ATTACKS)
    found = results(run / "targets" / "target")
    assert found["attacks"]["lira_online_fixed"]["per_group"]["num_groups"] == 60
    assert "By group" in (run / "targets" / "target" / "report.html").read_text()
    table = read_table(run / "targets" / "target" / "per_group.parquet")
    assert sorted(table["key"]) == sorted(read_table(run / "per_group.parquet")["key"]) and sum(table["rows"]) == 150
    assert list(table["key"]) == sorted(table["key"]) and not (run / "targets" / "target" / "group_keys.salt").exists()
    broken = member.copy()
    groups = np.load(run / "group_of_row.npy")
    row = int(np.flatnonzero(groups == 3)[0])
    broken[row] = ~broken[row]
    np.savez(data / "broken.npz", membership=broken, logits=logits)
    ran("audit_target", "--run", run, "--target", data / "broken.npz", *ATTACKS)
    assert "per_group" not in results(run / "targets" / "broken")["attacks"]["lira_online_fixed"]


def read_json_form(found):
    read = to_json(from_json(Comparison, found))
    return {key: read[key] for key in ("attacks", "unit", "lead")}


def test_two_runs_are_compared_by_group_and_never_by_row_with_by_group(run, data, capsys):
    other = data / "other"
    more = ["--learning_rate", "0.01", "--out", other]
    ran("attacks", "--dataset", "npz", "--data_path", data / "people.npz", *SMALL, *more, *ATTACKS)
    ran("compare", "--run", run, "--with", other)
    found = results(run / "compare")
    groups, member = np.load(run / "group_of_row.npy"), np.load(run / "membership.npy")
    assert found["unit"] == "group" and found["paired"] and not breaches(found)
    whole = np.stack([member[:, groups == person][:, 0] for person in range(60)], 1)
    for attack, leads in (("lira_online_fixed", "sum"), ("global_threshold", "mean")):
        entry = found["attacks"][attack]["per_group"]
        assert entry["headline"] == leads and entry["auc"] == entry[leads]["auc"] and entry["num_groups"] == 60
        for join, together in (("sum", np.sum), ("mean", np.mean), ("max", np.max)):
            aucs = []
            for path in (run, other):
                scores = np.load(path / "scores" / f"{attack}.npy").astype(np.float64)
                of_people = [together(scores[:, groups == person], axis=1) for person in range(60)]
                aucs.append(figures_of(np.stack(of_people, 1), whole)[0])
            assert entry[join]["auc"]["before"] == pytest.approx(aucs[0], abs=1e-6)
            assert entry[join]["auc"]["after"] == pytest.approx(aucs[1], abs=1e-6)
            assert entry[join]["auc"]["change"] == pytest.approx(aucs[1] - aucs[0], abs=1e-6)
    table, counts = read_table(run / "compare" / "per_group.parquet"), found["attacks"]["lira_online_fixed"]
    assert list(table["group"]) == list(range(60)) and counts["per_group"]["exposure"]["tested"] <= 60
    page = (run / "compare" / "report.html").read_text()
    assert "by group," in page and "Of 2 attacks" in page
    assert read_json_form(found) == {key: found[key] for key in ("attacks", "unit", "lead")}
    arrays = dict(np.load(data / "people.npz"))
    np.savez(data / "pairs.npz", **{**arrays, "groups": np.arange(len(groups)) // 2})
    pairs = data / "pairs"
    ran("attacks", "--dataset", "npz", "--data_path", data / "pairs.npz", *SMALL, "--out", pairs, *ATTACKS)
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        ran("compare", "--run", run, "--with", pairs)
    assert ended.value.code == 2 and "rows have other groups" in capsys.readouterr().err
    del arrays["groups"]
    np.savez(data / "rows.npz", **arrays)
    rows = data / "rows"
    ran("attacks", "--dataset", "npz", "--data_path", data / "rows.npz", *SMALL, "--out", rows, *ATTACKS)
    with pytest.raises(SystemExit) as ended:
        ran("compare", "--run", run, "--with", rows)
    assert ended.value.code == 2


def test_private_training_protects_groups_and_bounds_are_about_them(data):
    where = data / "private"
    ran(
        "dpsgd", "--dataset", "npz", "--data_path", data / "people.npz", "--epochs", 2, "--widths", 8,
        "--batch_size", 8, "--split", "bernoulli", "--num_shadows", 12, "--epsilons", 8, "--dp_delta", "0.001",
        "--out", where, "--dp_epsilon", 8,
    )  # fmt: skip
    found = results(where)
    assert found["mechanism"]["unit"] == "group" and found["mechanism"]["adjacency"].endswith("one group")
    assert found["points"][0]["per_group"]["num_groups"] == 60
    page = (where / "report.html").read_text()
    assert "all rows of one" in page and "LiRA tests groups" in page and not breaches(found)
    with pytest.raises(SystemExit) as ended:
        ran("dpsgd", "--dataset", "npz", "--data_path", data / "people.npz", *SMALL, "--dp_unit", "row",
            "--dp_epsilon", 8, "--dp_delta", "0.001", "--out", data / "rows_private")  # fmt: skip
    assert ended.value.code == 2
