"""The section of a model card: what real studies found, what would go unseen, and nothing that claims absence."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from miajax.cli import main
from miajax.report import numbers
from miajax.studies.found import found_results
from miajax.studies.model_card.card import model_card
from tests.golden.snapshot import KEPT
from tests.report.fixtures import attack_summary

NEW = {
    "versions": {"miajax": "0.1.0"},
    "blind": {"classifiers": {}, "leaves_half": False, "num_members": 1, "num_non_members": 1, "folds": 0},
    "near_duplicates": {
        "non_members": {"near": 0, "exact": 0, "count": 1, "closest": []}, "test": None, "median_distance": 1.0,
        "near_below": 0.25,
    },
}  # fmt: skip

ENTRY = attack_summary(*(np.array([0.0, 1.0]),) * 2, np.eye(4, dtype=bool)).to_json()


def lead(**changes) -> dict:
    """``strongest`` of results with one attack."""
    whole = {
        "attack": "lira_online", "by": "tpr_at_fpr", "fpr": "0.001", "chance": 0.001, "value": 0.02, "ci": [0.01, 0.04],
        "standing": "above", "confidence": 0.95, "intervals": {"lira_online": {"value": 0.02, "ci": [0.01, 0.04]}},
        "differences": {}, "not_told_apart": [],
    }  # fmt: skip
    return whole | changes


def results(**changes) -> dict:
    whole = {
        "dataset": "purchases", "model": "mlp", "num_examples": 300, "num_valid": 16, "target": None,
        "train_accuracy": 0.9, "test_accuracy": 0.8, "attacks": {"lira_online": ENTRY}, "attacks_not_run": {},
        "plan": {}, "privacy": None, "strongest": lead(),
        "num_non_members": 2400, "failed_models": [], "notes": [], **NEW,
    }  # fmt: skip
    return whole | changes


def card(**changes) -> str:
    return model_card({Path("results.json"): results(**changes)})


def test_it_says_what_was_tested_found_and_could_go_unseen():
    text = card(attacks_not_run={"quantile": "needs features"}, failed_models=[3])
    assert text.startswith("## Privacy: membership inference\n")
    assert "| Data | purchases, 300 examples |" in text and "| Model | mlp |" in text
    assert "| Accuracy | 90.0 % on members, 80.0 % on non-members |" in text
    assert "| Attacks run | LiRA online |" in text
    assert re.search(r"^\| Attacks not run \|.* RMIA online,.* Quantile regression", text, re.MULTILINE)
    assert "names 2.0 % of the members (95 % interval 1.0 % to 4.0 %)" in text
    assert "reaches up to 4.0 % of the members named at one false alarm per thousand" in text
    assert "less than one false alarm per 2,400 would go unseen" in text
    assert "Models that did not train well, and are left out: 1." in text and "not a proof of safety" in text


def test_where_nothing_is_above_chance_it_says_what_would_go_unseen_and_never_that_there_is_nothing():
    text = card(strongest=lead(value=0.001, ci=[0.0, 0.006], standing="not shown"))
    assert "not measurably more than chance" in text and "of up to 0.60 % would go unseen" in text
    text += card(strongest=None, num_non_members=0)
    assert "No attack could be measured." in text and "A leak of any size would go unseen." in text
    assert not re.search(r"\b(no leak|is safe|are safe|does not leak|is private|no risk)\b", text, re.IGNORECASE)


def test_by_auc_it_says_that_low_rates_are_not_resolved():
    text = card(strongest=lead(by="auc", fpr=None, chance=0.5, value=0.6, ci=[0.55, 0.65]), num_non_members=60)
    assert "reaches an AUC of up to 0.650" in text
    assert "No rate at one false alarm per hundred or fewer is resolved by every attack" in text


def test_names_from_users_do_not_break_the_table_or_become_markup():
    text = card(dataset="a|b <script> `x` *y* [z](u)\nnew_line")
    row = next(line for line in text.splitlines() if line.startswith("| Data |"))
    assert row == r"| Data | a\|b &lt;script&gt; \`x\` \*y\* \[z\](u) new\_line, 300 examples |"


def test_a_target_that_is_not_comparable_is_said_to_be_and_why():
    text = card(target="t.npz", shadows={}, comparable=False, not_comparable=["Its accuracy is 0.9; others 0.5."])
    assert "one target, t.npz, by 16 models trained as its shadows" in text
    assert "not comparable with the shadow models" in text and "- Its accuracy is 0.9; others 0.5." in text
    assert "a model trained on all of it" not in text


def test_members_that_differ_without_a_model_are_a_limit():
    blind = NEW["blind"] | {"leaves_half": True, "classifiers": {"linear": {"auc": 0.7, "auc_ci": [0.6, 0.8]}}}
    assert "Members differ from non-members without any model" in card(blind=blind)


def test_notes_are_told_once():
    note = "quantile was not run: it needs features."
    text = card(notes=[note, "purchases is synthetic: its figures say nothing about real people."],
                attacks_not_run={"quantile": "needs features"})  # fmt: skip
    assert "- purchases is synthetic" in text and note not in text


def test_notes_that_say_the_same_of_several_attacks_are_one():
    text = card(notes=[
        "gap: 3 of 8 scores are missing and left out.", "lira_online: 5 of 8 scores are missing and left out.",
        "all attacks: TPR at FPR 0.0001 pooled over targets is null: it takes 10000 non-members, there are 2400.",
        "all attacks: TPR at FPR 0.001 of a single target is null: it takes 1000 non-members, there are 150.",
    ])  # fmt: skip
    assert r"- gap, lira\_online: 3, 5 of 8 scores are missing and left out." in text
    assert sum(line.startswith("- all attacks: TPR at FPR 0.0001") for line in text.splitlines()) == 1
    assert not any(line.startswith("- all attacks: TPR at FPR 0.001 ") for line in text.splitlines())


@pytest.mark.parametrize("study", ["lira", "attacks", "audit_target", "import_signals"])
def test_every_kind_of_study_has_its_card(study, tmp_path, capsys):
    kept = json.loads((KEPT / f"{study}.json").read_text())["results"]
    new = {key: value for key, value in NEW.items() if key == "versions" or study != "import_signals"}
    whole = {"strongest": lead(), "failed_models": []} | kept | new
    (tmp_path / "results.json").write_text(json.dumps(whole))
    main(["model_card", "--run", str(tmp_path)])
    text = capsys.readouterr().out
    assert text == model_card(found_results(tmp_path)) and "**Strongest attack.**" in text
    assert numbers.counted(kept["num_examples"], "example") in text
    main(["model_card", "--run", str(tmp_path), "--out", str(tmp_path / "card.md")])
    assert (tmp_path / "card.md").read_text() == text


def test_the_study_with_more_attacks_is_told():
    both = {Path("a"): results(), Path("b"): results(attacks={"lira_online": ENTRY, "gap": ENTRY})}
    assert "| Attacks run | LiRA online, Gap (right or wrong) |" in model_card(both)


def test_a_study_without_a_strongest_attack_is_refused_in_one_line(tmp_path, capsys):
    (tmp_path / "results.json").write_text(json.dumps({"attacks": {}}))
    with pytest.raises(SystemExit) as end:
        main(["model_card", "--run", str(tmp_path)])
    error = capsys.readouterr().err
    assert end.value.code == 2 and error.count("\n") == 1 and "is of a study without a strongest attack" in error
