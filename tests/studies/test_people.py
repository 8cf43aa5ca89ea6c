"""A table of patients with several visits each: figures by row and by person, against plain NumPy."""

import json
import stat
from pathlib import Path

import numpy as np
import pytest

from miajax.campaign.config import CampaignConfig, Setup
from miajax.campaign.run import run_campaign
from miajax.data.dataset import Dataset
from miajax.data.registry import DataOptions, load_dataset
from miajax.library import config_from
from miajax.runs.group_names import SALT_FILE
from miajax.runs.tables import read_table
from miajax.studies.lira.study import LiraOptions, run_lira
from miajax.studies.near_groups import near_groups
from miajax.studies.table_slices import table_slices
from tests.studies.people import MODELS, PEOPLE, VISITS, figures_of, forests, lira_by_hand, patients


@pytest.fixture(scope="module")
def by_person(tmp_path_factory):
    path = tmp_path_factory.mktemp("by_person")
    setup = forests(path, group_column="patient", drop_columns=("site",))
    result = run_lira(setup, path / "run", LiraOptions(slice_column="site"))
    return result, json.loads((path / "run" / "results.json").read_text())


@pytest.fixture(scope="module")
def by_row(tmp_path_factory):
    path = tmp_path_factory.mktemp("by_row")
    setup = forests(path, drop_columns=("site", "patient"))
    return run_lira(setup, path / "run").results


def test_figures_by_row_and_by_person_are_those_of_plain_numpy(by_person):
    result, stored = by_person
    member = result.campaign.member
    assert (member.reshape(MODELS, PEOPLE, VISITS).all(2) == member.reshape(MODELS, PEOPLE, VISITS).any(2)).all()
    whole = member[:, ::VISITS]
    for attack, join in (("lira_online", "sum"), ("global_threshold", "mean"), ("lira_offline", "mean")):
        entry = stored["attacks"][attack]
        scores = np.asarray(result.scores[attack], np.float64)
        auc, tpr = figures_of(scores, member)
        assert entry["auc"] == pytest.approx(auc, abs=1e-6)
        assert entry["tpr_at_fpr"]["0.001"] == pytest.approx(tpr, abs=1e-6)
        cube = scores.reshape(MODELS, PEOPLE, VISITS)
        for name, together in (("sum", cube.sum(2)), ("mean", cube.mean(2)), ("max", cube.max(2))):
            auc, tpr = figures_of(together, whole)
            assert entry["per_group"][name]["auc"] == pytest.approx(auc, abs=1e-6)
            assert entry["per_group"][name]["tpr_at_fpr"]["0.001"] == pytest.approx(tpr, abs=1e-6)
        assert entry["per_group"]["headline"] == join
        assert entry["per_group"]["auc"] == entry["per_group"][join]["auc"]
    assert (stored["unit"], stored["num_groups"]) == ("group", PEOPLE)


def test_scores_of_rows_that_are_added_are_the_likelihood_ratios_of_the_signals(by_person):
    result, _ = by_person
    phi = np.asarray(result.campaign.signals[:, :40, 0], np.float64)
    by_hand = lira_by_hand(phi, result.campaign.member[:, :40])
    known = np.isfinite(result.scores["lira_online"][:, :40])
    np.testing.assert_allclose(result.scores["lira_online"][:, :40][known], by_hand[known], rtol=2e-3, atol=2e-3)


def test_by_person_the_leak_is_ten_times_what_rows_drawn_one_by_one_show(by_person, by_row):
    _, stored = by_person
    assert by_row["unit"] == "row" and by_row["num_groups"] is None and by_row["groups"] is None
    for attack in ("lira_online", "lira_online_fixed"):
        person, row = stored["attacks"][attack]["per_group"], by_row["attacks"][attack]
        assert person["tpr_at_fpr"]["0.001"] >= 10 * row["tpr_at_fpr"]["0.001"] > 0
        assert person["auc"] > row["auc"] + 0.05


def test_people_are_named_by_salted_hashes_whose_salt_its_owner_alone_can_read(by_person):
    result, stored = by_person
    table = read_table(result.folder / "per_group.parquet")
    assert len(table["key"]) == PEOPLE and set(table["rows"]) == {VISITS}
    assert not any(key.startswith("P") for key in table["key"]) and len(set(table["key"])) == PEOPLE
    assert list(table["key"]) == sorted(table["key"])
    assert stat.S_IMODE((result.folder / SALT_FILE).stat().st_mode) == 0o600
    assert (np.asarray(table["n_in"]) + np.asarray(table["n_out"]) == MODELS).all()
    whole = result.campaign.member[:, ::VISITS]
    assert sorted(table["n_in"]) == sorted(whole.sum(0))
    exposed = stored["groups"]["most_exposed"]
    at = list(table["key"]).index(exposed["group"])
    assert table[f"vulnerability_{exposed['attack']}"][at] == pytest.approx(exposed["tpr"])


