"""Checkpoints of strangers: what they say of their size, and what they hold."""

import numpy as np
import pytest

from miajax.errors import UserError
from miajax.runs import checkpoints
from miajax.runs.checkpoints import load_tree, save_tree
from miajax.runs.exports import parameters_in


def test_a_checkpoint_that_says_more_than_its_bytes_bear_out_is_refused_before_it_takes_memory(tmp_path, monkeypatch):
    save_tree(tmp_path / "c", {"w": np.zeros(1 << 22, np.float32)})  # 16 MiB, stored in a few hundred bytes
    assert load_tree(tmp_path / "c")["w"].shape == (1 << 22,)
    monkeypatch.setattr(checkpoints, "_LEAST", 1 << 20)
    with pytest.raises(UserError, match=r"says that it holds 16.* more than .*; expected arrays that its bytes"):
        load_tree(tmp_path / "c")


@pytest.mark.parametrize(
    "tree",
    [
        {"w": np.zeros((2, 3))},
        ({"w": np.zeros((2, 3))},),
        ({"w": np.zeros((2, 3))}, [np.zeros(2)]),
        ({"w": np.zeros((5, 3))}, {}),
        ({"w": np.float32(1)}, {}),
    ],
    ids=["no pair", "one part", "state without names", "more models", "a number"],
)
def test_a_checkpoint_without_the_parameters_of_its_models_is_refused_in_one_line(tmp_path, tree):
    save_tree(tmp_path / "c", tree)
    with pytest.raises(UserError, match="expected parameters and state of 2 models"):
        parameters_in(tmp_path / "c", 2)


def test_parameters_of_a_group_are_named_as_flax_names_them(tmp_path):
    save_tree(tmp_path / "c", ({"Dense_0": {"bias": np.ones((2, 3))}}, {"batch_stats": {"mean": np.zeros((2, 1))}}))
    found = parameters_in(tmp_path / "c", 2)
    assert {name: array.shape for name, array in found.items()} == {
        "params.Dense_0.bias": (2, 3), "batch_stats.mean": (2, 1)
    }  # fmt: skip
