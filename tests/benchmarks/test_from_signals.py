"""The benchmark of the way from stored logits to the report runs, on a run that nobody trained."""

import json
import sys

import numpy as np
import pytest

from benchmarks.from_signals import drawn_run, main


@pytest.mark.slow
def test_the_command_attacks_what_was_drawn_and_every_part_is_timed(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["from_signals", "--quick"])
    main(tmp_path / "rows.json", models=8, examples=120)
    rows = {row["name"]: row["ours"] for row in json.loads((tmp_path / "rows.json").read_text())["rows"]}
    whole = rows["miajax attacks, 8 models x 120 examples x 10 classes, process to report"]
    parts = [rows[f"of it: {part}"] for part in ("attack", "blind", "report")]
    assert 0 < sum(parts) < whole and rows["attacks that ran"] > 10 and 0 < rows["peak memory"] < 16


def test_members_of_some_examples_are_told(tmp_path):
    run = drawn_run(tmp_path, 8, 200)
    signals, member = np.load(run / "signals.npy")[..., 0], np.load(run / "membership.npy")
    assert signals.shape == member.shape == (8, 200)
    gaps = np.array([row[own].mean() - row[~own].mean() for row, own in zip(signals.T, member.T, strict=True)])
    assert np.nanmean(gaps) > 0.2
