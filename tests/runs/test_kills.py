"""Whenever a study is killed, it goes on to the same bits."""

import json
import os
import subprocess
import sys

import pytest

from tests.studies.helpers import ROOT


@pytest.mark.slow
def test_a_study_killed_at_random_moments_goes_on_to_the_same_bits(tmp_path, request):
    """``--kills`` says how often."""
    kills = request.config.getoption("--kills")
    done = subprocess.run(
        [sys.executable, "-m", "tests.runs.kills", str(tmp_path), str(kills)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=3600,
        env={**os.environ, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    print(told)
    assert told["kills"] == kills and told["finished"] >= 1 and told["differ"] == 0
