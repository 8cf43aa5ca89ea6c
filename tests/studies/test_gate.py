"""Ceilings on figures: what is kept, passed or not resolved, from every kind of results, and what is no ceiling."""

import json
from pathlib import Path

import pytest

from miajax.cli import main
from miajax.errors import UserError
from miajax.studies.gate.rules import Rule, rule_of, rules_of
from tests.golden.snapshot import KEPT

FIGURES = {
    "advantage": 0.2, "advantage_ci": [0.1, 0.3], "absolute_advantage": 0.2,
    "tpr_at_zero_fp": 0.0, "tpr_at_zero_fp_ci": [0.0, 0.1],
    "tpr_at_fpr": {"0.001": 0.004, "0.0001": None}, "tpr_at_fpr_ci": {"0.001": [0.002, 0.008], "0.0001": None},
}  # fmt: skip
ENTRY = {
    **FIGURES, "auc": 0.6, "auc_ci": [0.55, 0.65], "num_members": 2400, "num_non_members": 2400,
    "num_scores_missing": 0, "per_target": {**FIGURES, "auc": 0.61, "auc_ci": [0.5, 0.7], "num_targets": 16},
}  # fmt: skip
REVERSED = {**ENTRY, "auc": 0.1, "auc_ci": [0.05, 0.2], "advantage": 0.01, "advantage_ci": [0.0, 0.03]}


def written(folder: Path, **changes) -> Path:
    results = {"attacks": {"lira_online": ENTRY}, "attacks_not_run": {"quantile": "needs features"}, **changes}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results))
    return folder


def gate(capsys, run: Path, *rules: str) -> tuple[int, str, str]:
    """Exit status, output and errors of the command."""
    status = 0
    try:
        main(["gate", "--run", str(run), "--at_most", *rules])
    except SystemExit as end:
        status = int(end.code or 0)
    return status, *capsys.readouterr()


@pytest.mark.parametrize(
    ("rule", "status", "line"),
    [
        ("lira_online:auc=0.65", 0, "kept: lira_online:auc 0.6 [0.55, 0.65], ceiling 0.65"),
        ("lira_online:auc=0.6499", 3, "exceeded: lira_online:auc 0.6 [0.55, 0.65], ceiling 0.6499"),
        ("lira_online:tpr_at_fpr:1e-3=0.008", 0,
         "kept: lira_online:tpr_at_fpr:0.001 0.004 [0.002, 0.008], ceiling 0.008"),
        ("lira_online:tpr_at_fpr:0.001=0.005", 3,
         "exceeded: lira_online:tpr_at_fpr:0.001 0.004 [0.002, 0.008], ceiling 0.005"),
        ("lira_online:per_target:auc=0.69", 3, "exceeded: lira_online:per_target:auc 0.61 [0.5, 0.7], ceiling 0.69"),
        ("lira_online:tpr_at_fpr:0.0001=0.5", 4,
         "unresolved: lira_online:tpr_at_fpr:0.0001 no figure, ceiling 0.5; not resolvable: 2,400 non-members "
         "cannot show a false-positive rate of 0.0001"),
        ("quantile:auc=0.9", 4,
         "unresolved: quantile:auc no figure, ceiling 0.9; quantile was not run: it needs features"),
        ("rmia_online:auc=0.9", 4, "unresolved: rmia_online:auc no figure, ceiling 0.9; rmia_online was not run"),
    ],
)  # fmt: skip
def test_the_upper_end_of_the_interval_is_held_against_the_ceiling(rule, status, line, tmp_path, capsys):
    assert gate(capsys, written(tmp_path), rule) == (status, line + "\n", "")


def test_of_several_rules_a_passed_ceiling_outweighs_what_is_not_resolved(tmp_path, capsys):
    run = written(tmp_path)
    kept, passed, unresolved = "lira_online:auc=0.7", "lira_online:auc=0.6", "quantile:auc=0.9"
    assert gate(capsys, run, kept, unresolved)[0] == 4
    assert gate(capsys, run, unresolved, kept, "--at_most", passed)[0] == 2, "one figure, two ceilings"
    passed = "lira_online:per_target:auc=0.6"
    status, out, _ = gate(capsys, run, kept, unresolved, "--at_most", passed)
    assert status == 3 and [line.split(":")[0] for line in out.splitlines()] == ["kept", "unresolved", "exceeded"]


def test_all_stands_for_every_attack_that_ran_here_or_in_the_study_of_attacks(tmp_path, capsys):
    run = written(tmp_path)
    written(tmp_path / "attacks", attacks={"lira_online": {**ENTRY, "auc_ci": [0.1, 0.9]}, "gap": ENTRY})
    status, out, _ = gate(capsys, run, "all:auc=0.66")
    beside = tmp_path / "attacks" / "results.json"
    assert (status, out.splitlines()) == (0, [
        "kept: lira_online:auc 0.6 [0.55, 0.65], ceiling 0.66",
        f"kept: gap:auc 0.6 [0.55, 0.65], ceiling 0.66 ({beside})",
    ])  # fmt: skip
    assert gate(capsys, written(tmp_path / "none", attacks={}), "all:auc=1")[0] == 4


