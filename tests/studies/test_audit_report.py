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
from miajax.metrics.intervals import clopper_pearson
from miajax.metrics.most_exposed import most_exposed
from miajax.runs.atomic import hash_of
from miajax.runs.tables import write_table
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
def run(tmp_path_factory) -> Path:
    """A run that LiRA attacked."""
    folder = tmp_path_factory.mktemp("audited") / "run"
    fixed_run(folder, 32)
    _command("lira", "--run", str(folder))
    return folder


@pytest.fixture(scope="module")
def target(run) -> Path:
    """A target audited with its models."""
    fixed_target(run.parent / "target.npz", run)
    _command("audit_target", "--run", str(run), "--target", str(run.parent / "target.npz"), *QUICK)
    return run / "targets" / "target"


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> Path:
    """Signals from elsewhere."""
    folder = tmp_path_factory.mktemp("imported")
    fixed_arrays(folder / "arrays.npz")
    _command(
        "import_signals", "--source", str(folder / "arrays.npz"), "--format", "arrays", "--out", str(folder / "out")
    )
    return folder / "out"


def _report(folder: Path, out: Path, **options) -> tuple[dict, Document]:
    result = run_audit_report(folder, out, AuditReportOptions(**options), Invocation("audit <&>"))
    written = json.loads((out / "results.json").read_text())
    assert written == {"schema_version": 1, "study": "audit_report", **json.loads(json.dumps(result.results))}
    return written, Document((out / "report.html").read_text())


SLOW = pytest.mark.slow  # attacks are compiled


@pytest.mark.parametrize("kind", ["run", pytest.param("target", marks=SLOW), pytest.param("imported", marks=SLOW)])
def test_every_kind_of_audit_has_its_report(request, tmp_path, kind):
    folder = request.getfixturevalue(kind)
    results, document = _report(folder, tmp_path / "out")
    study = json.loads((folder / "results.json").read_text())
    assert breaches(results) == [] and (results["study"], results["kind"]) == (
        "audit_report",
        kind.replace("imported", "import"),
    )
    assert results["strongest"] == study["strongest"] and results["num_examples"] == study["num_examples"]
    assert results["num_models"] == (1 if kind == "target" else study["num_valid"])
    assert not re.search(ABSENCE, document.text, re.IGNORECASE)
    for topic in ("Means", "Extraction", "Membership", "Most exposed person", "What was tested", "Safeguards",
                  "Documentation", "Questions of the authorities", "Limits", "Definitions", "Sign-off"):  # fmt: skip
        assert ("section", "id", re.sub("[^a-z]+", "-", topic.lower())) in document.attributes
    assert "Appendix" not in document.text and "audit <&>" in document.text


@SLOW
def test_what_was_not_measured_is_said_to_be(target, tmp_path):
    results, document = _report(target, tmp_path / "out")
    answers = {answer["section"]: answer["status"] for answer in results["answers"]}
    assert list(answers) == [question.section for question in QUESTIONS]
    assert answers["Extraction"] == answers["Most exposed person"] == answers["Safeguards"] == "not measured"
    assert results["most_exposed"] == [] and "One model was trained once" in results["most_exposed_missing"]
    assert "How likely direct extraction is was not measured" in document.text
    assert "Whether the model was trained with differential privacy was not recorded" in document.text
    for name in ("Model inversion", "Attribute inference", "Reconstruction", "Regurgitation"):
        assert next(row for row in document.rows if row[0] == name)[-1] == "not measured"


def test_the_most_exposed_records_are_counted_on_the_models_that_did_not_choose_them(run, tmp_path):
    results, document = _report(run, tmp_path / "out", worst=4)
    signals, member = (np.load(run / f"{name}.npy") for name in ("signals", "membership"))
    assert len(results["most_exposed"]) == 4
    for one in results["most_exposed"]:
        inside = member[1::2, int(one["name"])]
        assert (one["num_in"], one["num_out"]) == (inside.sum(), (~inside).sum())
        row = next(row for row in document.rows if row[0] == one["name"])
        assert row[1] == f"{one['named_in']} of {one['num_in']}"
        assert row[-1] == ("yes" if one["named_in_ci"][0] > one["named_out_ci"][1] else "not shown")
    own = most_exposed(signals.mean(2), member, np.ones(len(member), bool), 4)
    assert [(str(one.record), one.named_in, one.named_out) for one in own] == [
        (one["name"], one["named_in"], one["named_out"]) for one in results["most_exposed"]
    ]


def test_files_are_named_with_their_hashes(run, tmp_path):
    results, document = _report(run, tmp_path / "out")
    assert {"results.json", "manifest.json", "membership.npy"} <= {file["name"] for file in results["files"]}
    for file in results["files"]:
        assert file["sha256"] == hash_of(run / file["name"]) and file["sha256"] in document.text


