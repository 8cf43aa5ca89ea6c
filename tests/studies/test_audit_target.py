"""One model from elsewhere against a run's shadow models, from files to report."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.special import log_softmax, softmax

from miajax.attacks.lira import lira_scores
from miajax.attacks.registry import ATTACKS, run_attack
from miajax.campaign.run import run_campaign
from miajax.errors import UserError
from miajax.metrics.claims import lead_from
from miajax.metrics.roc import auc, roc_curve
from miajax.report.claims import lead_sentence
from miajax.signals.bundle import Signals
from miajax.studies.invocation import Invocation
from miajax.studies.target.study import run_audit_target
from miajax.training.recipe import Recipe
from tests.report.html import Document
from tests.studies.helpers import small

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them

MODELS = 10
LEARNT = Recipe(epochs=12, batch_size=16)
CALL = Invocation("audit <&>")
QUICK = ("global_threshold", "gap", "lira_online", "lira_online_fixed", "calibrated", "base_online")


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A run, and a model of the same recipe that it never saw: ``(folder, membership, logits)``."""
    folder = tmp_path_factory.mktemp("target")
    run_campaign(small(MODELS, recipe=LEARNT), folder / "run")
    other = run_campaign(small(2, seed=7, recipe=LEARNT), folder / "other")
    return folder, other.member[0].copy(), np.array(other.folder.gather("logits", 2)[0, :, 0])


def audit(folder, name, declaration=None, **arrays):
    np.savez(folder / f"{name}.npz", **arrays)
    return run_audit_target(folder / "run", folder / f"{name}.npz", declaration, attacks=QUICK, invocation=CALL)


@pytest.fixture(scope="module")
def of_logits(elsewhere):
    folder, member, logits = elsewhere
    return audit(folder, "logits", membership=member, logits=logits)


def test_every_shadow_model_judges_the_target_and_the_target_is_none(elsewhere, of_logits):
    folder, member, logits = elsewhere
    run = folder / "run"
    phi = np.load(run / "signals.npy")
    z = logits.astype(np.float64)
    own = np.arange(10) == np.load(run / "labels.npy")[:, None]
    target = np.where(own, z, 0).sum(1) - np.log(np.where(own, 0, np.exp(z)).sum(1))
    together = np.concatenate([phi, target[None, :, None].astype(np.float32)])
    members = np.concatenate([np.load(run / "membership.npy"), member[None]])
    expected = np.asarray(lira_scores(together, members, np.ones(MODELS + 1, bool))["lira_online_fixed"])[-1]
    np.testing.assert_allclose(of_logits.scores["lira_online_fixed"], expected, rtol=1e-3, atol=1e-4)
    signals = Signals(phi, np.ones(phi.shape[:2], bool), np.load(run / "labels.npy"))
    alone, _ = run_attack("lira_online_fixed", signals, members[:-1], np.ones(MODELS, bool))
    for_shadows = of_logits.results["shadows"]["lira_online_fixed"]
    assert for_shadows["num_shadows"] == MODELS
    own_aucs = [auc(roc_curve(row, mask)) for row, mask in zip(alone, members[:-1], strict=True)]
    assert for_shadows["per_target"]["auc"] == pytest.approx(np.mean(own_aucs), abs=1e-5)
    assert for_shadows["auc_range"] == pytest.approx([min(own_aucs), max(own_aucs)], abs=1e-5)


def test_a_target_of_the_run_s_recipe_is_comparable_and_everything_is_written(elsewhere, of_logits):
    folder, member, _ = elsewhere
    out = folder / "run" / "targets" / "logits"
    assert of_logits.folder == out
    results = json.loads((out / "results.json").read_text())
    assert results["comparable"] and results["not_comparable"] == []
    assert results["num_members"] == member.sum() and results["num_non_members"] == (~member).sum()
    assert list(results["attacks"]) == list(QUICK) and results["attacks_not_run"] == {}
    for name, entry in results["attacks"].items():
        assert entry["comparable"] is True and entry["auc_ci"][0] <= entry["auc"] <= entry["auc_ci"][1]
        assert np.load(out / "scores" / f"{name}.npy").shape == (300,)
    table = pq.read_table(out / "per_example.parquet")
    assert {"id", "label", "member", "score_lira_online"} <= set(table.column_names) and table.num_rows == 300
    document = Document((out / "report.html").read_text())
    assert "Not comparable" not in document.text and "mean of shadow models" in document.text
    assert "audit <&>" in document.text
    assert results["blind"]["leaves_half"] is False and "linear" in results["blind"]["classifiers"]


