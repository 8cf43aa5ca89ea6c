"""Mutated files of every kind are read or refused in one line. ``--fuzz_seconds`` says for how long in all."""

import time

import pytest

from tests.fuzz.harness import Found, Harness, fuzz
from tests.fuzz.readers import READERS


@pytest.fixture(scope="module")
def harness():
    with Harness() as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_every_mutated_input_is_read_or_refused_in_one_line(reader, harness, request):
    seconds, place = request.config.getoption("--fuzz_seconds"), list(READERS).index(reader)
    left = seconds - (time.monotonic() - harness.begun)  # making sound files counts, too
    seconds = max(seconds / len(READERS) / 4, left / (len(READERS) - place))
    found = harness.fuzz(reader, 1_000_000, seconds, seed=request.config.getoption("--fuzz_seed"))
    print(found.line())
    assert found.inputs, "nothing was tried"
    assert not found.faults, "\n".join(f"{number}: {fault}" for number, fault in found.faults.items())


@pytest.mark.parametrize(
    ("reader", "fault"),
    [("~traceback", "traceback: KeyError"), ("~death", "death: signal 11"), ("~hang", "hang"), ("~memory", "memory: "),
     ("~lines", "message: ")],
)  # fmt: skip
def test_the_harness_finds_what_must_not_happen(reader, fault, harness):
    found: Found = harness.fuzz(reader, 2, 120)
    assert len(found.faults) == found.inputs == 2, found
    assert all(each.startswith(fault) for each in found.faults.values()), found


def test_a_reader_is_fed_inputs_however_long_its_sound_files_take_to_make():
    assert fuzz("csv", 1_000_000, seconds=0.01).inputs > 0
