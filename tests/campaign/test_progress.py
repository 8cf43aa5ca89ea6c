"""What a person sees while models train."""

import io

import pytest
from rich.console import Console

from miajax.campaign import progress
from miajax.campaign.progress import Terminal

LINE = "digits: keeping signals 0.1 MB, logits 0.2 MB in /a/very/long/path/that/no/terminal/of/forty/columns/holds"


def said(width: int | None) -> str:
    terminal, written = Terminal(), io.StringIO()
    kind = {} if width is None else {"width": width, "force_terminal": True, "color_system": None}
    terminal.console = Console(file=written, highlight=False, **kind)
    terminal.say(LINE)
    return written.getvalue()


def test_news_end_between_words_on_a_terminal_and_paths_stay_whole():
    lines = said(40).splitlines()
    assert [line.rstrip() for line in lines[:1]] == ["digits: keeping signals 0.1 MB, logits"]
    assert LINE.split()[-1] in lines[-1] and " ".join("".join(f"{line} " for line in lines).split()) == LINE


def test_news_are_one_line_in_a_pipe():
    assert said(None) == LINE + "\n"


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