def test_what_the_auditor_states_is_shown_as_stated_and_the_rest_left_blank(run, tmp_path):
    stated = {field: f"{field} {HOSTILE}" for field in STATED}
    results, document = _report(run, tmp_path / "all", **stated)
    assert results["stated"] == {field: " ".join(text.split()) for field, text in stated.items()}
    assert "script" not in document.tags and "not stated" not in document.text
    results, document = _report(run, tmp_path / "none")
    assert set(results["stated"].values()) == {None} and document.text.count("not stated") > len(STATED) - 2
    html = (tmp_path / "none" / "report.html").read_text()
    assert html.count("<dd></dd>") == 6  # lines to sign


def test_the_raw_configuration_is_an_appendix_for_those_who_ask(run, tmp_path):
    _, document = _report(run, tmp_path / "out", appendix=True)
    assert "Raw configuration" in document.text
    assert any(row[0] == "recipe.epochs" for row in document.rows)
    assert not any(row[0].endswith("seal") for row in document.rows)


def test_groups_are_told_where_a_study_looked_at_them(run, tmp_path):
    run = shutil.copytree(run, tmp_path / "run")
    study = json.loads((run / "results.json").read_text())
    assert "Not measured: subgroups of the people in the data" in _report(run, tmp_path / "before")[1].text
    entry = {"auc": 0.7, "auc_ci": [0.6, 0.8], "num_members": 12}
    lower = entry | {"auc": 0.8, "auc_ci": [0.5, 0.9]}
    of = {
        "region": {"north": lower, "south": entry, "empty": None},
        "prediction": {"wrong": entry | {"auc_ci": [0.9, 1]}},
    }
    study["attacks"][study["strongest"]["attack"]]["slices"] = of
    (run / "results.json").write_text(json.dumps(study))
    results, document = _report(run, tmp_path / "after")
    assert [(each["by"], each["name"]) for each in results["slices"]] == [("region", "north"), ("region", "south")]
    most = "Of 2 groups of records, region south has the highest lower end: AUC 0.700 [0.586, 0.814], the interval that"
    assert most in document.text


def _by_patient(run: Path, to: Path) -> Path:
    """A copy of a run whose results are by patient, three records each, of whom patient c is always named."""
    run = shutil.copytree(run, to)
    study = json.loads((run / "results.json").read_text())
    groups = np.arange(study["num_examples"], dtype=np.int32) // 3
    np.save(run / "group_of_row.npy", groups)
    lead = study["strongest"] | {"value": 0.5, "ci": [0.4, 0.6]}
    attack = lead["attack"]
    study["groups"] = {
        "name": "patient", "num_groups": 3, "fewest_rows": 3, "most_rows": 3, "strongest": lead, "keys": "own",
        "joins": dict.fromkeys(study["attacks"], "sum"), "most_exposed": None, "mean_rows": 3.0, "single_row": 0,
        "near_copies": {"count": 0, "searched": 9, "near_below": 1.0, "pairs": []},
    }  # fmt: skip
    for entry in study["attacks"].values():
        of = {**entry, "auc": 0.9, "auc_ci": [0.8, 0.95]}
        entry["per_group"] = {**of, "headline": "sum", "num_groups": 3, **dict.fromkeys(("sum", "mean", "max"), of)}
    (run / "results.json").write_text(json.dumps(study))
    shares = {f"vulnerability_{attack}": np.array([0.5, np.nan, 1.0]), f"fpr_{attack}": np.array([0.25, 0.0, 0.0])}
    counts = {"n_in": np.array([40, 0, 40], np.int32), "n_out": np.array([40, 9, 32], np.int32)}
    write_table(run / "per_group.parquet", {"key": np.array(["a", "b", "c"]), **counts, **shares})
    return run


def test_where_members_are_people_the_report_is_about_people(run, tmp_path):
    folder = _by_patient(run, tmp_path / "run")
    results, document = _report(folder, tmp_path / "out")
    assert (results["unit"], results["strongest"]["value"]) == ("patient", 0.5)
    assert [(one["name"], one["named_in"], one["num_in"], one["named_out"], one["num_out"])
            for one in results["most_exposed"]] == [("c", 40, 40, 0, 32), ("a", 20, 40, 10, 40)]  # fmt: skip
    first = results["most_exposed"][0]
    assert first["named_in_ci"] == clopper_pearson(40, 40, 1 - 0.05 / 4)  # two people have models on both sides
    assert "The most exposed patient found was named in 40 of 40 trainings with it and in 0 of 32" in document.text
    assert "One patient with all its records: 3 of them, 3 records each." in document.text
    assert "Only 3 groups by patient stand behind every figure" in document.text
    assert (
        "names 50.0 % of the members" in document.text.replace("\u00a0", " ")
        and "0.900 [0.800, 0.950]" in document.text
    )
    answers = {answer["section"]: answer["status"] for answer in results["answers"]}
    assert answers["Most exposed person"] == "measured"


