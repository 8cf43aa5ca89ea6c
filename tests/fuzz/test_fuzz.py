"""Mutated files of every kind are read or refused in one line. ``--fuzz_seconds`` says for how long in all."""

import pytest

from tests.fuzz.harness import Found, fuzz
from tests.fuzz.readers import READERS


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_every_mutated_input_is_read_or_refused_in_one_line(reader, request):
    seconds = request.config.getoption("--fuzz_seconds") / len(READERS)
    found = fuzz(reader, 1_000_000, seconds, seed=request.config.getoption("--fuzz_seed"))
    print(found.line())
    assert not found.faults, "\n".join(f"{number}: {fault}" for number, fault in found.faults.items())


@pytest.mark.parametrize(
    ("reader", "fault"),
    [("~traceback", "traceback: KeyError"), ("~death", "death: signal 11"), ("~hang", "hang"), ("~memory", "memory: "),
     ("~lines", "message: ")],
)  # fmt: skip
def test_the_harness_finds_what_must_not_happen(reader, fault):
    found: Found = fuzz(reader, 2, 120)
    assert found.faults and all(each.startswith(fault) for each in found.faults.values()), found
