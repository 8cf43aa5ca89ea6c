"""What studies write into ``results.json`` is read into the type that wrote it, and written the same again."""

import dataclasses
import json

import pytest

from miajax.metrics.figures import Estimate
from miajax.metrics.json_form import UNKNOWN, from_json, to_json
from miajax.metrics.people import People
from miajax.metrics.spread import Spread
from miajax.studies.attacked.results import Saturation
from miajax.studies.attacks.results import Attacks
from miajax.studies.attacks.study import run_attacks_study
from miajax.studies.compare.results import Comparison
from miajax.studies.defenses.results import AttackFigures, Row, RowAttacks, TopFigures
from miajax.studies.lira.results import Lira
from miajax.studies.lira.study import run_lira
from miajax.studies.overfitting.figures import Overfitting
from miajax.studies.overfitting.study import run_overfitting
from miajax.studies.reproduce.record import CampaignParts, Part, Reproduced
from tests.golden.fixed_run import fixed_run
from tests.studies.made import made

OF_THE_WRITER = ("schema_version", "study")


def test_epochs_are_read_as_they_were_written(tmp_path):
    result = run_overfitting(fixed_run(tmp_path / "run"), tmp_path / "run")
    written = json.loads((result.folder / "results.json").read_text())
    read = from_json(Overfitting, written)
    assert to_json(read) == {key: value for key, value in written.items() if key not in OF_THE_WRITER}
    assert read.main.auc == result.found.main.auc and read.gap == result.found.gap
    missing = result.found.main.tpr_at_fpr[1e-3][-1]
    assert missing.value is None or read.main.tpr_at_fpr[1e-3][-1] == missing


@pytest.mark.parametrize(("run", "kind"), [(run_lira, Lira), (run_attacks_study, Attacks)])
def test_what_attacks_found_is_read_as_it_was_written(run, kind, tmp_path):
    result = run(fixed_run(tmp_path / "run"), tmp_path / "run")
    written = json.loads((result.folder / "results.json").read_text())
    read = from_json(kind, written)
    assert to_json(read) == {key: value for key, value in written.items() if key not in OF_THE_WRITER}
    assert read.strongest.ci == result.found.strongest.ci and read.checks == result.found.checks
    name = read.strongest.attack
    assert read.figures[name].auc == result.found.figures[name].auc
    assert read.new_data.mean_auc_new_data.value == result.found.new_data.mean_auc_new_data.value


def test_the_record_of_a_reproduction_is_read_as_it_was():
    done = Part(status="done", finding="found", report="digits/report.html", not_run={"dp_sgd": "few"},
                num_shadows=16, asked="a", seconds=1.5)  # fmt: skip
    failed = Part(status="failed", reason="no file", num_shadows=16, asked="b", seconds=0.5)
    parts = CampaignParts("digits", "mlp", {"lira": done, "attacks": failed})
    record = Reproduced(preset="here", miniature=True, campaigns={"digits": parts}, versions={"miajax": "0"})
    entry = json.loads(json.dumps(to_json(record)))
    assert from_json(Reproduced, entry) == record
    assert "reason" not in entry["campaigns"]["digits"]["parts"]["lira"]
    assert "finding" not in entry["campaigns"]["digits"]["parts"]["attacks"]


def test_a_row_of_defences_without_scores_is_read_as_it_was():
    row = made(Row, {"title": "Original"})
    bare = dataclasses.replace(
        row,
        lira_naive=dataclasses.replace(row.lira_naive, everybody=None),
        lira_carried=None,
        official_test_accuracy=Estimate(None, reason=UNKNOWN),
    )
    entry = json.loads(json.dumps(to_json(bare)))
    assert entry["lira_carried"] == {} and entry["lira_naive"] == {"top_1pct": None} and "unflagged" not in entry
    assert from_json(Row, entry) == bare


@pytest.mark.parametrize("kind", [AttackFigures, TopFigures, RowAttacks, Comparison, People, Spread, Saturation])
def test_every_kind_is_read_as_it_was_made(kind):
    found = made(kind, {})
    assert from_json(kind, json.loads(json.dumps(to_json(found)))) == found