def test_a_guarantee_by_record_is_not_called_one_by_patient(run, tmp_path):
    folder = _private(_by_patient(run, tmp_path / "run"), tmp_path / "private", epsilon=2.0)
    text = _report(folder, tmp_path / "out")[1].text
    assert "Members were drawn by patient, but the guarantee is by record." in text


def _private(run: Path, to: Path, **asked) -> Path:
    """A copy of a run whose results say that training was private."""
    run = shutil.copytree(run, to)
    study = json.loads((run / "results.json").read_text())
    mechanism = resolve(Privacy(**asked), Recipe(epochs=2, batch_size=16), 100, True)
    study["privacy"] = privacy_record(mechanism, np.array([12, 12]))
    (run / "results.json").write_text(json.dumps(study))
    return run


def test_a_guarantee_is_told_in_the_terms_of_its_guidelines(run, tmp_path):
    run = _private(run, tmp_path / "run", epsilon=2.0)
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


def test_clipping_without_noise_is_no_guarantee(run, tmp_path):
    run = _private(run, tmp_path / "run", epsilon=float("inf"))
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


@SLOW
def test_models_that_failed_and_a_target_like_no_shadow_are_on_the_first_page(target, tmp_path):
    folder = shutil.copytree(target, tmp_path / "target")
    study = json.loads((folder / "results.json").read_text())
    study |= {"comparable": False, "not_comparable": ["Its accuracy is 0.9; theirs 0.5."], "failed_models": [1, 2]}
    (folder / "results.json").write_text(json.dumps(study))
    text = _report(folder, tmp_path / "out")[1].text
    assert "not comparable with the shadow models" in text and "Its accuracy is 0.9; theirs 0.5." in text
    assert "2 models did not train well" in text


def test_where_no_attack_could_be_measured_the_report_says_so(run, tmp_path):
    run = shutil.copytree(run, tmp_path / "run")
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
def test_bad_input_is_one_line(run, capsys, flags, said):
    with pytest.raises(SystemExit) as end:
        main(["audit_report", "--run", str(run), *flags])
    error = capsys.readouterr().err
    assert end.value.code == 2 and error.count("\n") == 1 and said in error


def test_a_study_without_its_run_is_refused(run, tmp_path):
    (tmp_path / "results.json").write_bytes((run / "results.json").read_bytes())
    with pytest.raises(UserError, match="holds a study without its run"):
        run_audit_report(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [("versions", [1]), ("num_valid", "x"), ("failed_models", 3), ("notes", None), ("train_accuracy", {}), ("made", 1)],
)
def test_figures_that_are_none_are_refused_before_anything_is_written(run, tmp_path, key, value):
    folder = shutil.copytree(run, tmp_path / "run")
    results = json.loads((folder / "results.json").read_text())
    (folder / "results.json").write_text(json.dumps({**results, key: value}))
    with pytest.raises(UserError, match=r"results\.json does not hold what is read of it"):
        run_audit_report(folder, tmp_path / "out")
    assert not (tmp_path / "out" / "results.json").exists() and not (tmp_path / "out" / "report.html").exists()


def test_settings_that_are_no_object_are_refused(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    (folder / "config.json").write_text("[1]")
    with pytest.raises(UserError, match=r"config\.json holds a list"):
        run_audit_report(folder, tmp_path / "out")


def test_the_command_prints_its_answers_and_where_everything_lies(run, tmp_path, capsys):
    main(["audit_report", "--run", str(run), "--out", str(tmp_path), "--vector", "--auditor", "A. Auditor"])
    out = capsys.readouterr().out
    assert "Extraction (not measured)" in out and f"figures: {tmp_path / 'figures'}" in out
    stem = "01-membership-members-named-against-false-alarms"
    assert sorted(file.name for file in (tmp_path / "figures").iterdir()) == [f"{stem}.pdf", f"{stem}.svg"]


def test_a_page_that_cannot_be_printed_loses_nothing(run, tmp_path, monkeypatch):
    def refuse(page, file):
        raise UserError("no ink")

    monkeypatch.setattr("miajax.report.pdf.write_pdf", refuse)
    with pytest.raises(UserError, match="no ink"):
        run_audit_report(run, tmp_path, invocation=Invocation(files=PageFiles(pdf=True)))
    assert breaches(json.loads((tmp_path / "results.json").read_text())) == [] and (tmp_path / "report.html").is_file()