def test_scores_below_chance_count_as_who_turns_them_round_has_them(tmp_path, capsys):
    run = written(tmp_path, attacks={"gap": REVERSED})
    status, out, _ = gate(capsys, run, "gap:auc=0.9")
    assert status == 3 and "turned round, the same scores reach up to 0.95" in out
    status, out, _ = gate(capsys, run, "gap:advantage=0.1")
    assert status == 0 and "turned round, the same scores may reach more" in out


def test_a_target_that_is_not_comparable_cannot_keep_a_ceiling_only_pass_it(tmp_path, capsys):
    target = {**ENTRY, "comparable": False}
    run = written(tmp_path, attacks={"lira_online": target, "global_threshold": target})
    status, out, _ = gate(capsys, run, "lira_online:auc=0.9")
    assert status == 4 and "bounds its leakage from below only" in out
    assert gate(capsys, run, "lira_online:auc=0.6")[0] == 3
    assert gate(capsys, run, "global_threshold:auc=0.9")[0] == 0, "it has no shadow models to be compared with"


@pytest.mark.parametrize("study", ["lira", "attacks", "audit_target", "import_signals"])
def test_every_kind_of_results_is_read(study, tmp_path, capsys):
    results = json.loads((KEPT / f"{study}.json").read_text())["results"]
    (tmp_path / "results.json").write_text(json.dumps(results))
    for name, entry in results["attacks"].items():
        above = max(entry["auc_ci"][1], 1 - entry["auc_ci"][0])
        assert gate(capsys, tmp_path, f"{name}:auc={above - 1e-6}")[0] in (0, 3)
        assert gate(capsys, tmp_path, f"{name}:per_target:tpr_at_fpr:0.0001=1")[0] == 4
        assert gate(capsys, tmp_path, f"{name}:auc=0.01")[0] == 3
    status, out, _ = gate(capsys, tmp_path, "lira_online:per_target:tpr_at_fpr:0.0001=1")
    assert status == 4 and ("takes 10,000 non-members of each" in out or "non-members cannot show" in out)


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        (["lira_online:auc"], "--at_most lira_online:auc; expected ATTACK:FIGURE=CEILING"),
        (["lira_online:auc="], "the ceiling is missing; expected a fraction from 0 to 1"),
        (["lira_online:auc=nan"], "the ceiling is nan; expected a fraction"),
        (["lira_online:auc=1.5"], "the ceiling is 1.5; expected a fraction"),
        (["lira_online:auc=1%"], "the ceiling is 1%; expected a fraction"),
        (["lira_online:tpr_at_fpr=0.1"], "expected a false-positive rate after tpr_at_fpr"),
        (["lira_online:tpr_at_fpr:0.05=0.1"], "has no TPR at FPR 0.05; expected one of 0.001, 0.0001"),
        (["lira_onlin:auc=0.1"], "lira_onlin is no attack; expected all, or one of lira_online. Did you mean"),
        (
            ["lira_online:auk=0.1"],
            "there is no figure auk with an interval; expected one of auc, balanced_accuracy, "
            "advantage, tpr_at_fpr:FPR, tpr_at_zero_fp, per_target:FIGURE",
        ),
        (["lira_online:absolute_advantage=0.1"], "there is no figure absolute_advantage with an interval"),
        (["lira_online:auc:0.1=0.1"], "there is no figure 0.1"),
        ([":auc=0.1"], "expected ATTACK:FIGURE=CEILING"),
        ([], "--at_most names no ceiling"),
    ],
)
def test_what_is_no_ceiling_is_one_line_and_status_2(rules, told, tmp_path, capsys):
    status, out, error = gate(capsys, written(tmp_path), *rules)
    assert status == 2 and not out and error.count("\n") == 1 and told in error, error


def test_a_folder_without_results_or_with_others_is_refused(tmp_path, capsys):
    assert gate(capsys, tmp_path, "gap:auc=1")[2].endswith("miajax lira or miajax attacks writes one.\n")
    for text in ("[]", '{"attacks": 3}', "{"):
        (tmp_path / "results.json").write_text(text)
        status, _, error = gate(capsys, tmp_path, "gap:auc=1")
        assert status == 2 and error.count("\n") == 1
    assert "has schema_version 2; expected 1" in gate(capsys, written(tmp_path, schema_version=2), "gap:auc=1")[2]
    assert gate(capsys, written(tmp_path, schema_version=1), "lira_online:auc=1")[0] == 0
    written(tmp_path, attacks={"gap": {**ENTRY, "auc": "high", "auc_ci": [0, 1]}})
    assert "expected a number and the two ends of it" in gate(capsys, tmp_path, "gap:auc=1")[2]


def test_rules_are_read_as_they_print():
    assert rule_of("a:b:tpr_at_fpr:1e-4=.5") == Rule("a", ("b", "tpr_at_fpr"), "0.0001", 0.5)
    assert str(rule_of("a:b:tpr_at_fpr:1e-4=.5")) == "a:b:tpr_at_fpr:0.0001"
    assert rule_of("generalization_gap=0.1") == Rule("", ("generalization_gap",), None, 0.1)
    assert len(rules_of(["a:auc=0.1", "a:auc=0.1"])) == 1
    with pytest.raises(UserError):
        rules_of(["a:auc=0.1", "a:auc=0.2"])
