"""What the compiled programs of an ensemble are made of."""

import re

import jax
import numpy as np
import pytest

from miajax.training.parallel import OverModels, Placement
from tests.training.helpers import ensemble

COLLECTIVES = re.compile(
    r"\b(all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter|collective-broadcast)\b"
)


@pytest.mark.parametrize("parallel", ["shard_map", "pmap"])
def test_training_holds_no_collective(devices, parallel):
    group, member = ensemble(16, devices[:2], parallel=parallel)
    run = group.start(np.arange(16), member)
    group.advance(run, 1)
    for program in group.programs.values():
        (compiled,) = program._compiled.values()
        assert not COLLECTIVES.search(compiled.as_text())


def test_the_search_for_collectives_finds_one(devices):
    total = jax.jit(jax.pmap(lambda x: jax.lax.psum(x, "d"), axis_name="d", devices=devices[:2]))
    text = total.lower(np.ones(2, np.float32)).compile().as_text()
    assert COLLECTIVES.search(text)


def test_one_compilation_serves_every_group_of_a_width(devices):
    group, member = ensemble(40, devices[:2])
    for ids in (np.arange(0, 16), np.arange(16, 32), np.arange(32, 40)):
        run = group.start(ids, member[ids], width=16)
        for until in range(1, 4):
            group.advance(run, until)
    assert {name: program.compilations for name, program in group.programs.items()} == {"init": 1, "advance": 1}


def test_compiling_ahead_is_the_only_compilation(devices):
    group, member = ensemble(16, devices[:2])
    group.compile(16)
    group.advance(group.start(np.arange(16), member), 1)
    assert all(program.compilations == 1 for program in group.programs.values())


def test_mapping_equals_a_python_loop(devices):
    scale = OverModels(lambda carried, x, shared: carried + x * shared, Placement(devices[:2], 3))
    x = np.arange(12.0, dtype=np.float32)
    carried = np.ones(12, np.float32)
    out = scale(carried.copy(), x, scale.placement.share(np.float32(2.0)))
    np.testing.assert_array_equal(out, carried + 2 * x)
