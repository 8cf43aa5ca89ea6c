"""Before and after: figures by hand, refusals, who gained and who lost, and what the page and the terminal say."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from miajax.cli import main
from miajax.data.registry import DataOptions
from miajax.metrics.changes import exposure_changes
from miajax.metrics.json_form import from_json
from miajax.metrics.paired import difference_over_models, influences, mean_difference
from miajax.runs.tables import read_table
from miajax.studies.compare import words
from miajax.studies.compare.results import Comparison, Setting
from miajax.studies.compare.study import CompareOptions, run_compare
from tests.golden.fixed_run import fixed_run
from tests.report.browser import opened
from tests.studies.made import made

ATTACKS = ("global_threshold", "lira_online_fixed")
PROTECTED = np.arange(300) < 60


def attacked(path: Path, leak: np.ndarray, *, models: int = 24, membership: int = 0, noise: int = 0, **changes) -> Path:
    """A finished run of simulated models whose attack scores are simulated, too: members lie ``leak[N]`` higher.

    Args:
      path: its folder, new.
      leak: by example.
      models: M.
      membership: seed of the split.
      noise: seed of the scores.
      **changes: fields of the run's configuration.
    """
    fixed_run(path, models, seed=membership, **changes)
    member, rng = np.load(path / "membership.npy"), np.random.default_rng(noise)
    (path / "scores").mkdir()
    for strength, name in zip((0.3, 1.0), ATTACKS, strict=True):
        scores = rng.normal(size=member.shape) + strength * leak * member
        np.save(path / "scores" / f"{name}.npy", scores.astype(np.float32))
    (path / "results.json").write_text(json.dumps({"dataset": "digits", "model": "mlp"}))
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> dict[str, Path]:
    """Before; after, where the first 60 examples leak no more; the same with another membership."""
    folder = tmp_path_factory.mktemp("runs")
    leak = np.full(300, 4.0)
    less = np.where(PROTECTED, 0.0, leak)
    return {
        "before": attacked(folder / "before", leak, noise=1),
        "after": attacked(folder / "after", less, noise=2),
        "other": attacked(folder / "other", less, models=20, membership=5, noise=3),
    }


def compared(runs, after: str, out: Path, **options):
    return run_compare(runs["before"], runs[after], out, CompareOptions(**options))


def test_changes_are_the_paired_differences_of_the_stored_scores(runs, tmp_path):
    results = compared(runs, "after", tmp_path).results
    assert results["paired"] and list(results["attacks"]) == sorted(ATTACKS)
    member, valid = np.load(runs["before"] / "membership.npy"), np.ones(24, bool)
    for name, entry in results["attacks"].items():
        one, other = (
            influences(np.load(runs[side] / "scores" / f"{name}.npy"), member, valid, 0.01)
            for side in ("before", "after")
        )
        for found, pair in ((entry["auc"], (other.auc, one.auc)), (entry["tpr_at_fpr"]["0.01"], (other.tpr, one.tpr))):
            change = mean_difference([pair])
            assert found["change"] == change.value and found["change_ci"] == change.ci
            assert (found["before"], found["after"]) == (pair[1].value, pair[0].value)
            assert found["change_ci_of_all"] == mean_difference([pair], 0.975).ci, "two attacks"
    assert results["attacks"]["lira_online_fixed"]["tpr_at_fpr"]["0.0001"] is None, "3,600 non-members"
    assert results["lead"] == {"attack": "lira_online_fixed", "by": "tpr_at_fpr", "fpr": "0.001"}
    assert results["attacks"]["lira_online_fixed"]["auc"]["standing"] == "below"


def test_another_membership_leaves_examples_shared_and_models_apart(runs, tmp_path):
    results = compared(runs, "other", tmp_path).results
    assert not results["paired"]
    one, other = (
        influences(
            np.load(runs[side] / "scores" / "lira_online_fixed.npy"),
            np.load(runs[side] / "membership.npy"),
            np.ones(models, bool),
            0.01,
        ).auc
        for side, models in (("before", 24), ("other", 20))
    )
    entry = results["attacks"]["lira_online_fixed"]["auc"]
    assert entry["change_ci"] == difference_over_models(other, one).ci
    notes = " ".join(results["notes"])
    assert "24 and 20 models" in notes and "memberships are not the same" in notes
    assert {each["name"] for each in results["settings"]} == {"seed", "num_shadows"}


def test_settings_of_a_mechanism_are_told_one_by_one():
    from miajax.studies.compare.side import Side, Stored, settings_that_differ

    member = np.zeros((2, 3), bool)

    def side(**identity) -> Side:
        return Side(Path(), member, member[:, 0], None, None, identity, {}, Stored("digits", "mlp"), {}, ())

    private = {"epsilon": 8.0, "noise_multiplier": None}
    assert settings_that_differ(side(seed=1), side(seed=1, privacy=[private])) == (
        Setting("privacy.epsilon", "null", "8.0"),
    )
    assert settings_that_differ(side(privacy=[private]), side(privacy=[{**private, "epsilon": 1.0}])) == (
        Setting("privacy.epsilon", "8.0", "1.0"),
    )


@pytest.mark.parametrize("standings", [["below"], ["below"] * 3, ["below", "above", "above", "not shown"]])
def test_attacks_are_counted_by_what_they_show(standings):
    results = {"attacks": {str(k): {"auc": {"standing": standing}} for k, standing in enumerate(standings)}}
    assert (
        words.attacks_finding(made(Comparison, results))
        == {
            1: "By AUC, the attack finds measurably less",
            3: "By AUC, all 3 attacks find measurably less",
            4: "Of 4 attacks, by AUC, 1 finds measurably less, 2 find measurably more, 1 shows no measurable change",
        }[len(standings)]
    )


@pytest.mark.parametrize("after", ["after", "other"])
def test_who_gained_protection_is_named_and_the_table_of_examples_says_so(runs, after, tmp_path):
    results = compared(runs, after, tmp_path).results
    table = read_table(tmp_path / "per_example.parquet")
    sides = [
        (np.load(runs[side] / "scores" / "lira_online_fixed.npy"), np.load(runs[side] / "membership.npy"))
        for side in ("before", after)
    ]
    valid = [np.ones(len(member), bool) for _, member in sides]
    found = exposure_changes(
        *(scores for scores, _ in sides), *(member for _, member in sides), *valid,  # type: ignore[call-arg]
        fpr=0.01, paired=after == "after",
    )  # fmt: skip
    np.testing.assert_array_equal(table["change"], found.direction)
    np.testing.assert_array_equal(table["p"], found.p)
    counts = results["attacks"]["lira_online_fixed"]["exposure"]
    assert counts["gained_protection"] == (table["change"] < 0).sum() > 40
    assert (table["change"][~PROTECTED] != 0).mean() < 0.05 and counts["lost_protection"] <= 2
    assert table["exposure_before"][PROTECTED].mean() > 0.8 > 0.2 > table["exposure_after"][PROTECTED].mean()


def test_two_runs_of_one_kind_are_not_measurably_different_and_the_page_says_what_fits(runs, tmp_path):
    twin = attacked(tmp_path / "twin", np.full(300, 4.0), noise=9)
    result = run_compare(runs["before"], twin, tmp_path / "out")
    found = result.found
    assert {entry.auc.standing for entry in found.attacks.values()} == {"not shown"}
    assert "not measurably different; a change from" in words.headline(found)
    assert "none can be named whose protection changed" in words.exposure_finding(found)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Who is not named may have changed" in page
    assert not {"no leak", "is safe", "nothing changed"} & {words.headline(found)}


def test_accuracies_change_by_paired_differences_and_are_null_without_answers(runs, tmp_path):
    accuracy = compared(runs, "after", tmp_path).results["accuracy"]
    assert accuracy["test_accuracy"]["change"] == 0.0, "the models of the two runs are the same"
    assert accuracy["test_accuracy"]["change_ci"] == [0.0, 0.0]
    member = np.load(runs["before"] / "membership.npy")
    correct = np.concatenate([np.load(p) for p in sorted(runs["before"].glob("groups/*/correct.npy"))])
    assert accuracy["train_accuracy"]["before"] == pytest.approx(correct[member].mean())


def imported(run: Path, path: Path, **arrays) -> Path:
    """The same run as an import holds it."""
    path.mkdir()
    shutil.copytree(run / "scores", path / "scores")
    (path / "results.json").write_text(json.dumps({"dataset": "signals.npz", "model": "elsewhere (arrays)"}))
    (path / "source.json").write_text("{}")
    member = np.load(run / "membership.npy")
    given = {"membership": member, "signals": np.zeros((*member.shape, 1)), "labels": np.load(run / "labels.npy")}
    for name, array in (given | arrays).items():
        if array is not None:
            np.save(path / f"{name}.npy", array)
    return path


def test_an_import_is_compared_by_labels_and_has_no_accuracy(runs, tmp_path):
    out = imported(runs["after"], tmp_path / "imported")
    results = run_compare(runs["before"], out, tmp_path / "out").results
    assert results["accuracy"] is None and results["attacks"]["lira_online_fixed"]["auc"]["standing"] == "below"
    assert any("judged by their labels alone" in note for note in results["notes"])
    assert "Accuracies cannot be compared" in (tmp_path / "out" / "report.html").read_text()
    failed = np.zeros((24, 300, 1))
    failed[3] = np.nan
    out = imported(runs["after"], tmp_path / "failed", signals=failed)
    results = run_compare(runs["before"], out, tmp_path / "out").results
    assert (results["before"]["num_valid"], results["after"]["num_valid"]) == (24, 23)
    assert any("1 models trained well in one run only" in note for note in results["notes"])


def refusal(capsys, before: Path, after: Path, *flags: str) -> str:
    """The one line that a refused comparison ends with."""
    with pytest.raises(SystemExit) as end:
        main(["compare", "--run", str(before), "--with", str(after), *flags])
    assert end.value.code == 2
    out, error = capsys.readouterr()
    assert not out and error.count("\n") == 1
    return error


def test_what_cannot_be_compared_is_refused_in_one_line_that_names_the_difference(runs, tmp_path, capsys):
    before = runs["before"]
    assert "both name" in refusal(capsys, before, before)
    assert f"{tmp_path} holds no results.json" in refusal(capsys, before, tmp_path)
    labels = np.load(before / "labels.npy")
    other = imported(before, tmp_path / "labels", labels=np.where(np.arange(300) < 7, (labels + 1) % 10, labels))
    assert "7 of 300 labels differ" in refusal(capsys, before, other)
    member = np.load(before / "membership.npy")
    arrays = {"membership": member[:, :200], "signals": np.zeros((24, 200, 1)), "labels": None}
    fewer = imported(before, tmp_path / "fewer", **arrays)
    assert "holds no attack's scores of its 24 models" in refusal(capsys, before, fewer)
    shutil.rmtree(fewer / "scores")
    (fewer / "scores").mkdir()
    np.save(fewer / "scores" / "lira_online_fixed.npy", np.zeros((24, 200), np.float32))
    assert "their pools hold 300 and 200 examples" in refusal(capsys, before, fewer)
    strange = imported(runs["other"], tmp_path / "strange", labels=None)
    assert "nothing shows that they hold the same data" in refusal(capsys, before, strange)
    assert "have no scores of it" in refusal(capsys, before, runs["after"], "--attacks", "rmia_online")
    out = imported(before, tmp_path / "import")
    assert "is an import, which holds no records" in refusal(capsys, out, runs["after"], "--show_records")
    assert not any((run / "compare").exists() for run in (before, out)), "nothing is written where one is refused"


def test_other_features_are_refused_unless_they_are_declared_another_encoding(runs, tmp_path, capsys):
    bounds = DataOptions(max_examples=300, feature_bounds="0,2")  # the same records by other numbers
    run = attacked(tmp_path / "encoded", np.full(300, 4.0), noise=2, data=bounds)
    assert "the content of their data differs (SHA-256 " in refusal(capsys, runs["before"], run)
    out = str(tmp_path / "out")
    main(["compare", "--run", str(runs["before"]), "--with", str(run), "--out", out, "--encoded_otherwise"])
    assert any("was declared" in note for note in json.loads((tmp_path / "out/results.json").read_text())["notes"])


def test_scores_of_fewer_models_than_the_run_are_left_out_with_a_note(runs, tmp_path):
    run = tmp_path / "grown"
    shutil.copytree(runs["after"], run)
    np.save(run / "scores" / "global_threshold.npy", np.zeros((12, 300), np.float32))
    results = run_compare(runs["before"], run, tmp_path / "out").results
    assert list(results["attacks"]) == ["lira_online_fixed"]
    assert any("are not of all its 24 models" in note for note in results["notes"])


def test_records_appear_by_number_unless_they_may_be_shown(runs, tmp_path):
    page = (compared(runs, "after", tmp_path / "a").folder / "report.html").read_text()
    assert "by number only" in page and "data:image/png" not in page and ">Class<" not in page
    page = (compared(runs, "after", tmp_path / "b", show_records=True).folder / "report.html").read_text()
    assert "data:image/png" in page and ">Class<" in page


def test_the_terminal_says_what_the_page_says(runs, tmp_path, capsys):
    main(["compare", "--run", str(runs["before"]), "--with", str(runs["after"]), "--out", str(tmp_path)])
    out = capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text())
    found = from_json(Comparison, results)
    assert words.headline(found) in out and words.exposure_finding(found) in out
    auc = results["attacks"]["lira_online_fixed"]["auc"]
    assert f"{auc['before']:.3f}" in out and f"{auc['change']:.3f}" in out
    assert f"report: {tmp_path / 'report.html'}" in out


def test_a_browser_shows_the_whole_page_without_a_complaint(runs, tmp_path):
    report = compared(runs, "after", tmp_path / "out", show_records=True).folder / "report.html"
    pictures, missing, errors = opened(report, tmp_path)
    assert pictures >= 2 and not missing and not errors
