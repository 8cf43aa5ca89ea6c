import io

import pytest
from rich.console import Console

from miajax.campaign import progress


def test_the_speed_of_a_campaign_counts_from_its_own_beginning(monkeypatch, capsys):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: clock[0])
    terminal = progress.Terminal(interval=0.0)
    terminal.console = Console(file=io.StringIO())
    for begin in (0.0, 1000.0, 5000.0):
        clock[0] = begin
        terminal.advance(0.0, 8, 1.0, 0.5)
        clock[0] = begin + 4.0
        terminal.advance(8.0, 8, 1.0, 0.5)
        terminal.close()
    speeds = [line.split(", ")[1] for line in capsys.readouterr().err.splitlines() if line.startswith("8/8")]
    assert speeds == ["2 models/s"] * 3


@pytest.mark.parametrize("done", [[4.0, 8.0], [0.0, 8.0]])
def test_models_that_were_there_are_no_speed(done, monkeypatch, capsys):
    clock = [0.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: clock[0])
    terminal = progress.Terminal(interval=0.0)
    for value in done:
        terminal.advance(value, 8, 1.0, 0.5)
        clock[0] += 2.0
    assert f"{(done[1] - done[0]) / 2:.3g} models/s" in capsys.readouterr().err.splitlines()[-1]