def test_rounded_probabilities_with_exact_0_and_1_keep_every_attack_and_say_what_saturates(elsewhere, of_logits):
    folder, member, logits = elsewhere
    rows = softmax(20 * logits.astype(np.float64), -1)  # a confident target: most rows round to 0 and 1
    rows[:, :] = np.where(np.arange(300)[:, None] % 3 == 0, rows, softmax(logits.astype(np.float64), -1))
    found = audit(folder, "rounded", membership=member, probabilities=rows.round(3)).results
    assert found["answers"]["decimals"] == 3
    saturated = found["answers"]["saturated_members"] + found["answers"]["saturated_non_members"]
    assert saturated > 50 and found["answers"]["scaled_logit_bound"] == pytest.approx(np.log(0.9995 / 0.0005))
    assert set(found["attacks"]) == set(of_logits.results["attacks"])
    assert any("they tie" in note for note in found["notes"])
    score = np.load(folder / "run" / "targets" / "rounded" / "scores" / "global_threshold.npy")
    assert (np.abs(score) == np.abs(score).max()).sum() == saturated and np.isfinite(score).all()
    assert (
        found["attacks"]["lira_online"]["num_scores_missing"]
        <= 300 - np.isfinite(of_logits.scores["lira_online"]).sum()
    ), "what rounding makes equal is undecided, not missing"


def test_the_same_target_rounded_is_attacked_nearly_as_well(elsewhere, of_logits):
    folder, member, logits = elsewhere
    rows = softmax(logits.astype(np.float64), -1).round(3)
    found = audit(folder, "rounded3", membership=member, probabilities=rows).results
    assert found["comparable"]
    for name in ("global_threshold", "lira_online_fixed", "base_online"):
        assert found["attacks"][name]["auc"] == pytest.approx(of_logits.results["attacks"][name]["auc"], abs=0.02)


def test_classes_alone_leave_the_gap_and_the_label_ratio(elsewhere, of_logits):
    folder, member, logits = elsewhere
    found = audit(folder, "classes", membership=member, labels=logits.argmax(1)).results
    assert set(found["attacks"]) == {"gap", "label_ratio"}
    assert found["attacks"]["gap"]["auc"] == of_logits.results["attacks"]["gap"]["auc"]
    assert [(check["side"], check["name"]) for check in found["comparison"]] == [
        ("non-members", "accuracy"),
        ("members", "accuracy"),
    ]
    one_hot = np.eye(10)[logits.argmax(1)]
    assert audit(folder, "onehot", membership=member, probabilities=one_hot).results["attacks"] == found["attacks"]


def test_another_accuracy_makes_every_figure_not_comparable_and_says_why(elsewhere):
    folder, member, logits = elsewhere
    worse = np.where(np.arange(300)[:, None] % 2 == 0, logits, np.roll(logits, 1, axis=1))
    found = audit(folder, "worse", membership=member, logits=worse).results
    assert not found["comparable"]
    assert any("accuracy" in reason and "shadow models lie in" in reason for reason in found["not_comparable"])
    assert all(entry["comparable"] is False for entry in found["attacks"].values())
    document = Document((folder / "run" / "targets" / "worse" / "report.html").read_text())
    assert "Not comparable with the shadow models: " in document.text
    assert "Not comparable: the target beside the shadow models" in document.text


