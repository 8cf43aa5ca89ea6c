"""The GPU script in miniature, on what is here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gpu
from benchmarks._rows import Row

# What a machine with a GPU may lack.
WITHOUT = ("dp_accounting", "jax_privacy", "tensorflow_datasets", "tensorflow")
CODE = f"import sys; sys.modules.update(dict.fromkeys({WITHOUT!r})); from benchmarks import gpu; gpu.main(sys.argv[1:])"
ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_miniature_measures_every_part_and_writes_each(tmp_path):
    file = tmp_path / "gpu.json"
    command = [sys.executable, "-c", CODE, "--quick", "--json", str(file), "--data_path", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=500)
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


@pytest.mark.slow
def test_what_is_not_begun_in_time_is_said_to_be_not_measured(tmp_path):
    command = [sys.executable, "-c", CODE, "--quick", "--minutes", "0", "--json", str(tmp_path / "gpu.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert "not measured, the time is over: checks, ceilings, first_study, second_study, speeds" in done.stdout
    assert not (tmp_path / "gpu.json").exists()


def boom() -> list[float]:
    raise RuntimeError("INTERNAL: no\nsuch algorithm")


@pytest.mark.parametrize(
    ("errors", "name"),
    [
        (lambda: [1e-6, 2e-6], "cpu: error"),
        (lambda: [1e-6, 2e-3], "FAILED: cpu: error, above 1e-05"),
        (lambda: [1e-6, float("nan")], "FAILED: cpu: error: not finite"),
        (boom, "FAILED: cpu: error: RuntimeError: INTERNAL: no such algorithm"),
    ],
)
def test_a_check_that_fails_is_a_row_that_says_so(errors, name):
    assert gpu._check("cpu: error", "relative", errors, 1e-5).name == name


def test_failures_cost_neither_the_rows_before_nor_the_parts_after_them(tmp_path, monkeypatch):
    def breaks(*_):
        yield Row("before", "s", [1.0])
        boom()

    for part in ("checks", "ceilings", "study", "speeds"):
        monkeypatch.setattr(gpu, part, breaks)
    monkeypatch.setattr(gpu, "use_cpu_cores_as_devices", lambda: None)
    monkeypatch.setattr(gpu, "fashion", lambda *_: None)
    file = tmp_path / "gpu.json"
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    with pytest.raises(SystemExit, match="FAILED: the rest of this part: RuntimeError"):
        gpu.main(["--quick", "--json", str(file)])
    rows = json.loads(file.read_text())["rows"]
    assert [(row["part"], row["name"][:6]) for row in rows] == [(p, n) for p in gpu.PARTS for n in ("before", "FAILED")]
