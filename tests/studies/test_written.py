"""``results.json`` for programs: version, study, a schema for every study that there is, and one that can be broken."""

import copy
import json
import re
from pathlib import Path

import jsonschema
import pytest

import miajax
from miajax.runs.atomic import write_json
from miajax.studies import written
from miajax.studies.written import SCHEMA_VERSION, write_results
from tests.golden.fixed_run import fixed_run
from tests.schema import SCHEMA, breaches

STUDIES = SCHEMA["properties"]["study"]["enum"]


@pytest.fixture(scope="module")
def lira(tmp_path_factory) -> dict:
    """What the main job wrote of a small run."""
    import importlib

    folder = tmp_path_factory.mktemp("run") / "run"
    fixed_run(folder, 8)
    importlib.import_module("experiments.lira").run(["--run", str(folder)])
    return json.loads((folder / "results.json").read_text())


def test_the_schema_is_one_and_of_this_version():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["schema_version"]["const"] == SCHEMA_VERSION
    assert all(name in SCHEMA["$defs"] for name in STUDIES)


def test_every_study_that_writes_results_has_a_definition():
    sources = [path.read_text() for path in (Path(miajax.__file__).parent / "studies").rglob("*.py")]
    calls = r'(?:study=|write_results\(|finished\()\s*"(\w+)"'
    assert {name for text in sources for name in re.findall(calls, text)} == set(STUDIES)


def test_version_and_study_stand_first_in_the_file_and_in_what_the_study_returns(tmp_path, monkeypatch):
    monkeypatch.setattr(written, "write_json", write_json)  # these are no study's results
    results = {"notes": []}
    write_results("lira", tmp_path, results)
    assert list(json.loads((tmp_path / "results.json").read_text())) == ["schema_version", "study", "notes"]
    assert results == {"schema_version": 1, "study": "lira", "notes": []}


def test_what_a_study_wrote_keeps_it(lira):
    assert breaches(lira) == []
    assert (lira["schema_version"], lira["study"]) == (1, "lira")


def _set(results: dict, path: str, value) -> dict:
    changed = copy.deepcopy(results)
    *above, last = path.split("/")
    of = changed
    for key in above:
        of = of[key]
    if value is KeyError:
        del of[last]
    else:
        of[last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema_version", KeyError), ("schema_version", 2), ("study", "lyra"), ("study", KeyError),
        ("notes", KeyError), ("timing/total_s", "long"), ("train_accuracy", 87.0), ("dataset", None),
        ("attacks/lira_online/auc", KeyError), ("attacks/lira_online/auc", None),
        ("attacks/lira_online/auc_ci", [0.4]), ("attacks/lira_online/tpr_at_fpr/0.01", "few"),
        ("attacks/lira_online/tpr_at_fpr", {"1e-02": 0.5}), ("attacks/lira_online/per_target/num_targets", -1),
        ("attacks/lira_online/per_target", KeyError), ("strongest/standing", "high"), ("blind", KeyError),
    ],
)  # fmt: skip
def test_it_can_be_broken(lira, path, value):
    assert breaches(_set(lira, path, value)), "a schema that takes this checks nothing"


def test_keys_may_be_added(lira):
    assert breaches(_set(_set(lira, "more", 1), "attacks/lira_online/more", 1)) == []


def test_another_studys_definition_does_not_hold():
    assert breaches({"schema_version": 1, "study": "attacks", "notes": []})


def test_a_study_whose_results_break_the_schema_fails_its_test(tmp_path):
    with pytest.raises(AssertionError, match="attacks"):
        write_results("lira", tmp_path, {"notes": []})
