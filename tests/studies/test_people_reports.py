"""What is said of people stays the same wherever their rows come from: a campaign, an import, a target."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from miajax.cli import main
from miajax.runs.tables import read_table
from tests.campaign.plans import planned, trained
from tests.report.html import Document
from tests.schema import breaches

PEOPLE = 60
FOREST = ["--model", "sklearn.ensemble:RandomForestClassifier", "--model_args", '{"n_estimators": 10}']


def ran(*words):
    """A command, to its end."""
    main([str(word) for word in words])


def results(folder: Path):
    found = json.loads((folder / "results.json").read_text())
    assert breaches(found) == []
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A table of 60 people of 1 to 3 rows whose labels are their own, and a run on it by person, exported."""
    folder = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(PEOPLE), np.arange(PEOPLE) % 3 + 1)
    features = rng.normal(size=(PEOPLE, 4))[person] + 0.1 * rng.normal(size=(len(person), 4))
    label = rng.integers(0, 2, PEOPLE)[person]
    lines = [
        f"P{who:02d},{','.join(f'{x:.4f}' for x in row)},c{of}"
        for who, row, of in zip(person, features, label, strict=True)
    ]
    (folder / "t.csv").write_text("\n".join(["person,a,b,c,d,y", *lines]) + "\n")
    table = ["--dataset", "table", "--data_path", folder / "t.csv", "--label_column", "y", "--group_column", "person"]
    ran("lira", *table, *FOREST, "--num_shadows", 16, "--out", folder / "run")
    ran("export", "--run", folder / "run", "--format", "privacy_meter", "--out", folder / "exported")
    ran("import_signals", "--source", folder / "exported", "--format", "privacy_meter", "--out", folder / "import")
    member, logits = np.load(folder / "run" / "membership.npy")[0], np.load(next((folder / "run").glob("logits/*.npy")))
    np.savez(folder / "target.npz", membership=member, logits=logits[0, :, 0])
    quick = ["--attacks", "global_threshold", "lira_online_fixed"]
    ran("audit_target", "--run", folder / "run", "--target", folder / "target.npz", *quick)
    return folder


def test_a_run_by_groups_that_was_exported_and_imported_keeps_groups_unit_and_figures(place):
    own, imported = results(place / "run"), results(place / "import")
    assert (imported["unit"], imported["num_groups"]) == (own["unit"], own["num_groups"]) == ("group", PEOPLE)
    np.testing.assert_array_equal(*(np.load(place / name / "group_of_row.npy") for name in ("run", "import")))
    both = set(own["attacks"]) & set(imported["attacks"])
    assert {"lira_online", "lira_offline_fixed", "global_threshold"} <= both
    for name in both:
        one, other = (of["attacks"][name]["per_group"] for of in (own, imported))
        np.testing.assert_allclose([one["auc"], *one["auc_ci"]], [other["auc"], *other["auc_ci"]], atol=1e-9)
    same = ("name", "num_groups", "fewest_rows", "most_rows", "mean_rows", "single_row")
    assert [imported["groups"][key] for key in same] == [own["groups"][key] for key in same]
    tables = [read_table(place / name / "per_group.parquet") for name in ("run", "import")]
    for column in ("rows", "n_in", "n_out", "auc", "vulnerability_lira_online", "fpr_lira_online"):
        one, other = (np.sort(np.asarray(table[column], float)) for table in tables)
        np.testing.assert_allclose(one, other, atol=1e-12)
    assert sorted(map(int, tables[1]["key"])) == list(range(PEOPLE))


def test_an_import_without_groups_leaves_no_groups_of_the_one_before(place, tmp_path):
    names = ("memberships.npy", "signals/rmia_signals.npy")
    (tmp_path / "source" / "signals").mkdir(parents=True)
    for name in names:
        (tmp_path / "source" / name).write_bytes((place / "exported" / name).read_bytes())
    command = [
        "import_signals",
        "--source",
        tmp_path / "source",
        "--format",
        "privacy_meter",
        "--out",
        tmp_path / "out",
    ]
    ran(*command, "--groups", place / "run" / "group_of_row.npy")
    assert results(tmp_path / "out")["groups"]["name"] == "group"
    ran(*command)
    found = results(tmp_path / "out")
    assert (found["unit"], found["groups"]) == ("row", None)
    assert (
        not (tmp_path / "out" / "group_of_row.npy").exists() and not (tmp_path / "out" / "per_group.parquet").exists()
    )


