"""What run folders hold, whether they are whole, how two differ and what may go."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from miajax.cli import main
from miajax.runs.folder import RunFolder
from miajax.runs.inspection import differing, found_runs, problems
from tests.runs.stored_runs import simulated_run


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("runs")
    simulated_run(place / "one")
    simulated_run(place / "study" / "two", seed=1)
    return place


@pytest.fixture
def runs(made, tmp_path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "runs"))


def ended(capsys, *argv: str) -> tuple[int, str, str]:
    status = 0
    try:
        main(["runs", *map(str, argv)])
    except SystemExit as end:
        status = int(end.code or 0)
    return status, *capsys.readouterr()


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def test_runs_are_found_at_any_depth_with_what_they_hold(runs, capsys):
    one, two = found_runs(runs)
    assert (one.path, two.path) == (str(runs / "one"), str(runs / "study" / "two"))
    assert (one.state, one.dataset, one.model, one.models, one.format) == ("finished", "simulated", "mlp", 6, 2)
    assert one.size == sum(file.stat().st_size for file in (runs / "one").rglob("*") if file.is_file())
    status, out, _ = ended(capsys, "list", runs)
    assert status == 0 and str(runs / "study" / "two") in out
    status, out, _ = ended(capsys, "list", runs, "--json")
    assert [run["models"] for run in json.loads(out)["runs"]] == [6, 6]
    flip(runs / "one" / "manifest.json")
    assert found_runs(runs)[0].state == "unreadable" and ended(capsys, "list", runs)[0] == 0


def test_show_tells_all_that_a_run_says_of_itself(runs, capsys):
    status, out, _ = ended(capsys, "show", runs / "one")
    assert status == 0 and "recipe.epochs: 30" in out and "group 00000-00002: 3 models" in out
    told = json.loads(ended(capsys, "show", runs / "one", "--json")[1])
    assert told["run"]["models"] == 6 and told["manifest"]["identity"] == {"dataset": "simulated"}


def test_a_whole_run_is_verified_with_status_0_and_read_only(runs, capsys):
    before = {file: file.stat().st_mtime_ns for file in runs.rglob("*")}
    status, out, _ = ended(capsys, "verify", runs)
    assert status == 0 and out.count(": whole, finished (6 models)") == 2
    assert {file: file.stat().st_mtime_ns for file in runs.rglob("*")} == before


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("manifest.json", "manifest.json"),
        ("config.json", "config.json"),
        ("membership.npy", "membership.npy"),
        ("labels.npy", "arrays beside the groups"),
        ("signals.npy", "arrays beside the groups"),
        ("groups/00003-00005/signals.npy", "groups/00003-00005"),
        ("groups/00000-00002/group.json", "groups/00000-00002"),
        ("logits/00000-00002.npy", "groups/00000-00002"),
        ("scores/lira_online.npy", "scores/lira_online.npy"),
    ],
)
def test_every_damaged_part_is_named_with_status_1(runs, capsys, file, part):
    flip(runs / "one" / file)
    assert part in [problem.part for problem in problems(runs / "one")]
    status, out, _ = ended(capsys, "verify", runs / "one", "--json")
    (told,) = json.loads(out)["runs"]
    assert status == 1 and not told["whole"] and part in [problem["part"] for problem in told["problems"]]


def test_all_damaged_parts_are_named_together(runs):
    for name in ("00000-00002", "00003-00005"):
        flip(runs / "one" / "groups" / name / "signals.npy")
    assert [problem.part for problem in problems(runs / "one")] == ["groups/00000-00002", "groups/00003-00005"]


def test_two_runs_differ_in_what_they_were_told_and_in_their_signals(runs, capsys):
    assert differing(runs / "one", shutil.copytree(runs / "one", runs / "copy")) == []
    assert ended(capsys, "diff", runs / "one", runs / "copy")[0] == 0
    found = differing(runs / "one", runs / "study" / "two")
    assert ("settings", "seed: 0 and 1") in [(each.of, each.what) for each in found]
    assert any(each.of == "signals" and each.what.startswith("6 of 6 models differ") for each in found)
    status, out, _ = ended(capsys, "diff", runs / "one", runs / "study" / "two", "--json")
    assert status == 1 and len(json.loads(out)["differences"]) == len(found)


def leave(run: Path) -> list[Path]:
    left = [
        run / ".partial-x",
        run / "groups" / ".partial-00000-00002-ab",
        run / "checkpoints" / "in-progress-00000-00002",
    ]
    (run / "checkpoints").mkdir()
    left[0].write_bytes(b"x" * 10)
    for folder in left[1:]:
        folder.mkdir()
        (folder / "x").write_bytes(b"x" * 10)
    (run / "checkpoints" / "in-progress-00006-00008").mkdir()  # of models that are not finished: it stays
    return left


def test_gc_names_what_may_go_and_deletes_it_only_when_told_to(runs, capsys):
    run = runs / "one"
    left = leave(run)
    flip(run / "groups" / "00003-00005" / "signals.npy")
    aside = RunFolder.open(run).set_aside(range(3, 6))
    status, out, _ = ended(capsys, "gc", run)
    assert status == 0 and all(f"may go: {path} (" in out for path in left) and aside.is_dir()
    assert all(path.exists() for path in left) and "nothing was deleted" in out
    status, out, _ = ended(capsys, "gc", run, "--delete", "--json")
    told = json.loads(out)
    assert status == 0 and told["deleted"] and len(told["may_go"]) == 4
    assert not any(path.exists() for path in left) and not (run / "damaged").exists()
    assert (run / "checkpoints" / "in-progress-00006-00008").is_dir()
    np.testing.assert_array_equal(RunFolder.open(run).done(), [range(3)])
    assert "nothing may go" in ended(capsys, "gc", run)[1]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["verify", "RUNS/none"], "RUNS/none is not a folder"),
        (["verify", "RUNS/study/two/groups"], "is not a run folder"),
        (["diff", "RUNS/one"], "miajax runs diff was given no second folder"),
        (["show", "RUNS/one", "RUNS/study"], "expected a second folder for diff alone"),
        (["show", "RUNS/one", "--delete"], "--delete has no meaning for miajax runs show"),
        (["tidy", "RUNS"], "--verb tidy; expected one of list, show, verify, diff, gc"),
        (["list"], "--run is missing"),
        (["list", "a", "b", "c"], "--too_many is no flag"),
    ],
)
def test_what_makes_no_sense_is_one_line_with_status_2(runs, capsys, argv, said):
    status, _, err = ended(capsys, *(word.replace("RUNS", str(runs)) for word in argv))
    assert status == 2 and said.replace("RUNS", str(runs)) in err and err.count("\n") == 1


def test_switches_may_stand_before_the_folders(runs, capsys):
    assert json.loads(ended(capsys, "--json", "list", runs)[1]) == json.loads(ended(capsys, "list", runs, "--json")[1])
