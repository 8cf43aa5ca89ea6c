"""The export command."""

import sys

import numpy as np
import pytest

from experiments import _command, export
from tests.runs.stored_runs import simulated_run


def main(monkeypatch, *flags: str) -> int:
    monkeypatch.setattr(sys, "argv", ["export", *flags])
    try:
        _command.main(export.run)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.parametrize("format", ["lira2021", "privacy_meter", "tf_privacy", "sklearn"])
def test_every_format_is_written_whole_with_a_record_of_what_it_is(tmp_path, monkeypatch, capsys, format):
    simulated_run(tmp_path / "run", failed=(2,))
    out = tmp_path / "deep" / "out"
    assert main(monkeypatch, "--run", str(tmp_path / "run"), "--format", format, "--out", str(out)) == 0
    assert f"5 models in {format} layout; left out, failed: 2" in capsys.readouterr().out
    assert (out / "export.json").is_file()
    for file in out.rglob("*.np[yz]"):
        np.load(file, allow_pickle=False)


def test_what_is_no_run_is_one_line_and_status_2(tmp_path, monkeypatch, capsys):
    out = str(tmp_path / "out")
    assert main(monkeypatch, "--run", str(tmp_path), "--format", "sklearn", "--out", out) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()
