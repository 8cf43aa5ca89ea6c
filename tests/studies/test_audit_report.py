"""The audit report of runs, imports and audited targets: what it says was measured, and what was not."""

import importlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from miajax.campaign.privacy import privacy_record
from miajax.cli import main
from miajax.errors import UserError
from miajax.runs.atomic import hash_of
from miajax.studies.audit_report.guidance import QUESTIONS
from miajax.studies.audit_report.options import STATED, AuditReportOptions
from miajax.studies.audit_report.study import run_audit_report
from miajax.studies.audit_report.words import odds_sentence
from miajax.studies.invocation import Invocation, PageFiles
from miajax.training.dp.mechanism import Privacy, resolve
from miajax.training.recipe import Recipe
from tests.golden.fixed_run import fixed_arrays, fixed_run, fixed_target
from tests.report.fixtures import HOSTILE
from tests.report.html import Document
from tests.schema import breaches

ABSENCE = r"\b(no leak|is safe\b(?<!that a model is safe)|are safe|does not leak|leaks nothing|no risk|is anonymous)\b"
QUICK = ["--attacks", "global_threshold", "gap", "lira_online_fixed"]


def _command(name: str, *argv: str) -> None:
    importlib.import_module(f"miajax.cli.{name}").run(list(argv))


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """A run, a target audited with it, an import."""
    root = tmp_path_factory.mktemp("audited")
    fixed_run(root / "run", 32)
    _command("lira", "--run", str(root / "run"))
    fixed_target(root / "target.npz", root / "run")
    _command("audit_target", "--run", str(root / "run"), "--target", str(root / "target.npz"), *QUICK)
    fixed_arrays(root / "arrays.npz")
    _command(
        "import_signals", "--source", str(root / "arrays.npz"), "--format", "arrays", "--out", str(root / "import")
    )
    return {"run": root / "run", "target": root / "run" / "targets" / "target", "import": root / "import"}


def _report(folder: Path, out: Path, **options) -> tuple[dict, Document]:
    result = run_audit_report(folder, out, AuditReportOptions(**options), Invocation("audit <&>"))
    written = json.loads((out / "results.json").read_text())
    assert written == json.loads(json.dumps(result.results))
    return written, Document((out / "report.html").read_text())


@pytest.mark.parametrize("kind", ["run", "target", "import"])
def test_every_kind_of_audit_has_its_report(folders, tmp_path, kind):
    results, document = _report(folders[kind], tmp_path / "out")
    study = json.loads((folders[kind] / "results.json").read_text())
    assert breaches(results) == [] and (results["study"], results["kind"]) == ("audit_report", kind)
    assert results["strongest"] == study["strongest"] and results["num_examples"] == study["num_examples"]
    assert results["num_models"] == (1 if kind == "target" else study["num_valid"])
    assert not re.search(ABSENCE, document.text, re.IGNORECASE)
    for topic in ("Means", "Extraction", "Membership", "Most exposed person", "What was tested", "Safeguards",
                  "Documentation", "Questions of the authorities", "Limits", "Definitions", "Sign-off"):  # fmt: skip
        assert ("section", "id", re.sub("[^a-z]+", "-", topic.lower())) in document.attributes
    assert "Appendix" not in document.text and "audit <&>" in document.text


def test_what_was_not_measured_is_said_to_be(folders, tmp_path):
    results, document = _report(folders["target"], tmp_path / "out")
    answers = {answer["section"]: answer["status"] for answer in results["answers"]}
    assert list(answers) == [question.section for question in QUESTIONS]
    assert answers["Extraction"] == answers["Most exposed person"] == answers["Safeguards"] == "not measured"
    assert results["most_exposed"] == [] and "One model was trained once" in results["most_exposed_missing"]
    assert "How likely direct extraction is was not measured" in document.text
    assert "Whether the model was trained with differential privacy was not recorded" in document.text
    for name in ("Model inversion", "Attribute inference", "Reconstruction", "Regurgitation"):
        assert next(row for row in document.rows if row[0] == name)[-1] == "not measured"


