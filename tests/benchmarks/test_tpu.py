"""The ensemble step of every network compiles for TPU, fits, and holds no collective; no TPU is needed."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import tpu
from benchmarks._workloads import SUITES

needs_compiler = pytest.mark.skipif(
    importlib.util.find_spec("libtpu") is None, reason="libtpu is not installed (pip install 'miajax[tpu-aot]')"
)


@pytest.mark.tpu
@needs_compiler
@pytest.mark.parametrize("name", tpu.NETWORKS)
def test_the_ensemble_step_compiles_fits_and_holds_no_collective(name, tmp_path):
    # A process of its own: the compiler's plugin is loaded when jax starts.
    file = tmp_path / "tpu.json"
    command = [sys.executable, "-m", "benchmarks.tpu", "--only", name, "--json", str(file)]
    env = dict(os.environ, JAX_PLATFORMS="cpu", TPU_SKIP_MDS_QUERY="1")
    done = subprocess.run(command, cwd=Path(__file__).parents[2], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads(file.read_text())["rows"]
    for chip, facts in tpu.CHIPS.items():
        mine = {row["name"].split(": ", 1)[1]: row["ours"] for row in rows if f"TPU {chip}" in row["name"]}
        assert mine["collectives in the program"] == 0
        assert 0 < next(v for n, v in mine.items() if n.startswith("memory")) < facts.memory / 2**30
        assert 0 < next(v for n, v in mine.items() if n.startswith("share of")) < 1


def test_the_test_process_leaves_the_compiler_to_those_it_starts():
    env = {name: value for name, value in os.environ.items() if name != "JAX_PLATFORMS"}
    code = "import tests.conftest, os, jax; print(os.environ['JAX_PLATFORMS'], jax.config.jax_platforms)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["cpu", "cpu"]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("libtpu") is not None, reason="libtpu is installed")
def test_without_the_compiler_the_tests_are_skipped_and_say_why():
    env = {name: value for name, value in os.environ.items() if name != "JAX_PLATFORMS"}
    command = [sys.executable, "-m", "pytest", "-m", "tpu", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], env=env, capture_output=True, text=True)
    assert done.returncode == 0 and f"SKIPPED [{len(tpu.NETWORKS)}]" in done.stdout, done.stdout
    assert "libtpu is not installed (pip install 'miajax[tpu-aot]')" in done.stdout


def test_every_network_of_the_suite_is_asked_about():
    assert set(tpu.NETWORKS) == set(SUITES["cpu"])
