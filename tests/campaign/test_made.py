"""What is said of how models were made, over several commands."""

import dataclasses

from miajax.campaign.made import made
from miajax.campaign.run import run_campaign
from miajax.runs.atomic import read_sealed, write_sealed
from tests.studies.helpers import small


def test_seconds_and_models_are_those_of_every_command_that_made_the_run(tmp_path):
    first = run_campaign(small(4, group=4, chunk=1), tmp_path / "run")
    grown = run_campaign(small(8, group=4, chunk=1), tmp_path / "run")
    again = run_campaign(small(8, group=4, chunk=1), tmp_path / "run")
    one, whole, later = (made([campaign], "here") for campaign in (first, grown, again))
    assert (one.models, one.models_here, one.models_timed) == (4, 4, 4)
    assert (whole.models, whole.models_here, whole.groups) == (8, 4, 2)
    assert later.models_here == 0 and later.train_s == whole.train_s > one.train_s > 0
    assert whole.other_bits is False
    assert whole.groups_without_record == 0 and whole.first <= whole.last
    assert again.timing.train_s == 0.0, "this command trained nothing, and its own timing says so"

    facts = tmp_path / "run" / "groups" / "00004-00007" / "group.json"
    record = read_sealed(facts)
    record.pop("made")
    write_sealed(facts, record)
    partly = made([again], "here")
    assert (partly.groups_without_record, partly.models_timed, partly.train_s) == (1, 4, one.train_s)


def test_fewer_models_than_there_are_count_their_groups_whole(tmp_path):
    run_campaign(small(4, group=4, chunk=1), tmp_path / "run")
    setup = small(4, group=4, chunk=1)
    fewer = dataclasses.replace(setup, config=dataclasses.replace(setup.config, num_shadows=2))
    found = made([run_campaign(fewer, tmp_path / "run")], "here")
    assert (found.models, found.models_here, found.models_timed) == (2, 0, 4)
