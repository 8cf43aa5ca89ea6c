"""Every study of a run says whether members differ from non-members without any model, and works it out once."""

import dataclasses
import json

import pytest

from miajax.campaign.config import Setup
from miajax.runs.atomic import read_json, read_sealed, write_sealed
from miajax.studies.attacks.study import run_attacks_study
from miajax.studies.audit.study import run_audit
from miajax.studies.defenses.study import DefensesOptions, run_defenses
from miajax.studies.dpsgd.study import DpsgdOptions, run_dpsgd
from miajax.studies.lira.study import run_lira
from miajax.studies.low_budget.study import run_low_budget
from miajax.studies.outliers.study import OutliersOptions, run_outliers
from miajax.studies.overfitting.study import run_overfitting
from miajax.studies.saliency.study import SaliencyOptions, run_saliency
from tests.report.html import Document
from tests.studies.helpers import small

pytestmark = pytest.mark.slow  # campaigns

STUDIES = {
    "attacks": lambda s, p: run_attacks_study(s, p),
    "audit": lambda s, p: run_audit(s, p),
    "low_budget": lambda s, p: run_low_budget(s, p),
    "overfitting": lambda s, p: run_overfitting(s, p),
    "outliers": lambda s, p: run_outliers(s, p, OutliersOptions(geometry_models=2, resamples=50)),
    "saliency": lambda s, p: run_saliency(s, p, SaliencyOptions(methods=("gradient",), compared=8, spread=20)),
    "defenses": lambda s, p: run_defenses(s, p, DefensesOptions(defenses=("early_stopping",))),
}


def setup() -> Setup:
    config = small(16).config
    keep = ("logits", "losses", "margins", "early", "parameters")
    return Setup.of(dataclasses.replace(config, split="bernoulli", keep=keep, validation_fraction=0.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run that LiRA has been over, whose record of the checks bears a mark."""
    path = tmp_path_factory.mktemp("runs") / "run"
    run_lira(setup(), path)
    assert read_json(path / "blind.json")["found"]["blind"] == read_json(path / "results.json")["blind"]
    known = read_sealed(path / "blind.json")
    known["found"]["blind"] |= {"leaves_half": True, "num_members": 987}
    write_sealed(path / "blind.json", known)
    return path


@pytest.mark.parametrize("name", [name for name in STUDIES if name != "defenses"])
def test_a_study_takes_the_figures_that_the_run_has_and_its_report_warns(folder, name):
    found = STUDIES[name](setup(), folder)
    results = json.loads((found.folder / "results.json").read_text())
    assert results["blind"]["num_members"] == 987 and results["near_duplicates"]["non_members"]["count"] > 0
    text = Document((found.folder / "report.html").read_text()).text
    assert "Members differ from non-members without any model" in text and "987 members" in text


def test_defences_are_compared_with_the_same_check(tmp_path):
    one = dataclasses.replace(small(8).config, validation_fraction=0.2)
    found = STUDIES["defenses"](Setup.of(one), tmp_path / "study")
    text = Document((found.folder / "report.html").read_text()).text
    assert "blind" in found.results and "Members and others" in text


def test_private_training_has_it_too(tmp_path):
    found = run_dpsgd(small(8), tmp_path / "study", DpsgdOptions(epsilons=(8.0,)))
    text = Document((found.folder / "report.html").read_text()).text
    assert "blind" in found.results and "Members and others" in text


def test_figures_of_other_members_or_of_a_damaged_file_are_made_again(folder):
    file = folder / "blind.json"
    known = file.read_text()
    other = json.loads(known)
    other["of"]["member"] = "0" * 64
    forged = {**read_sealed(file), "found": {"blind": {"num_members": []}, "near_duplicates": 3}}
    for content in (json.dumps(other), "{", forged):
        if isinstance(content, str):
            file.write_text(content)
        else:
            write_sealed(file, content)
        results = run_lira(setup(), folder).results
        assert results["blind"]["num_members"] != 987
    file.write_text(known)
