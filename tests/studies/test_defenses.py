"""Defences end to end on small campaigns: limits, what informed and uninformed attackers get, resuming, bad input."""

import dataclasses
import json

import numpy as np
import pytest

from experiments import defenses
from miajax.attacks.registry import run_attacks
from miajax.defenses import treatment
from miajax.errors import UserError
from miajax.signals.bundle import Signals
from miajax.studies import defenses as study
from miajax.studies.campaign import run_campaign
from miajax.studies.config import Setup
from miajax.studies.defense_answers import reweighted_answers
from miajax.studies.defenses import DefensesOptions, run_defenses
from tests.experiments.test_attacks_command import main
from tests.report.html import Document
from tests.studies.helpers import small

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them

FEW = ("label_smoothing", "relaxloss", "reweighting_0", "drop", "relabel", "reweighting_flagged")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("defenses") / "out"
    patch = pytest.MonkeyPatch()
    flags = ("--max_examples", "300", "--num_shadows", "16", "--epochs", "3", "--batch_size", "32", "--chunk", "2")
    assert main(patch, defenses, *flags, "--out", str(folder), "--defenses", *FEW, "--flag_share", "0.1") == 0
    patch.undo()
    return folder, json.loads((folder / "results.json").read_text())


def rows_of(results):
    return {row["defense"]: row for row in results["rows"]}


def test_every_row_has_the_figures_of_the_contract(finished):
    _, results = finished
    rows = rows_of(results)
    assert list(rows) == ["original", *FEW]
    for row in rows.values():
        for name in ("train_accuracy", "test_accuracy", "threshold_auc", "threshold_advantage", "gap_accuracy"):
            assert 0 <= row[name] <= 1
        assert row["stage"] in ("none", "training", "data", "answers") and row["overhead_s"] >= 0
        for attacker in ("lira_naive", "lira_adaptive"):
            low, high = row[attacker]["auc_ci"]
            assert low <= row[attacker]["auc"] <= high
    assert not results["not_run"]


def test_without_a_defence_knowing_it_is_no_help_and_nothing_changes(finished):
    original = rows_of(finished[1])["original"]
    assert original["lira_naive"]["auc"] == pytest.approx(original["lira_adaptive"]["auc"], abs=1e-6)
    assert original["lira_adaptive"]["change"]["auc"] == 0


def test_adaptive_lira_is_lira_on_models_that_carry_the_defence(finished):
    folder, results = finished
    signals = np.load(folder / "relaxloss" / "signals.npy")
    member = np.load(folder / "relaxloss" / "membership.npy")
    np.testing.assert_array_equal(member, np.load(folder / "original" / "membership.npy"))
    ran = run_attacks(
        ["lira_online"], Signals(signals, signals[..., 0] > 0, np.zeros(member.shape[1])), member, np.ones(16, bool)
    )
    from miajax.metrics.summary import summarise

    entry, _ = summarise(np.asarray(ran["lira_online"][0]), member, np.ones(16, bool))
    assert rows_of(results)["relaxloss"]["lira_adaptive"]["auc"] == pytest.approx(entry["auc"])


def test_dropped_examples_are_in_no_model_and_in_no_figure(finished):
    folder, results = finished
    row = rows_of(results)["drop"]
    member = np.load(folder / "drop" / "membership.npy")
    original = np.load(folder / "original" / "membership.npy")
    dropped = ~member.any(0)
    assert dropped.sum() == row["unflagged"]["num_flagged"] == int(np.ceil(0.1 * member.shape[1]))
    np.testing.assert_array_equal(member, original & ~dropped)
    assert row["lira_adaptive"]["num_examples"] == member.shape[1] - dropped.sum()
    assert row["flagged"]["change"] is None


def test_reweighting_with_weight_0_leaves_nothing_but_the_predicted_class(finished):
    folder, _ = finished
    campaign = run_campaign(_setup(folder), folder / "original")
    answered, _ = reweighted_answers(campaign, 0.0)
    logits = np.concatenate([np.load(f) for f in sorted((folder / "original" / "logits").glob("*.npy"))])
    model = 3
    predicted = logits[model, :, 0].argmax(-1)
    for c in np.unique(predicted):
        alike = (predicted == c) & (campaign.setup.dataset.labels == c)
        assert np.ptp(answered.signals[model, alike, 0]) < 1e-4


def _setup(folder):
    from miajax.studies.stored import stored_config

    return Setup.of(stored_config(folder / "original"))


def test_weights_of_one_train_the_same_models(tmp_path):
    setup = small(4)
    plain = run_campaign(setup, tmp_path / "plain")
    ones = treatment.Treatment("down_weight", weights=np.ones(setup.dataset.num_examples, np.float32))
    same = run_campaign(Setup.of(setup.config, setup.dataset, treatment=ones), tmp_path / "ones")
    np.testing.assert_allclose(same.signals, plain.signals, atol=1e-4)
    with pytest.raises(UserError, match="treatment"):
        run_campaign(setup, tmp_path / "ones")


def test_relabelled_examples_are_trained_as_other_classes_and_asked_about_as_their_own(tmp_path):
    setup = small(4)
    labels = (setup.dataset.labels + 1) % 10
    campaign = run_campaign(Setup.of(setup.config, setup.dataset, treatment=treatment.relabel(labels)), tmp_path / "x")
    assert campaign.train_accuracy.max() < 0.2
    np.testing.assert_array_equal(campaign.setup.dataset.labels, setup.dataset.labels)


def test_a_second_call_trains_nothing_and_finds_the_same(finished, monkeypatch):
    folder, results = finished
    trained = []
    monkeypatch.setattr(
        study, "run_campaign", lambda *args: trained.append(run_campaign(*args)) or trained[-1]
    )
    again = run_defenses(_setup(folder), folder, DefensesOptions(defenses=FEW, flag_share=0.1)).results
    assert trained and all(campaign.trained == 0 for campaign in trained)
    for now, then in zip(json.loads(json.dumps(again))["rows"], results["rows"], strict=True):
        assert now["lira_adaptive"] == then["lira_adaptive"] and now["runtime_s"] == then["runtime_s"]


def test_the_report_stands_alone_and_states_findings(finished):
    folder, _ = finished
    document = Document((folder / "report.html").read_text())
    assert "script" not in document.tags and document.pictures()
    assert "None" not in document.text and "nan" not in document.text.split()
    assert (folder / "trade_off.png").read_bytes().startswith(b"\x89PNG")


def test_a_defence_that_the_campaign_rules_out_is_named_unless_it_was_asked_for(tmp_path):
    setup = small(8, keep=())
    run_campaign(setup, tmp_path / "run")
    with pytest.raises(UserError, match="validation"):
        run_defenses(setup, tmp_path / "run", DefensesOptions(defenses=("early_stopping",)))
    without = dataclasses.replace(DefensesOptions(), defenses=("reweighting_0.1",))
    with pytest.raises(UserError, match="kept no logits"):
        run_defenses(setup, tmp_path / "run", without)


BAD = {
    "unknown": (["--defenses", "prayer"], "prayer is unknown"),
    "share": (["--flag_share", "1.5"], "between 0 and 1"),
    "metric": (["--flag_by", "astrology"], "astrology is unknown"),
    "weight": (["--weights", "1.0"], "changes nothing"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_status_2(case, monkeypatch, capsys):
    flags, told = BAD[case]
    assert main(monkeypatch, defenses, *flags) == 2
    lines = [line for line in capsys.readouterr().err.strip().splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and told in lines[0], lines
