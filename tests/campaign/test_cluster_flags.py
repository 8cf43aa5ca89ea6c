"""Flags of a cluster: what is refused before anything is read or joined."""

import socket
import subprocess
import sys

import pytest

from miajax.campaign.cluster.flags import ClusterFlags, connection, training_on
from miajax.errors import UserError
from tests.studies.helpers import ROOT


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"cluster": "everywhere"}, "--cluster everywhere; expected local, auto or HOST:PORT"),
        ({"cluster": "ray://head:10001"}, "--cluster ray://head:10001; expected local, auto or HOST:PORT"),
        ({"cluster": "head:0"}, "expected local, auto or HOST:PORT"),
        (
            {"cluster": "local", "gpus_per_task": 1.5},
            "--gpus_per_task 1.5; expected a whole number of GPUs",
        ),
        ({"cluster": "local", "gpus_per_task": -0.5}, "--gpus_per_task -0.5"),
        ({"cluster": "local", "cpus_per_task": 0}, "--cpus_per_task 0; expected 1 or more cores"),
        ({"gpus_per_task": 0.5}, "--gpus_per_task without --cluster"),
        ({"cpus_per_task": 2}, "--cpus_per_task without --cluster"),
    ],
)
def test_flags_without_meaning_are_refused(given, told):
    with pytest.raises(UserError) as error:
        ClusterFlags(**given)
    assert told in str(error.value) and len(str(error.value).splitlines()) == 1


def test_without_ray_one_line_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with (
        pytest.raises(UserError, match=r"--cluster auto needs Ray, .* pip install 'miajax\[cluster\]'"),
        training_on(ClusterFlags("auto")),
    ):
        pass


def test_an_address_where_nobody_answers_is_refused_in_one_line():
    pytest.importorskip("ray")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(UserError, match=f"--cluster {address} cannot be reached .*ray start --head") as error,
            training_on(ClusterFlags(address)),
        ):
            pass
    assert len(str(error.value).splitlines()) == 1


def test_without_the_flag_no_cluster_is_in_use_and_ray_is_not_imported():
    code = """
import sys
from miajax.cli import lira
from miajax.campaign.cluster.flags import ClusterFlags, connection, training_on
with training_on(ClusterFlags()):
    assert connection() is None
assert not any(name.split(".")[0] == "ray" for name in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    assert connection() is None
