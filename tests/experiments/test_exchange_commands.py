"""The commands for targets and signals from elsewhere."""

import sys

import numpy as np

from experiments import _command, audit_target, import_signals
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