def test_the_most_exposed_records_are_counted_on_the_models_that_did_not_choose_them(folders, tmp_path):
    results, document = _report(folders["run"], tmp_path / "out", worst=4)
    signals, member = (np.load(folders["run"] / f"{name}.npy") for name in ("signals", "membership"))
    assert len(results["most_exposed"]) == 4
    for one in results["most_exposed"]:
        named = signals[1::2, one["record"], 0] >= one["threshold"]
        inside = member[1::2, one["record"]]
        assert (one["named_in"], one["num_in"]) == ((named & inside).sum(), inside.sum())
        assert (one["named_out"], one["num_out"]) == ((named & ~inside).sum(), (~inside).sum())
        row = next(row for row in document.rows if row[0] == str(one["record"]))
        assert row[1] == f"{one['named_in']} of {one['num_in']}"
        assert row[-1] == ("yes" if one["above_chance"] else "not shown")


def test_files_are_named_with_their_hashes(folders, tmp_path):
    results, document = _report(folders["run"], tmp_path / "out")
    assert {"results.json", "manifest.json", "membership.npy"} <= {file["name"] for file in results["files"]}
    for file in results["files"]:
        assert file["sha256"] == hash_of(folders["run"] / file["name"]) and file["sha256"] in document.text


def test_what_the_auditor_states_is_shown_as_stated_and_the_rest_left_blank(folders, tmp_path):
    stated = {field: f"{field} {HOSTILE}" for field in STATED}
    results, document = _report(folders["run"], tmp_path / "all", **stated)
    assert results["stated"] == {field: " ".join(text.split()) for field, text in stated.items()}
    assert "script" not in document.tags and "not stated" not in document.text
    results, document = _report(folders["run"], tmp_path / "none")
    assert set(results["stated"].values()) == {None} and document.text.count("not stated") > len(STATED) - 2
    html = (tmp_path / "none" / "report.html").read_text()
    assert html.count("<dd></dd>") == 6  # lines to sign


def test_the_raw_configuration_is_an_appendix_for_those_who_ask(folders, tmp_path):
    _, document = _report(folders["run"], tmp_path / "out", appendix=True)
    assert "Raw configuration" in document.text
    assert any(row[0] == "recipe.epochs" for row in document.rows)
    assert not any(row[0].endswith("seal") for row in document.rows)


def test_groups_are_told_where_a_study_looked_at_them(folders, tmp_path):
    run = shutil.copytree(folders["run"], tmp_path / "run")
    study = json.loads((run / "results.json").read_text())
    assert "Not measured: groups of people" in _report(run, tmp_path / "before")[1].text
    entry = {"auc": 0.7, "auc_ci": [0.6, 0.8], "num_members": 12}
    lower = entry | {"auc": 0.8, "auc_ci": [0.5, 0.9]}
    of = {
        "region": {"north": lower, "south": entry, "empty": None},
        "prediction": {"wrong": entry | {"auc_ci": [0.9, 1]}},
    }
    study["attacks"][study["strongest"]["attack"]]["slices"] = of
    (run / "results.json").write_text(json.dumps(study))
    results, document = _report(run, tmp_path / "after")
    assert [(group["by"], group["name"]) for group in results["groups"]] == [("region", "north"), ("region", "south")]
    assert "Of 2 groups, region south has the highest lower end: AUC 0.700 [0.600, 0.800]." in document.text


def _private(run: Path, to: Path, **asked) -> Path:
    """A copy of a run whose results say that training was private."""
    run = shutil.copytree(run, to)
    study = json.loads((run / "results.json").read_text())
    mechanism = resolve(Privacy(**asked), Recipe(epochs=2, batch_size=16), 100, True)
    study["privacy"] = privacy_record(mechanism, np.array([12, 12]))
    (run / "results.json").write_text(json.dumps(study))
    return run


def test_a_guarantee_is_told_in_the_terms_of_its_guidelines(folders, tmp_path):
    run = _private(folders["run"], tmp_path / "run", epsilon=2.0)
    results, document = _report(run, tmp_path / "out")
    assert results["privacy"]["epsilon"] <= 2.0
    assert "Differential privacy bounds what leaks: epsilon 2.00 at delta 1e-05" in document.text
    for term in ("Unit of privacy", "Trust model", "Threat model", "Hazards that the guarantee does not cover"):
        assert term in document.text
    assert (
        f"e^ε = {np.ceil(100 * np.exp(results['privacy']['epsilon'])) / 100:g} " in document.text
        and "Floating-point arithmetic." in document.text
    )
    assert "Not measured. miajax audit --run DIR looks for a lower bound on epsilon." in document.text
    (run / "audit").mkdir()
    bounds = {
        "one_run": {"epsilon_lower": 0.517, "confidence": 0.95},
        "gdp": {"epsilon_lower": None, "confidence": 0.9},
    }
    (run / "audit" / "results.json").write_text(json.dumps({"study": "audit", "bounds": bounds}))
    results, document = _report(run, tmp_path / "audited")
    assert "A lower bound on epsilon of 0.51 at confidence 95 %" in document.text.replace("\u00a0", " ")
    assert "audit/results.json" in {file["name"] for file in results["files"]}


