"""The commands for targets and signals from elsewhere."""

import re
import sys

import jax
import numpy as np
import pytest

from experiments import _command, audit_target, epsilon, export, import_signals, lira
from tests.runs.stored_runs import simulated_run


def main(monkeypatch, module, *flags: str) -> int:
    monkeypatch.setattr(sys, "argv", [module.__name__, *flags])
    try:
        _command.main(module.run)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_imported_signals_are_attacked_and_printed(tmp_path, monkeypatch, capsys):
    arrays = simulated_run(tmp_path / "run", num_models=8, num_examples=40)
    np.savez(tmp_path / "a.npz", membership=arrays["membership"], signals=arrays["signals"])
    flags = ("--source", str(tmp_path / "a.npz"), "--format", "arrays", "--out", str(tmp_path / "out"))
    assert main(monkeypatch, import_signals, *flags) == 0
    printed = capsys.readouterr().out
    assert "8 of 8 models, 40 examples" in printed and "lira_online " in printed
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_target_that_is_missing_is_one_line_and_status_2(tmp_path, monkeypatch, capsys):
    assert main(monkeypatch, audit_target, "--run", str(tmp_path), "--target", str(tmp_path / "no.npz")) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "is not a run folder" in error


def test_what_settles_a_doubt_is_named_in_the_error_and_taken_as_a_flag(tmp_path, monkeypatch, capsys):
    arrays = simulated_run(tmp_path / "run", num_models=8, num_examples=40)
    probabilities = 1 / (1 + np.exp(-arrays["signals"][..., 0].astype(np.float64)))
    np.savez(tmp_path / "a.npz", membership=arrays["membership"], losses=probabilities)
    flags = ("--source", str(tmp_path / "a.npz"), "--format", "arrays", "--out", str(tmp_path / "out"))
    assert main(monkeypatch, import_signals, *flags) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "--signal_kind probabilities" in error
    assert main(monkeypatch, import_signals, *flags, "--signal_kind", "probabilities") == 0
    assert "note: " in capsys.readouterr().out
    np.testing.assert_allclose(np.load(tmp_path / "out" / "signals.npy"), arrays["signals"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("module", "flags"),
    [
        (lira, ("--out", "ftp://bucket/run")),
        (lira, ("--out=hdfs://bucket/run",)),
        (lira, ("--run", "ftp://bucket/run")),
        (lira, ("--dataset", "npz", "--data_path", "https://host/data.npz")),
        (lira, ("--data-path", "file:///tmp/data.npz")),
        (import_signals, ("--source", "ftp://bucket/a", "--format", "arrays", "--out", "x")),
        (export, ("--run", "x", "--format", "lira2021", "--out", "ftp://bucket/a")),
    ],
)
def test_a_url_is_refused_in_one_line_and_makes_no_folder_of_that_name(tmp_path, monkeypatch, capsys, module, flags):
    monkeypatch.chdir(tmp_path)
    assert main(monkeypatch, module, *flags) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "--" in error
    assert re.search(
        "is a URL; expected a path on this machine|is no URL of an object store; expected a path, or", error
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["jax_debug_nans", "jax_debug_infs"])
def test_jax_s_search_for_nan_is_refused_in_one_line(monkeypatch, capsys, name):
    jax.config.update(name, True)
    try:
        assert main(monkeypatch, epsilon, "--epsilon", "1") == 2
    finally:
        jax.config.update(name, False)
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and f"Unset {name.upper()}" in error