def test_the_audit_report_of_an_import_by_groups_speaks_of_groups(place):
    ran("audit_report", "--run", place / "import")
    found, own = results(place / "import" / "audit_report"), results(place / "import")
    text = Document((place / "import" / "audit_report" / "report.html").read_text()).text
    assert (found["unit"], found["strongest"]) == ("person", own["groups"]["strongest"])
    assert len(found["most_exposed"]) == 10 and {one["name"] for one in found["most_exposed"]} <= set(
        map(str, range(PEOPLE))
    )
    assert f"One person with all its records: {PEOPLE} of them, 1 to 3 records each" in text
    assert "By person" in text and "Most exposed person: named with it" in text
    assert "Whether one person comes under several keys was not measured" in text


def test_the_audit_report_of_a_target_that_took_people_whole_speaks_of_people(place):
    folder = place / "run" / "targets" / "target"
    ran("audit_report", "--run", folder)
    found, own = results(folder / "audit_report"), results(folder)
    document = Document((folder / "audit_report" / "report.html").read_text())
    assert (own["unit"], own["num_groups"], own["groups"]["most_exposed"]) == ("group", PEOPLE, None)
    assert (found["unit"], found["strongest"]) == ("person", own["groups"]["strongest"])
    assert "how often a person would be named takes several trainings" in found["most_exposed_missing"]
    assert "By person" in document.text and "how exposed the single most exposed person is" in document.text
    assert not re.search(r"Not measured: .* record is", document.text)
    table = read_table(folder / "per_group.parquet")
    assert np.asarray(table["member"]).sum() + (~np.asarray(table["member"], bool)).sum() == PEOPLE
    auc = f"{own['attacks']['lira_online_fixed']['per_group']['auc']:.3f}"
    rows = [row for row in document.rows if row[0] == "LiRA online (fixed variance)"]
    assert any(len(row) == 2 and row[1].startswith(auc) for row in rows)  # no rate is resolved by 30 people


def test_a_target_that_took_some_rows_of_a_person_is_counted_by_row_and_says_so(place):
    with np.load(place / "target.npz") as arrays:
        logits, member = arrays["logits"], arrays["membership"].copy()
    member[np.load(place / "run" / "group_of_row.npy") == 2] = [True, False, False]
    np.savez(place / "divided.npz", membership=member, logits=logits)
    ran("audit_target", "--run", place / "run", "--target", place / "divided.npz", "--attacks", "global_threshold")
    found = results(place / "run" / "targets" / "divided")
    assert (found["unit"], found["groups"]) == ("row", None)
    assert any("some rows of a group and not on others" in note for note in found["notes"])


def test_a_report_on_models_that_others_trained_says_nothing_of_how_they_were_trained(tmp_path):
    planned(tmp_path)
    trained(tmp_path)
    ran("import_signals", "--plan", tmp_path / "plan", "--out", tmp_path / "run")
    ran("audit_report", "--run", tmp_path / "run")
    text = Document((tmp_path / "run" / "audit_report" / "report.html").read_text()).text
    assert "What a model trained elsewhere gives away" in text and "8 models trained elsewhere, each on its own" in text
    assert "Whether the model was trained with differential privacy was not recorded" in text
    assert "No differential privacy was used" not in text and "Differential privacy not known" in text
    assert "What training the 8 shadow models took was not recorded" in text
    html = (tmp_path / "run" / "audit_report" / "report.html").read_text()
    for unknown in ("On which machine", "When the models were made"):
        assert f"<dt>{unknown}</dt><dd>not recorded</dd>" in html
    made = results(tmp_path / "run")["made"]
    assert (made["by"], made["train_s"], made["first"], made["devices"]) == ("elsewhere", None, None, [])
    text = Document((tmp_path / "run" / "report.html").read_text()).text
    assert "8 models trained elsewhere; this command took" in text and "together spent" not in text
    ran("model_card", "--run", tmp_path / "run")


def test_what_an_estimator_does_by_itself_is_not_taken_for_training_without_privacy(place, capsys):
    ran("audit_report", "--run", place / "run")
    text = Document((place / "run" / "audit_report" / "report.html").read_text()).text
    assert "Whether the model was trained with differential privacy was not recorded" in text
    assert results(place / "run")["made"]["by"] == "estimator"
    ran("model_card", "--run", place / "run")
    assert "not known: the estimator trains by itself" in capsys.readouterr().out
