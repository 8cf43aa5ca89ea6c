"""The array of jobs of docs/howto/cluster.md, as processes of this machine."""

import re
import sys
from pathlib import Path

import pytest

import miajax

PAGE = (Path(__file__).parents[1] / "docs" / "howto" / "cluster.md").read_text()


@pytest.mark.slow
def test_jobs_of_submitit_train_one_campaign_together(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(miajax.__file__).parents[1]))
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    campaign = re.search(r'campaign = "(.*)"', code)[1]
    for before, after in {
        campaign: f"{sys.executable} -m miajax lira --num_shadows 4 --epochs 1 --out run",
        "range(0, 64, 8)": "range(0, 4, 2)",
        "first + 8": "first + 2",
    }.items():  # fmt: skip
        assert before in code
        code = code.replace(before, after)
    exec(compile(code, "cluster.md", "exec"), {})
    assert sorted(each.name for each in (tmp_path / "run" / "groups").iterdir()) == ["00000-00001", "00002-00003"]
    assert (tmp_path / "run" / "report.html").is_file()
