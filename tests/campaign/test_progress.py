"""What a person sees while models train."""

import io

from rich.console import Console

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
