"""The GPU script in miniature, on what is here."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

# What a machine with a GPU may lack.
WITHOUT = ("tyro", "dp_accounting", "jax_privacy", "tensorflow_datasets", "tensorflow")
CODE = f"import sys; sys.modules.update(dict.fromkeys({WITHOUT!r})); from benchmarks import gpu; gpu.main(sys.argv[1:])"
ROOT = Path(__file__).parents[2]


def test_miniature_measures_every_part_and_writes_each(tmp_path):
    file = tmp_path / "gpu.json"
    command = [sys.executable, "-c", CODE, "--miniature", "--json", str(file), "--data_path", str(tmp_path)]
    env = dict(os.environ, MIAJAX_COMPILATION_CACHE="off")
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    written = json.loads(file.read_text())
    assert list(written["parts"]) == ["checks", "ceilings", "first_study", "second_study", "speeds"]
    rows = {row["name"]: row for row in written["rows"]}
    assert all(name in done.stdout for name in ("checks", "first_study"))
    exact = [row for name, row in rows.items() if "float32: error of result and gradients" in name]
    assert len(exact) == 2 and all(max(row["repeats"]["ours"]) < 1e-5 for row in exact)
    alone = [row["ours"] for name, row in rows.items() if "a model alone" in name]
    assert alone == [0.0] * 2
    assert any("AUC of LiRA online" in name for name in rows)


def test_what_is_not_begun_in_time_is_said_to_be_not_measured(tmp_path):
    command = [sys.executable, "-c", CODE, "--miniature", "--minutes", "0", "--json", str(tmp_path / "gpu.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert "not measured, the time is over: checks, ceilings, first_study, second_study, speeds" in done.stdout
    assert not (tmp_path / "gpu.json").exists()
