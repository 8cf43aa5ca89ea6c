"""A run folder keeps what was said while it was made."""

import re

import pytest

from miajax.campaign.log import Logged
from miajax.campaign.progress import Silent
from miajax.campaign.run import run_campaign
from miajax.errors import UserError
from tests.studies.helpers import small

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00 \d+ (.+)")


def test_a_run_folder_holds_what_was_said_and_how_every_process_ended(tmp_path):
    run_campaign(small(8), tmp_path / "r")
    with pytest.raises(UserError):
        run_campaign(small(8, models="0:4", strict=True, checkpoint_minutes=-1.0), tmp_path / "r")
    run_campaign(small(8), tmp_path / "r")
    lines = [LINE.fullmatch(line)[1] for line in (tmp_path / "r" / "run.log").read_text().splitlines()]
    assert lines[0].startswith("digits: 300 examples, 8 models of mlp")
    assert [line for line in lines if "are here" in line] == [
        "8 models are here, 8 of them trained by this process", "8 models are here, 0 of them trained by this process"
    ]  # fmt: skip


def test_an_end_by_an_error_is_in_the_log(tmp_path, monkeypatch):
    from miajax.campaign.run import NetworkRunner as Kind

    def fails(*_):
        raise UserError("no luck")

    monkeypatch.setattr(Kind, "_one_group", fails)
    with pytest.raises(UserError):
        run_campaign(small(8), tmp_path / "r")
    assert (tmp_path / "r" / "run.log").read_text().rstrip().endswith("ended by UserError: no luck.")


def test_a_log_that_cannot_be_written_ends_nothing(tmp_path):
    said = []

    class Listens(Silent):
        def say(self, line: str) -> None:
            said.append(line)

    Logged(Listens(), tmp_path / "missing" / "run.log").say("two\nlines")
    assert said == ["two\nlines"]
    Logged(Silent(), tmp_path / "run.log").say("two\nlines")
    assert LINE.fullmatch((tmp_path / "run.log").read_text().rstrip())[1] == "two lines"