def test_the_report_has_both_kinds_of_figures_and_the_slices(by_person):
    result, stored = by_person
    page = (result.folder / "report.html").read_text()
    for words in ("By patient", "Tested on a whole patient instead of a row", "By site", "west (few)"):
        assert words in page
    slices = stored["spread"]["slices"]
    assert set(slices) == {"north", "south", "west"} and slices["west"]["few_groups"]
    assert sum(of["num_groups"] for of in slices.values()) == PEOPLE
    assert any("fewer than 30 groups stand behind west" in note for note in stored["notes"])
    member, lead = result.campaign.member, stored["spread"]["attack"]
    scores = np.asarray(result.scores[lead], np.float64)
    known = np.isfinite(scores)
    outside = np.sort(scores[~member & known])
    refused = outside[len(outside) - 1 - int(0.01 * len(outside))]
    lines = Path(result.campaign.setup.config.data.data_path).read_text().splitlines()[1:]
    rows = np.array([line.split(",")[1] == "south" for line in lines])
    share = (scores > refused)[member & known & rows].mean()
    assert slices["south"]["tpr"] == pytest.approx(share, abs=1e-6)
    visits = scores.reshape(MODELS, PEOPLE, VISITS)
    joined = {"sum": visits.sum(2), "mean": visits.mean(2)}[stored["groups"]["joins"][lead]]
    assert known.all()
    whole, people = member[:, ::VISITS], rows[::VISITS]
    apart = np.sort(joined[~whole])
    refused = apart[len(apart) - 1 - int(0.01 * len(apart))]
    share = (joined > refused)[whole & people].mean()
    assert slices["south"]["per_group"]["tpr"] == pytest.approx(share, abs=1e-6)
    auc, _ = figures_of(joined[:, people], whole[:, people])
    assert slices["south"]["per_group"]["auc"] == pytest.approx(auc, abs=1e-6)


def small(groups=None):
    rng = np.random.default_rng(1)
    features = rng.normal(size=(80, 6)).astype(np.float32)
    return Dataset(features, np.arange(80) % 2, name="people", groups=groups)


def test_own_keys_are_written_where_that_was_allowed(tmp_path):
    path = patients(tmp_path / "p.csv")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:161]))
    config = config_from(
        CampaignConfig(), dataset="table", num_shadows=4, data_path=str(path), label_column="y", group_column="patient",
        drop_columns=("site",), keep_keys=True, epochs=1, widths=(8,), batch_size=8,
    )  # fmt: skip
    result = run_lira(Setup.of(config), tmp_path / "run")
    table = read_table(result.folder / "per_group.parquet")
    assert list(table["key"]) == [f"P{person:04}" for person in range(40)]
    assert not (result.folder / SALT_FILE).exists()
    assert result.results["groups"]["keys"] == "own"


def test_one_person_under_two_keys_is_named():
    dataset = small(np.repeat(np.arange(20), 4))
    features = dataset.features.copy()
    features[76:] = features[:4] + 1e-3
    names = [f"P{group}" for group in range(20)]
    found = near_groups(features, dataset.groups, names)
    assert found.count == 1 and sorted(found.pairs[0][:2]) == ["P0", "P19"] and found.pairs[0][2:] == (4, 4)
    assert near_groups(dataset.features, dataset.groups, names).count == 0


def test_a_run_of_rows_says_nothing_of_groups(tmp_path):
    config = config_from(CampaignConfig(), dataset="people", num_shadows=4, epochs=1, widths=(8,), batch_size=8)
    setup = Setup.of(config, small())
    assert run_campaign(setup, tmp_path).setup.dataset.groups is None
    assert not (tmp_path / "group_of_row.npy").exists()


def test_the_table_of_patients_is_refused_where_its_key_would_be_a_feature(tmp_path):
    from miajax.errors import UserError

    path = patients(tmp_path / "p.csv")
    with pytest.raises(UserError, match=r"column patient .*--group_column 'patient'"):
        load_dataset("table", DataOptions(data_path=str(path), label_column="y"))


def test_slices_by_the_key_of_people_would_name_them(tmp_path):
    from miajax.errors import UserError

    lines = ["patient,ward,x,y", *(f"P{row // 4},W{row // 8},{row * 7 % 11}.5,{'ab'[row % 2]}" for row in range(32))]
    (tmp_path / "p.csv").write_text("\n".join(lines))
    config = config_from(
        CampaignConfig(), dataset="table", data_path=str(tmp_path / "p.csv"), label_column="y", group_column="patient",
        drop_columns=("ward",), batch_size=4,
    )  # fmt: skip
    setup = Setup.of(config)
    with pytest.raises(UserError, match="--slice_column patient is another name of the groups by patient"):
        table_slices(setup, "patient")
    assert len(set(table_slices(setup, "ward")["ward"])) == 4
    kept = Setup.of(config_from(config, keep_keys=True))
    assert len(set(table_slices(kept, "patient")["patient"])) == 8
