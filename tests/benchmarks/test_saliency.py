"""The comparison of saliency maps compares equal maps, and writes its rows."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import saliency
from benchmarks._saliency_sides import METHODS, Work
from benchmarks._same_work import DifferentWork

pytestmark = pytest.mark.slow  # torch, and compiling


@pytest.fixture(scope="module")
def work():
    pytest.importorskip("torch", reason="PyTorch (extra bench) is not installed")
    return Work.of(1, 4)


@pytest.mark.parametrize("method", METHODS)
def test_both_sides_draw_the_same_map_of_every_image(work, method):
    assert saliency.deviations(method, work, np.float64).max() < 1e-9
    assert np.median(saliency.deviations(method, work, np.float32)) < 1e-4


def test_another_map_is_refused(work, monkeypatch):
    ours = saliency.our_maps
    monkeypatch.setattr(saliency, "our_maps", lambda *given: 1.001 * ours(*given))
    with pytest.raises(DifferentWork, match=r"gradient: maps differ by up to 0\.001"):
        saliency.require_equal_maps(work, ["gradient"])


def test_one_method_in_miniature_writes_its_rows(tmp_path):
    pytest.importorskip("torch", reason="PyTorch (extra bench) is not installed")
    target = tmp_path / "rows.json"
    command = [sys.executable, "-m", "benchmarks.saliency", "--quick", "--only", "gradient"]
    subprocess.run([*command, "--json", str(target)], check=True, cwd=Path(__file__).parents[2], timeout=500)
    written = json.loads(target.read_text())
    rate, compiling = written["rows"]
    assert rate["unit"] == "maps/s" and rate["ours"] > 0 and compiling["unit"] == "s"
    assert len(rate["repeats"]["ours"]) == 3 and all(rival > 0 for rival in rate["rivals"].values())
    assert rate["ratio_best"] == pytest.approx(rate["ours"] / max(rate["rivals"].values()))