def test_clipping_without_noise_is_no_guarantee(folders, tmp_path):
    run = _private(folders["run"], tmp_path / "run", epsilon=float("inf"))
    document = _report(run, tmp_path / "out")[1]
    assert "its noise gives no guarantee" in document.text and "nothing is promised" in document.text


@pytest.mark.parametrize(
    ("epsilon", "said"),
    [
        (0.0, "e^ε = 1 "),
        (0.1, "e^ε = 1.11 "),
        (8.0, "next to nothing"),
        (1e6, "more than a million"),
        (None, "nothing is promised"),
    ],
)
def test_what_epsilon_promises_is_said_for_small_huge_and_none(epsilon, said):
    assert said in odds_sentence(epsilon)


def test_models_that_failed_and_a_target_like_no_shadow_are_on_the_first_page(folders, tmp_path):
    folder = shutil.copytree(folders["target"], tmp_path / "target")
    study = json.loads((folder / "results.json").read_text())
    study |= {"comparable": False, "not_comparable": ["Its accuracy is 0.9; theirs 0.5."], "failed_models": [1, 2]}
    (folder / "results.json").write_text(json.dumps(study))
    text = _report(folder, tmp_path / "out")[1].text
    assert "not comparable with the shadow models" in text and "Its accuracy is 0.9; theirs 0.5." in text
    assert "2 models did not train well" in text


def test_where_no_attack_could_be_measured_the_report_says_so(folders, tmp_path):
    run = shutil.copytree(folders["run"], tmp_path / "run")
    study = json.loads((run / "results.json").read_text()) | {"strongest": None, "attacks": {}}
    (run / "results.json").write_text(json.dumps(study))
    results, document = _report(run, tmp_path / "out")
    assert "No attack could be measured" in document.text and results["strongest"] is None
    assert {"Means", "Membership", "What was tested"} <= {
        answer["section"] for answer in results["answers"] if answer["status"] == "not measured"
    }


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--worst", "0"], "--worst 0; expected 1 or more records"),
        (["--auditor", " "], "--auditor is empty"),
        (["--run", "nowhere"], "nowhere holds no results.json"),
        (["--num_shadows", "3"], "It trains nothing and reads figures as they are"),
    ],
)
def test_bad_input_is_one_line(folders, capsys, flags, said):
    with pytest.raises(SystemExit) as end:
        main(["audit_report", "--run", str(folders["run"]), *flags])
    error = capsys.readouterr().err
    assert end.value.code == 2 and error.count("\n") == 1 and said in error


def test_a_study_without_its_run_is_refused(folders, tmp_path):
    (tmp_path / "results.json").write_bytes((folders["run"] / "results.json").read_bytes())
    with pytest.raises(UserError, match="holds a study without its run"):
        run_audit_report(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_prints_its_answers_and_where_everything_lies(folders, tmp_path, capsys):
    main(["audit_report", "--run", str(folders["run"]), "--out", str(tmp_path), "--vector", "--auditor", "A. Auditor"])
    out = capsys.readouterr().out
    assert "Extraction (not measured)" in out and f"figures: {tmp_path / 'figures'}" in out
    stem = "01-membership-members-named-against-false-alarms"
    assert sorted(file.name for file in (tmp_path / "figures").iterdir()) == [f"{stem}.pdf", f"{stem}.svg"]


def test_a_page_that_cannot_be_printed_loses_nothing(folders, tmp_path, monkeypatch):
    def refuse(page, file):
        raise UserError("no ink")

    monkeypatch.setattr("miajax.report.pdf.write_pdf", refuse)
    with pytest.raises(UserError, match="no ink"):
        run_audit_report(folders["run"], tmp_path, invocation=Invocation(files=PageFiles(pdf=True)))
    assert breaches(json.loads((tmp_path / "results.json").read_text())) == [] and (tmp_path / "report.html").is_file()
