"""Annotations of types and shapes are checked while tests run, at the first call and at every later one."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float

from miajax.metrics import roc
from miajax.runs.atomic import read_json
from tests import typecheck

CURVE = roc.roc_curve(np.array([0.1, 0.9]), np.array([False, True]))


@pytest.mark.parametrize("call", [1, 2])
def test_an_array_of_another_dtype_is_told(call):
    assert roc.auc(CURVE) == 1.0
    with pytest.raises(BeartypeCallHintViolation, match="parameter member"):
        roc.roc_curve(np.array([0.1, 0.9]), np.array([0, 1]))


@pytest.mark.parametrize("call", [1, 2])
def test_a_path_that_is_a_string_is_told(call, tmp_path: Path):
    (tmp_path / "a.json").write_text("{}")
    assert read_json(tmp_path / "a.json") == {}
    with pytest.raises(BeartypeCallHintViolation, match="parameter path"):
        read_json(str(tmp_path / "a.json"))


def test_sizes_that_two_arguments_share_are_equal_or_told():
    with pytest.raises(BeartypeCallHintViolation, match="parameter b"):
        added(np.zeros(2), np.zeros(3))
    assert added(np.zeros(2), np.zeros(2)).shape == (2,)
    with pytest.raises(BeartypeCallHintViolation, match="return"):
        added(np.zeros(4), np.zeros(4))


@typecheck.check
def added(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return (a + b)[:3]


def test_a_dataclass_is_checked_when_it_is_made():
    with pytest.raises(BeartypeCallHintViolation):
        dataclasses.replace(CURVE, num_members="two")