def test_a_target_unlike_its_shadow_models_leads_with_the_strongest_attack_that_needs_none(elsewhere):
    folder, member, logits = elsewhere
    sure = logits + 40.0 * (np.arange(10) == logits.argmax(1)[:, None]) * member[:, None]
    found = audit(folder, "sure", membership=member, logits=sure).results
    assert not found["comparable"] and any("On members" in reason for reason in found["not_comparable"])
    needs = {name: entry["needs_shadows"] for name, entry in found["attacks"].items()}
    assert needs == {name: name not in ("global_threshold", "gap") for name in QUICK}
    lead = found["without_shadows"]
    assert set(lead["intervals"]) == set(QUICK) and lead["attack"] == "global_threshold"
    assert lead["confidence"] == pytest.approx(1 - 0.05 / len(QUICK)) and lead["ci"][0] > 0.8
    assert lead["intervals"] == found["strongest"]["intervals"]
    text = Document((folder / "run" / "targets" / "sure" / "report.html").read_text()).text
    assert " ".join(f"Lower bound: {lead_sentence(lead_from(lead))}".split()) in " ".join(text.split())
    assert "leads with the strongest attack that needs none" in text and "Bonferroni" in text


def test_answers_alone_beside_a_list_of_members_are_a_target_too(elsewhere, of_logits, tmp_path):
    folder, member, logits = elsewhere
    np.save(tmp_path / "answers.npy", logits)
    (tmp_path / "members.txt").write_text("".join(f"{row}\n" for row in np.flatnonzero(member)))
    np.save(tmp_path / "numbers.npy", np.flatnonzero(member))
    np.save(tmp_path / "flags.npy", member)
    for name in ("members.txt", "numbers.npy", "flags.npy"):
        found = run_audit_target(
            folder / "run", tmp_path / "answers.npy", out=tmp_path / name[:5], attacks=QUICK, members=tmp_path / name
        )
        for attack, own in of_logits.scores.items():
            np.testing.assert_array_equal(found.scores[attack], own)
    (tmp_path / "members.txt").write_text("1\ntwo\n")
    with pytest.raises(UserError, match="expected row numbers from 0, one a line"):
        run_audit_target(folder / "run", tmp_path / "answers.npy", members=tmp_path / "members.txt")


def test_a_declared_recipe_is_compared_and_differences_are_named(elsewhere, tmp_path):
    folder, member, logits = elsewhere
    (tmp_path / "target.json").write_text(json.dumps({"epochs": 90, "optimizer": "sgd", "query_mode": "batch_stats"}))
    found = audit(folder, "declared", tmp_path / "target.json", membership=member, logits=logits).results
    assert [d["name"] for d in found["recipe_differences"]] == ["epochs", "query_mode"]
    assert "optimizer" not in found["recipe_undeclared"] and "batch_size" in found["recipe_undeclared"]
    text = Document((folder / "run" / "targets" / "declared" / "report.html").read_text()).text
    assert "another recipe than the shadow models: epochs (90 there, 12 here)" in text


def test_part_of_the_pool_may_be_audited_by_ids(elsewhere):
    folder, member, logits = elsewhere
    ids = np.random.default_rng(0).permutation(300)[:120]
    found = audit(folder, "part", membership=member[ids], logits=logits[ids], ids=ids)
    assert found.results["num_examples"] == 120 and len(found.scores["gap"]) == 120
    np.testing.assert_allclose(
        found.scores["global_threshold"],
        np.load(folder / "run" / "targets" / "logits" / "scores" / "global_threshold.npy")[ids],
        rtol=1e-6,
    )


def test_members_that_differ_without_any_model_raise_a_banner(elsewhere):
    folder, _, logits = elsewhere
    by_class = np.load(folder / "run" / "labels.npy") < 5
    found = audit(folder, "shifted", membership=by_class, logits=logits).results
    assert found["blind"]["leaves_half"]
    text = Document((folder / "run" / "targets" / "shifted" / "report.html").read_text()).text
    assert "Members differ from non-members without any model" in text


def _good(elsewhere):
    _, member, logits = elsewhere
    return {"membership": member, "logits": logits}


def _with(array, row, value):
    changed = array.astype(np.float64)
    changed[row, 0] = value
    return changed


