"""The jobs of docs/howto/cluster.md, as processes of this machine."""

import os
import re
import signal
import subprocess
import sys
import uuid
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


@pytest.mark.slow
def test_the_job_for_slurm_starts_ray_on_its_nodes_and_trains(tmp_path):
    """Slurm's commands are stand-ins that run what they are given on this machine."""
    pytest.importorskip("ray")
    (job,) = (code for code in re.findall(r"^```bash\n(.*?)^```", PAGE, re.M | re.S) if "ray start --head" in code)
    flags = re.search(r"miajax lira (.*?) \\\n  --cluster", job, re.S)[1]
    job = job.replace(flags, f"--num_shadows 4 --epochs 1 --chunk 1 --group 2 --out {tmp_path / 'run'}")
    tools = {
        "python": f'exec {sys.executable} "$@"',
        "scontrol": "echo 127.0.0.1; echo elsewhere",
        "srun": 'while [ "$1" != ray ]; do shift; done; exec "$@"',
        "miajax": f'exec {sys.executable} -m miajax "$@"',
        "ray": f'exec {sys.executable} -m ray.scripts.scripts "$@"',
    }
    for name, line in tools.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{line}\n")
        (tmp_path / name).chmod(0o755)
    mark = f"MIAJAX_TEST={uuid.uuid4().hex}"
    environment = {
        **os.environ, **dict([mark.split("=")]), "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(miajax.__file__).parents[1]),
        "SLURM_JOB_ID": str(os.getpid()), "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_JOB_NUM_NODES": "2",
        "SLURM_CPUS_PER_TASK": "1",
    }  # fmt: skip
    log = tmp_path / "log"
    try:
        with log.open("w") as file:
            done = subprocess.run(["bash", "-c", job], env=environment, stdout=file, stderr=file, timeout=900)
    finally:
        for process in Path("/proc").iterdir():  # as Slurm ends what a job leaves behind
            try:
                if process.name.isdigit() and mark.encode() in (process / "environ").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)
            except OSError:
                continue
    assert done.returncode == 0, log.read_text()[-3000:]
    assert sorted(each.name for each in (tmp_path / "run" / "groups").iterdir()) == ["00000-00001", "00002-00003"]
    assert (tmp_path / "run" / "report.html").is_file()
