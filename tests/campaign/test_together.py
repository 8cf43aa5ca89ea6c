"""Several processes of jax.distributed on one machine train one run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from miajax.campaign import together
from miajax.errors import UserError
from tests.runs.uploads import free_port

SMALL = (
    "--num_shadows", "8", "--epochs", "2", "--max_examples", "200", "--batch_size", "32", "--group", "2",
    "--chunk", "1", "--keep", "logits",
)  # fmt: skip


def begun(*flags: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "miajax", "lira", *SMALL, *flags]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


@pytest.mark.slow
def test_processes_of_jax_distributed_train_one_run_to_the_bits_of_a_single_process(tmp_path):
    alone = begun("--out", str(tmp_path / "alone"))
    assert alone.communicate(timeout=600) and alone.returncode == 0
    port = free_port()
    several = [
        begun("--out", str(tmp_path / "together"), "--distributed", f"127.0.0.1:{port},3,{index}") for index in range(3)
    ]
    told = [process.communicate(timeout=600) for process in several]
    assert [process.returncode for process in several] == [0, 0, 0], told
    for name in ("signals.npy", "membership.npy", "scores/lira_online.npy", "scores/global_threshold.npy"):
        assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "together" / name).read_bytes(), name
    results = [json.loads((tmp_path / run / "results.json").read_text()) for run in ("alone", "together")]
    assert results[0]["attacks"] == results[1]["attacks"]
    assert "report:" in told[0][0]
    assert [out for out, _ in told[1:]] == ["", ""]
    assert not any("digits: 200 examples" in err for _, err in told[1:])
    ends = [line for line in (tmp_path / "together" / "run.log").read_text().splitlines() if "Incomplete" in line]
    assert len(ends) == 2  # the others trained their groups and left the rest to the first
    assert {np.load(each).shape[0] for each in tmp_path.glob("together/groups/*/signals.npy")} == {2}


def test_groups_go_round_and_the_first_process_takes_what_is_left(monkeypatch):
    missing = [range(4), range(4, 8), range(8, 12), range(12, 14)]
    monkeypatch.setattr(together.jax, "process_count", lambda: 2)
    monkeypatch.setattr(together.jax, "process_index", lambda: 1)
    assert together.own_share(missing, 4) == [range(4, 8), range(12, 14)]
    assert together.own_share([range(4)], 4) == []
    monkeypatch.setattr(together.jax, "process_index", lambda: 0)
    assert together.own_share(missing, 4) == [range(4), range(8, 12)]
    assert together.own_share([range(4, 8)], 4) == [range(4, 8)]


@pytest.mark.parametrize("how", ["here", "a:1,2", "a:1,2,2", "a:1,x,0", "a,2,0", ""])
def test_what_names_no_processes_is_refused_before_any_is_waited_for(how):
    with pytest.raises(UserError, match="expected auto, or HOST:PORT,PROCESSES,INDEX"):
        together.join(how)
