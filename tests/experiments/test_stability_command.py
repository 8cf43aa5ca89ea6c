"""Stability from one command: files, figures that belong together, the page, and what bad input is told."""

import json

import pytest

from experiments import lira, stability
from miajax.metrics.json_form import from_json, to_json
from miajax.studies.stability.figures import Stability
from tests.experiments.test_attacks_command import main
from tests.golden.fixed_run import fixed_run
from tests.report.html import Document
from tests.schema import breaches

ATTACKS = ("lira_online_fixed", "global_threshold", "calibrated", "union")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    fixed_run(folder)
    patch = pytest.MonkeyPatch()
    flags = ["--run", str(folder), "--attacks", *ATTACKS, "--targets", "6", "--fpr", "0.05", "--top", "0.05"]
    assert main(patch, stability, *flags) == 0
    patch.undo()
    return folder, json.loads((folder / "stability" / "results.json").read_text())


def test_results_keep_the_schema_and_come_back_as_the_value_that_they_were(finished):
    _, results = finished
    assert breaches(results) == [] and results["study"] == "stability"
    again = to_json(from_json(Stability, results))
    assert {key: again[key] for key in again} == {key: results[key] for key in again}


def test_figures_of_one_attack_belong_together(finished):
    _, results = finished
    assert set(results["attacks"]) == set(ATTACKS) and results["main_attack"] == "lira_online_fixed"
    assert results["ensembles"] == ["union"]
    assert results["num_attackers"] == 2 and results["models_per_attacker"] == 5 and results["num_targets"] == 6
    for entry in results["attacks"].values():
        of = entry["sub_ensembles"]
        assert of["found_by_all"] <= of["tpr"] <= of["found_by_any"]
        assert of["flips"] == pytest.approx(of["found_by_any"] - of["found_by_all"])
        assert of["jaccard"] == pytest.approx(of["found_by_all"] / of["found_by_any"])
        assert set(entry["curve"]) == {"4", "8"}
    pairs = {(pair["attack"], pair["other"]) for pair in results["pairs"]}
    assert len(pairs) == 3 and not any("union" in pair for pair in pairs)


def test_the_report_stands_alone_and_answers_objections(finished):
    folder, results = finished
    document = Document((folder / "stability" / "report.html").read_text())
    assert "script" not in document.tags and "None" not in document.text and "nan" not in document.text.split()
    assert "Another set of shadow models" in document.text
    answers = {each["objection"]: each for each in results["objections"]}
    assert answers["instability"]["measured"] and answers["distribution_shift"]["measured"]
    assert not answers["prior"]["measured"] and answers["prior"]["keys"] == []
    assert (folder / "stability" / "overlap.png").read_bytes().startswith(b"\x89PNG")


def test_a_run_of_another_seed_stands_beside_this_one(finished, tmp_path, monkeypatch, capsys):
    fixed_run(tmp_path / "other", seed=1)
    assert main(monkeypatch, lira, "--run", str(tmp_path / "other")) == 0
    flags = ["--attacks", *ATTACKS[:2], "union", "--targets", "3", "--top", "0.05"]
    assert main(monkeypatch, stability, "--run", str(finished[0]), *flags, "--runs", str(tmp_path / "other")) == 0
    results = json.loads((finished[0] / "stability" / "results.json").read_text())
    assert breaches(results) == [] and results["other_runs"] == ["other"]
    found = {name: entry["across_runs"] for name, entry in results["attacks"].items()}
    assert found["union"] is None and found["lira_online_fixed"]["num_sets"] == 2
    assert 0.0 <= found["lira_online_fixed"]["shared_top"] <= 1.0
    assert "This run and other" in (finished[0] / "stability" / "report.html").read_text()
    for run, told in ((finished[0], "the run itself"), (tmp_path, "is not a run folder")):
        capsys.readouterr()
        assert main(monkeypatch, stability, "--run", str(finished[0]), "--runs", str(run)) == 2
        assert told in capsys.readouterr().err


BAD = {
    "unknown": (["--attacks", "lyra"], "lyra is unknown"),
    "trains": (["--attacks", "quantile"], "trains networks"),
    "sets": (["--sets", "4"], "cannot be cut into 5 sets"),
    "rate": (["--fpr", "1.5"], "between 0 and 1"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_status_2(case, finished, monkeypatch, capsys):
    flags, told = BAD[case]
    assert main(monkeypatch, stability, "--run", str(finished[0]), *flags) == 2
    lines = [line for line in capsys.readouterr().err.strip().splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and told in lines[0], lines