BAD = {
    "wrong N": (lambda g: g | {"logits": g["logits"][:-1]}, r"logits float32\[299, 10\]; expected \[300, 10\]"),
    "wrong C": (lambda g: g | {"logits": g["logits"][:, :9]}, r"logits float32\[300, 9\]; expected \[300, 10\]"),
    "membership": (lambda g: g | {"membership": g["membership"][:7]}, r"membership bool\[7\]; expected bool\[300\]"),
    "no membership": (lambda g: {"logits": g["logits"]}, r"holds logits; expected membership"),
    "no answers": (lambda g: {"membership": g["membership"]}, r"holds membership; expected"),
    "two answers": (lambda g: g | {"labels": np.zeros(300, int)}, r"holds membership, logits, labels; expected"),
    "all members": (lambda g: g | {"membership": np.ones(300, bool)}, r"membership is all True"),
    "NaN": (lambda g: g | {"logits": _with(g["logits"], 41, np.nan)}, r"logits\[41\] holds nan \(1 such rows\)"),
    "infinite": (lambda g: g | {"logits": _with(g["logits"], 3, -np.inf)}, r"logits\[3\] holds -inf"),
    "sum": (
        lambda g: {"membership": g["membership"], "probabilities": _with(softmax(g["logits"], -1), 17, 0.9876543)},
        r"probabilities\[17\] sums to 1\.\d+ \(1 such rows\); expected 1 within 0\.001",
    ),
    "logits as probabilities": (
        lambda g: {"membership": g["membership"], "probabilities": g["logits"]},
        r"Logits go under the name logits",
    ),
    "class out of range": (
        lambda g: {"membership": g["membership"], "labels": np.r_[np.zeros(299, int), 10]},
        r"labels\[299\] is 10",
    ),
    "ids twice": (lambda g: g | {"ids": np.zeros(300, int)}, r"ids name an example more than once \(0: 300 times\)"),
    "ids from 1": (
        lambda g: g | {"ids": np.arange(1, 301)},
        r"ids\[299\] is 300; expected 0\.\.299\. They seem to count from 1",
    ),
    "membership of 1 and 2": (lambda g: g | {"membership": g["membership"] + 1}, "codes of 0 and 1 only"),
    "losses of classes called otherwise": (
        lambda g: g | {"logits": -g["logits"]},
        "the label's entry is the smallest in",
    ),
    "sigmoids": (lambda g: g | {"logits": 1 / (1 + np.exp(-g["logits"]))}, "do not sum to 1.*--signal_kind logits"),
    "objects": (lambda g: g | {"logits": np.array([{}] * 300)}, r"logits holds Python objects"),
}


@pytest.mark.parametrize("name", ["target.npy", "target.csv"])
def test_a_target_of_another_kind_of_file_is_told_in_one_line(elsewhere, tmp_path, name):
    folder, _, logits = elsewhere
    (np.save if name.endswith("npy") else np.savetxt)(tmp_path / name, logits)
    with pytest.raises(UserError, match=r"target\.(npy|csv) is .*expected an \.npz archive") as told:
        run_audit_target(folder / "run", tmp_path / name)
    assert "pickle" not in str(told.value) and "\n" not in str(told.value)


def test_softmax_under_the_name_logits_is_read_as_probabilities_and_said(elsewhere):
    folder, member, logits = elsewhere
    rows = softmax(logits.astype(np.float64), -1)
    named = audit(folder, "named", membership=member, probabilities=rows)
    found = audit(folder, "misnamed", membership=member, logits=rows)
    for name, own in named.scores.items():
        np.testing.assert_array_equal(found.scores[name], own)
    assert any("misnamed.npz: logits holds rows in 0..1" in note for note in found.results["notes"])
    assert not any("--signal_kind" in note for note in named.results["notes"])


