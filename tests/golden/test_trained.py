"""Every command that trains, as small as it goes: names, kinds and files of what it leaves stay what they were."""

import importlib
from pathlib import Path

import pytest

from tests.golden.snapshot import files_of, hold_against_kept, results_of, shape_of

_SMALL = ["--max_examples", "300", "--batch_size", "32", "--epochs", "3", "--chunk", "2"]
COMMANDS = {
    "trained_lira": ("lira", ["--num_shadows", "8", *_SMALL]),
    "trained_saliency": ("saliency", ["--num_shadows", "16", *_SMALL]),
    "trained_audit": ("audit", ["--num_shadows", "8", "--canaries", "20", "--dp_epsilon", "8", *_SMALL]),
    "trained_dpsgd": ("dpsgd", ["--num_shadows", "4", "--epsilons", "8", *_SMALL]),
    "trained_overfitting": ("overfitting", ["--num_shadows", "8", *_SMALL]),
    "trained_defenses": ("defenses", ["--num_shadows", "8", *_SMALL]),
}


@pytest.mark.slow
@pytest.mark.parametrize("kept", COMMANDS)
def test_command_leaves_what_it_left(kept: str, tmp_path: Path, update_golden: bool):
    name, argv = COMMANDS[kept]
    result = importlib.import_module(f"experiments.{name}").run([*argv, "--out", str(tmp_path / "run")])
    found = {
        "files": [file for file in files_of(tmp_path) if "checkpoints" not in file],
        "results": shape_of(results_of(result.folder)),
    }
    assert not hold_against_kept(kept, found, update_golden)


def test_bad_input_ends_with_one_line_and_status_two(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    from miajax.cli import command

    lira = importlib.import_module("experiments.lira")
    monkeypatch.setattr("sys.argv", ["lira", "--dataset", "nothing"])
    with pytest.raises(SystemExit) as ended:
        command.main(lira.run)
    assert ended.value.code == 2 and capsys.readouterr().err.count("\n") == 1
