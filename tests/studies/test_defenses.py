"""Defences end to end on small campaigns: limits, what informed and uninformed attackers get, resuming, bad input."""

import dataclasses
import json

import numpy as np
import pytest

from experiments import defenses
from miajax.attacks.registry import run_attacks
from miajax.campaign.config import Setup
from miajax.campaign.run import run_campaign
from miajax.defenses import treatment
from miajax.errors import UserError
from miajax.models.registry import ModelOptions, build_model
from miajax.signals.bundle import Signals
from miajax.studies.defenses import study
from miajax.studies.defenses.answers import reweighted_answers
from miajax.studies.defenses.catalogue import Strengths, catalogue
from miajax.studies.defenses.study import DefensesOptions, run_defenses
from miajax.studies.slices import outlier_names, outlierness
from tests.experiments.test_attacks_command import main
from tests.report.browser import opened
from tests.report.folded import folded_numbers
from tests.report.html import Document
from tests.studies.helpers import small

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them

STRENGTHS = Strengths(patience=1, weights=(0.0, 0.1, 0.5))
OPTIONS = DefensesOptions(flag_share=0.1, strengths=STRENGTHS)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Every row of the catalogue, in one run."""
    folder = tmp_path_factory.mktemp("defenses") / "out"
    patch = pytest.MonkeyPatch()
    flags = ("--max_examples", "300", "--num_shadows", "16", "--epochs", "12", "--batch_size", "32", "--chunk", "2")
    assert main(patch, defenses, *flags, "--out", str(folder), "--patience", "1", "--flag_share", "0.1") == 0
    patch.undo()
    return folder, json.loads((folder / "results.json").read_text())


def rows_of(results):
    return {row["defense"]: row for row in results["rows"]}


def test_every_row_has_the_figures_of_the_contract(finished):
    _, results = finished
    rows = rows_of(results)
    assert list(rows) == list(catalogue(STRENGTHS)) and len(rows) == 23
    assert results["lira"] == "lira_online_fixed", "16 models are too few for a variance of each example's own"
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
        ["lira_online_fixed"],
        Signals(signals, signals[..., 0] > 0, np.zeros(member.shape[1])),
        member,
        np.ones(16, bool),
    )
    from miajax.metrics.summary import summarise

    figures = summarise(np.asarray(ran["lira_online_fixed"][0]), member)
    assert rows_of(results)["relaxloss"]["lira_adaptive"]["auc"] == pytest.approx(figures.auc.value)


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
    from miajax.campaign.stored import stored_config

    return Setup.of(stored_config(folder / "original"))


def test_every_defence_acts(finished):
    """A row whose flags were lost on the way would equal the undefended one."""
    folder, results = finished
    original = np.load(folder / "original" / "signals.npy")
    for name, row in rows_of(results).items():
        if row["stage"] in ("training", "data"):
            assert np.abs(np.load(folder / name / "signals.npy") - original).max() > 1e-3, name
        assert row["runtime_s"] > 0 and (row["overhead_s"] > 0) == (row["stage"] == "answers")
    budgets = {name: rows_of(results)[name]["privacy"]["epsilon"] for name in ("dp_sgd", "dp_sgd_1")}
    assert 7 < budgets["dp_sgd"] <= 8 and 0.8 < budgets["dp_sgd_1"] <= 1


def test_reweighting_is_undone_by_who_knows_the_centroids(finished):
    rows = rows_of(finished[1])
    original = rows["original"]["lira_adaptive"]["auc"]
    for name, base in (("reweighting_0.1", "original"), ("l2_dropout_25_reweighting", "l2_dropout_25")):
        undone, carried = rows[name]["lira_adaptive"]["auc"], rows[name]["lira_carried"]["auc"]
        assert rows[name]["recovered"] > 0.75
        assert abs(undone - rows[base]["lira_adaptive"]["auc"]) < abs(carried - rows[base]["lira_adaptive"]["auc"])
    assert rows["reweighting_0.1"]["lira_adaptive"]["auc"] == pytest.approx(original, abs=0.02)
    assert rows["reweighting_0"]["recovered"] is None


def test_hamps_answers_keep_predictions_and_hide_how_sure_they_are(finished):
    rows = rows_of(finished[1])
    assert rows["hamp"]["test_accuracy"] == pytest.approx(rows["hamp_training"]["test_accuracy"])
    assert rows["hamp"]["gap_accuracy"] == pytest.approx(rows["hamp_training"]["gap_accuracy"])
    assert rows["hamp"]["lira_adaptive"]["auc"] < rows["hamp_training"]["lira_adaptive"]["auc"]


def test_the_onion_is_what_dropping_does_beyond_a_random_drop(finished):
    folder, results = finished
    onion = results["onion"]
    assert onion["difference"] == pytest.approx(onion["rise"] - onion["control"])
    assert onion["difference_ci"][0] < onion["difference"] < onion["difference_ci"][1]
    lost = [~np.load(folder / name / "membership.npy").any(0) for name in ("drop", "drop_random")]
    assert lost[0].sum() == lost[1].sum() and (lost[0] != lost[1]).any()


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
    monkeypatch.setattr(study, "run_campaign", lambda *args: trained.append(run_campaign(*args)) or trained[-1])
    again = run_defenses(_setup(folder), folder, OPTIONS).results
    assert trained and all(campaign.trained == 0 for campaign in trained)
    for now, then in zip(json.loads(json.dumps(again))["rows"], results["rows"], strict=True):
        assert now["lira_adaptive"] == then["lira_adaptive"] and now["runtime_s"] == then["runtime_s"]


def test_the_report_stands_alone_and_states_findings(finished):
    folder, _ = finished
    document = Document((folder / "report.html").read_text())
    assert "script" not in document.tags and document.pictures()
    assert "None" not in document.text.replace("None of", "") and "nan" not in document.text.split()
    assert folded_numbers((folder / "report.html").read_text()) == []
    assert (folder / "trade_off.png").read_bytes().startswith(b"\x89PNG")


def test_a_browser_shows_the_whole_report_without_a_complaint(finished, tmp_path):
    pictures, missing, errors = opened(finished[0] / "report.html", tmp_path)
    assert pictures == 2 and not missing and not errors


def test_a_defence_that_the_campaign_rules_out_is_named_unless_it_was_asked_for(tmp_path):
    setup = small(8, keep=())
    run_campaign(setup, tmp_path / "run")
    with pytest.raises(UserError, match="validation"):
        run_defenses(setup, tmp_path / "run", DefensesOptions(defenses=("early_stopping",)))
    without = dataclasses.replace(DefensesOptions(), defenses=("reweighting_0.1",))
    with pytest.raises(UserError, match="kept no logits"):
        run_defenses(setup, tmp_path / "run", without)


def test_a_users_own_network_is_defended_and_not_replaced(tmp_path):
    mlp = build_model("mlp", 10, ModelOptions(widths=(8,)))._replace(name="own")
    base = small(4)
    setup = Setup.of(base.config, base.dataset, mlp)
    run_defenses(setup, tmp_path / "out", DefensesOptions(defenses=("label_smoothing",)))
    assert json.loads((tmp_path / "out" / "label_smoothing" / "manifest.json").read_text())["identity"]["model"] == {
        "name": "own", **mlp.config
    }  # fmt: skip
    with pytest.raises(UserError, match="dropout of the network, and own is one of your own"):
        run_defenses(setup, tmp_path / "out", DefensesOptions(defenses=("l2_dropout_25",)))


def test_any_outlier_metric_picks_whom_to_protect_where_the_run_has_its_record(tmp_path):
    setup = small(4, keep=("early", "margins", "logits", "parameters"))
    campaign = run_campaign(setup, tmp_path / "run")
    for name in outlier_names():
        values, reason = outlierness(campaign, name)
        if name == "loss_trace_iqr":
            assert values is None and "--keep losses" in reason
        else:
            assert values is not None and np.isfinite(values).any(), (name, reason)
    without = run_campaign(small(4, keep=()), tmp_path / "bare")
    assert "--keep early" in outlierness(without, "el2n")[1]
    options = DefensesOptions(defenses=("drop",), flag_by="el2n")
    assert [row["defense"] for row in run_defenses(setup, tmp_path / "run", options).results["rows"]] == [
        "original", "drop"
    ]  # fmt: skip
    with pytest.raises(UserError, match="--flag_by el2n: it needs --keep early"):
        run_defenses(without.setup, tmp_path / "bare", options)


BAD = {
    "unknown": (["--defenses", "prayer"], "prayer is unknown"),
    "share": (["--flag_share", "1.5"], "between 0 and 1"),
    "metric": (["--flag_by", "astrology"], "astrology is unknown"),
    "budget": (["--further_epsilons", "0"], "budgets above 0"),
    "weight": (["--weights", "1.0"], "changes nothing"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_status_2(case, monkeypatch, capsys):
    flags, told = BAD[case]
    assert main(monkeypatch, defenses, *flags) == 2
    lines = [line for line in capsys.readouterr().err.strip().splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and told in lines[0], lines