def test_log_probabilities_and_losses_of_classes_are_attacked_as_the_logits_are(elsewhere, of_logits):
    folder, member, logits = elsewhere
    rows = log_softmax(logits.astype(np.float64), -1)
    for name, stored in (("logs", rows), ("losses", -rows)):
        found = audit(folder, name, membership=member, logits=stored)
        for attack, own in of_logits.scores.items():
            np.testing.assert_allclose(found.scores[attack], own, rtol=1e-3, atol=1e-3)
        assert any("losses and no logits" in note for note in found.results["notes"]) == (name == "losses")


def test_a_target_whose_rows_are_shuffled_or_whose_classes_are_the_labels_is_remarked_upon(elsewhere):
    folder, member, logits = elsewhere
    shuffled = np.random.default_rng(0).permutation(logits)
    notes = audit(folder, "shuffled", membership=member, logits=shuffled).results["notes"]
    assert any("different orders" in note for note in notes)
    own = np.load(folder / "run" / "labels.npy").astype(int)
    notes = audit(folder, "own", membership=member, labels=own).results["notes"]
    assert any("own labels throughout" in note for note in notes)


def test_ids_that_run_from_1_in_order_are_read_as_they_are_and_said(elsewhere):
    folder, member, logits = elsewhere
    ids = np.arange(1, 201)
    notes = audit(folder, "ids", membership=member[ids], logits=logits[ids], ids=ids).results["notes"]
    assert any("count from 0" in note for note in notes)


@pytest.mark.parametrize("case", BAD)
def test_bad_target_files_are_told_in_one_line_and_nothing_is_overwritten(elsewhere, case):
    folder, _, _ = elsewhere
    change, message = BAD[case]
    np.savez(folder / "bad.npz", **change(_good(elsewhere)))
    out = folder / "run" / "targets" / "bad"
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text("{}")
    with pytest.raises(UserError, match=message) as told:
        run_audit_target(folder / "run", folder / "bad.npz")
    assert "\n" not in str(told.value)
    assert [(p.name, p.read_text()) for p in out.iterdir()] == [("results.json", "{}")]


@pytest.mark.parametrize(
    ("content", "message"),
    [("[1]", "holds a list"), ('{"epoch": 3}', "declares epoch; expected names among"), ("{", "is not JSON")],
)
def test_bad_declarations_are_told_in_one_line(elsewhere, tmp_path, content, message):
    folder, member, logits = elsewhere
    np.savez(tmp_path / "t.npz", membership=member, logits=logits)
    (tmp_path / "t.json").write_text(content)
    with pytest.raises(UserError, match=message):
        run_audit_target(folder / "run", tmp_path / "t.npz", tmp_path / "t.json")


@pytest.mark.slow
def test_every_attack_of_the_registry_is_run_or_named_with_its_reason(elsewhere):
    folder, member, logits = elsewhere
    np.savez(folder / "all.npz", membership=member, logits=logits)
    results = run_audit_target(folder / "run", folder / "all.npz").results
    assert set(results["attacks"]) | set(results["attacks_not_run"]) == {
        name for name, attack in ATTACKS.items() if attack.usual
    }
    assert "were not recorded" in results["attacks_not_run"]["loss_trace_iqr"]
    assert results["shadows"]["quantile"] is None, "it trains for each target"


def test_an_unknown_attack_lists_the_known_ones(elsewhere):
    folder, member, logits = elsewhere
    np.savez(folder / "unknown.npz", membership=member, logits=logits)
    with pytest.raises(UserError, match=r"--attacks lira is unknown; expected some of .*lira_online"):
        run_audit_target(folder / "run", folder / "unknown.npz", attacks=("lira",))


def test_a_truncated_archive_and_a_run_folder_as_out_are_refused(elsewhere, tmp_path):
    folder, member, logits = elsewhere
    np.savez(tmp_path / "t.npz", membership=member, logits=logits)
    with pytest.raises(UserError, match="is a run folder"):
        run_audit_target(folder / "run", tmp_path / "t.npz", out=folder / "other")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "t.npz").read_bytes()[:500])
    with pytest.raises(UserError, match="cannot be read"):
        run_audit_target(folder / "run", tmp_path / "cut.npz")
