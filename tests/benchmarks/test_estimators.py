"""The comparison of shadow forests with a joblib loop runs whole, in small."""

import json

import numpy as np

from benchmarks import estimators


def test_quick_comparison_writes_both_sides(tmp_path):
    rng = np.random.default_rng(0)
    table = tmp_path / "table.csv"
    table.write_text("a,b,y\n" + "".join(f"{x:.3f},{z:.3f},{int(x > z)}\n" for x, z in rng.random((200, 2))))
    estimators.main(str(table), "y", json=tmp_path / "rows.json", quick=True)
    (row,) = json.loads((tmp_path / "rows.json").read_text())["rows"]
    assert row["ours"] > 0
    assert [seconds > 0 for seconds in row["rivals"].values()] == [True]
