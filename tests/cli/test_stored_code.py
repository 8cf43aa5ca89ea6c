"""A run folder is data: Python files that it names run only when they are typed or confirmed."""

import dataclasses
import hashlib
import importlib

import numpy as np
import pytest

import miajax
from miajax.campaign.config import CampaignConfig, plain
from miajax.campaign.stored import stored_config, stored_study
from miajax.errors import UserError
from miajax.plugins import StoredReference, load_object, trusting_code
from miajax.runs.atomic import write_sealed
from miajax.runs.folder import RunFolder
from miajax.studies.dpsgd.study import STUDY_FILE, DpsgdOptions

OF_RUNS = (
    "lira", "attacks", "low_budget", "stability", "overfitting", "outliers", "saliency", "defenses", "audit",
    "audit_target",
)  # fmt: skip


@pytest.fixture
def strangers_run(tmp_path):
    """``(run folder, trace)``: the folder names a Python file that leaves a trace when it runs."""
    trace, code = tmp_path / "trace", tmp_path / "evil.py"
    code.write_text(f"open({str(trace)!r}, 'w').close()\nnet = 3\n")
    model = {"name": "net", "file": code.name, "object": "net", "sha256": hashlib.sha256(code.read_bytes()).hexdigest()}
    RunFolder.create(tmp_path / "run", {"model": model}, {"plan": {}})
    config = CampaignConfig(model=f"{code}:net")
    write_sealed(tmp_path / "run" / "config.json", plain(dataclasses.asdict(config)))
    np.savez(tmp_path / "target.npz", membership=np.arange(4) < 2, labels=np.zeros(4, int))
    return tmp_path / "run", trace


def called(name: str, run, *more: str) -> int:
    command = importlib.import_module(f"miajax.cli.{name}").run
    target = ("--target", str(run.parent / "target.npz")) if name == "audit_target" else ()
    with pytest.raises(SystemExit) as end:
        command.main(f"miajax {name}", ["--run", str(run), *target, *more])
    return int(end.value.code or 0)


@pytest.mark.parametrize("name", OF_RUNS)
def test_no_command_runs_code_that_a_folder_names(strangers_run, name, capsys):
    run, trace = strangers_run
    assert called(name, run) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "not run because a folder asks for it" in said and "--trust_code" in said
    assert not trace.exists()


@pytest.mark.parametrize("name", ["lira", "audit_target"])
def test_the_recorded_file_runs_when_it_is_confirmed(strangers_run, name, capsys):
    run, trace = strangers_run
    assert called(name, run, "--trust_code") == 2
    assert trace.exists() and "model net is a int" in capsys.readouterr().err


def test_a_file_that_changed_since_runs_not_even_when_confirmed(strangers_run, capsys):
    run, trace = strangers_run
    code = run.parent / "evil.py"
    code.write_text(code.read_text() + "# and more\n")
    assert called("lira", run, "--trust_code") == 2
    assert "it has changed since" in capsys.readouterr().err and not trace.exists()


def test_a_confirmation_that_was_taken_back_is_none(strangers_run):
    run, trace = strangers_run
    assert called("lira", run, "--trust_code", "False") == 2
    assert not trace.exists()


def test_a_path_that_is_typed_is_the_users_own(strangers_run):
    run, trace = strangers_run
    assert called("lira", run, "--model", f"{run.parent / 'evil.py'}:net") == 2
    assert trace.exists()


def test_from_code_a_run_is_opened_by_the_same_rules(strangers_run):
    run, trace = strangers_run
    with pytest.raises(UserError, match="not run because a folder asks for it"):
        miajax.open_run(run)
    assert not trace.exists()
    with pytest.raises(UserError, match="model net is a int"):
        miajax.open_run(run, trust_code=True)
    assert trace.exists()


def test_confirmed_is_what_runs_within_the_block_alone(strangers_run):
    run, trace = strangers_run
    reference = stored_config(run).model
    assert isinstance(reference, StoredReference)
    with trusting_code():
        load_object(reference, "--model")
    trace.unlink()
    with pytest.raises(UserError, match="your word for it"):
        load_object(reference, "--model")
    assert not trace.exists()


def test_a_reference_that_was_copied_is_still_a_files_word(strangers_run):
    config = stored_config(strangers_run[0])
    assert isinstance(config.model, StoredReference)
    assert isinstance(dataclasses.replace(config, seed=3).model, StoredReference)
    copied = dataclasses.asdict(config)["model"]
    assert isinstance(copied, StoredReference) and copied.sha256 == config.model.sha256


def test_a_study_of_several_runs_is_data_too(tmp_path, strangers_run):
    run, trace = strangers_run
    study = tmp_path / "study"
    study.mkdir()
    run.rename(study / "private")
    asked = {"campaign": {"model": f"{tmp_path / 'evil.py'}:net"}, "options": {}}
    write_sealed(study / STUDY_FILE, asked)
    config, _ = stored_study(study, STUDY_FILE, DpsgdOptions)
    with pytest.raises(UserError, match="your word for it"):
        load_object(config.model, "--model")
    assert called("dpsgd", study) == 2 and not trace.exists()


@pytest.mark.parametrize(
    "damage", [{"seed": "x"}, {"recipe": 3}, {"recipe": {"epochs": 1.5}}, {"split": "by hand"}, {"seed": True}]
)
def test_settings_of_another_type_are_one_line(tmp_path, damage):
    RunFolder.create(tmp_path, {}, {})
    write_sealed(tmp_path / "config.json", damage)
    with pytest.raises(UserError, match=r"config\.json holds"):
        stored_config(tmp_path)
