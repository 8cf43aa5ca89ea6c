"""Attacks, networks and outlier metrics from outside the package: by a call, a file, or an installed package."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from miajax.attacks.attack import WITH_AND_WITHOUT
from miajax.attacks.from_function import attack_from
from miajax.attacks.registry import ATTACKS, register_attack, run_attack
from miajax.data.dataset import Dataset
from miajax.data.registry import DataOptions, load_dataset, register_dataset
from miajax.errors import UserError
from miajax.models.registry import build_model, register_model
from miajax.outliers.registry import METRICS, register_outlier_metric
from miajax.plugins import Registry
from miajax.signals.bundle import Signals
from miajax.studies.low_budget.study import contest

ATTACK = '''
"""An attack in one file."""
from miajax.attacks.attack import WITH_AND_WITHOUT
from miajax.attacks.from_function import attack_from


def _highest_view(signals, member, valid):
    """The highest scaled logit of all views."""
    return signals.scaled_logit.max(-1)


highest_view = attack_from(
    _highest_view, name="highest_view", label="Highest view", requires=WITH_AND_WITHOUT, source="a stranger", pure=True
)
'''
NETWORK = """
import jax
import jax.numpy as jnp


def tiny(num_classes):
    def init(key, x):
        return jax.random.normal(key, (x.shape[-1], num_classes)) / 10

    def apply(params, x):
        return x @ params

    return init, apply
"""
METRIC = 'def norm(vectors, labels):\n    """far from the origin"""\n    return (vectors ** 2).sum(1)\n'


@pytest.fixture
def things() -> Registry[str]:
    return Registry("attack", "--attacks", [("ours", "1")], lambda thing, name, origin: str(thing))


def test_a_registered_thing_stands_behind_ours(things: Registry[str]):
    things.register("theirs", 2)
    assert list(things) == ["ours", "theirs"] and things["theirs"] == "2" and len(things) == 2


def test_a_taken_name_is_refused(things: Registry[str]):
    with pytest.raises(UserError, match="attack ours exists already"):
        things.register("ours", 3)


def test_an_unknown_name_lists_the_known_ones(things: Registry[str]):
    with pytest.raises(UserError, match=r"--attacks other is unknown.*ours"):
        things.name_of("other")


def test_a_file_is_loaded_once_and_a_changed_file_is_refused(things: Registry[str], tmp_path: Path):
    file = tmp_path / "own.py"
    file.write_text("mine = 5\n")
    assert things.name_of(f"{file}:mine") == things.name_of(f"{file}:mine") == "mine" and things["mine"] == "5"
    file.write_text("mine = 6\n")
    with pytest.raises(UserError, match="mine exists already"):
        things.name_of(f"{file}:mine")


@pytest.mark.parametrize(
    "text, says", [("1 / 0\n", "ZeroDivisionError"), ("other = 1\n", "has no mine"), (None, "does not exist")]
)
def test_a_file_that_cannot_be_used_gets_one_line(things: Registry[str], tmp_path: Path, text: str | None, says: str):
    file = tmp_path / "own.py"
    if text is not None:
        file.write_text(text)
    with pytest.raises(UserError, match=says):
        things.name_of(f"{file}:mine")


def test_a_function_becomes_an_attack_of_the_contest(forgotten):
    def best(signals, member, valid):
        return signals.scaled_logit.max(-1)

    register_attack(best, requires=WITH_AND_WITHOUT, pure=True)
    signals = Signals(scaled_logit=np.array([[[0.0, 2.0], [1.0, 1.0]], [[0.5, 0.0], [3.0, 4.0]]], np.float32))
    scores, report = run_attack("best", signals, np.eye(2, dtype=bool), np.ones(2, bool))
    assert scores.tolist() == [[2.0, 1.0], [0.5, 4.0]] and report.scored == 4
    assert "best" in contest() and ATTACKS["best"].label == "Best"


def test_an_attack_that_is_neither_is_refused(forgotten):
    with pytest.raises(UserError, match="attack seven is a int"):
        ATTACKS.register("seven", 7)


def test_a_network_and_a_metric_are_registered_by_a_call(forgotten):
    import flax.linen as nn

    register_model("own_dense", lambda num_classes: nn.Dense(num_classes), {"version": "1"})
    assert dict(build_model("own_dense", 3).config) == {"version": "1"}
    metric = register_outlier_metric("own_norm", lambda vectors, labels: (vectors**2).sum(1))
    assert metric.family == "geometry" and "own_norm" in METRICS


def test_a_data_set_is_registered_by_a_call_or_read_from_a_file(forgotten, tmp_path: Path):
    squares = Dataset(np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1]), name="squares")
    register_dataset("squares", squares)
    assert load_dataset("squares") is squares
    (tmp_path / "own.py").write_text(
        "import numpy as np\nfrom miajax.data.dataset import Dataset\n\n\n"
        "def squares_of(data_path):\n    return Dataset(np.eye(int(data_path)), np.arange(int(data_path)) % 2)\n"
    )
    assert load_dataset(f"{tmp_path}/own.py:squares_of", DataOptions(data_path="6")).num_examples == 6
    with pytest.raises(UserError, match="its reader returned a int"):
        register_dataset("seven", lambda: 7)  # type: ignore[arg-type,return-value]
        load_dataset("seven")
    with pytest.raises(UserError, match="data_path x has no effect on --dataset squares"):
        load_dataset("squares", DataOptions(data_path="x"))


def test_an_attack_keeps_its_own_description():
    attack = attack_from(lambda s, m, v: s.scaled_logit[..., 0], name="own", min_in=2, min_out=3, source="here")
    assert (attack.min_in, attack.min_out, attack.source, attack.label) == (2, 3, "here", "Own")


def _ran(*argv: str, cwd: Path, path: Path) -> subprocess.CompletedProcess[str]:
    import os

    environment = {**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{Path.cwd()}"}
    return subprocess.run(
        [sys.executable, "-m", *argv], cwd=cwd, env=environment, capture_output=True, text=True, timeout=600
    )


@pytest.mark.slow
def test_a_package_from_outside_is_found_by_its_entry_points(tmp_path: Path):
    """One file and its metadata: attack, network and metric stand in tables, report, contest and results."""
    package = tmp_path / "site"
    (package / "stranger-1.dist-info").mkdir(parents=True)
    (package / "stranger.py").write_text(ATTACK + NETWORK + METRIC)
    (package / "stranger-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1\n")
    (package / "stranger-1.dist-info" / "entry_points.txt").write_text(
        textwrap.dedent(
            """
            [miajax.attacks]
            highest_view = stranger:highest_view
            [miajax.models]
            tiny = stranger:tiny
            [miajax.outlier_metrics]
            norm = stranger:norm
            """
        )
    )
    run = ("--num_shadows", "16", "--epochs", "2", "--model", "tiny", "--out", str(tmp_path / "run"))
    done = _ran("experiments.attacks", *run, cwd=tmp_path, path=package)
    assert done.returncode == 0, done.stderr
    assert "highest_view" in done.stdout
    results = json.loads((tmp_path / "run" / "attacks" / "results.json").read_text())
    assert results["model"] == "tiny" and 0.0 <= results["attacks"]["highest_view"]["auc"] <= 1.0
    assert "Highest view" in (tmp_path / "run" / "attacks" / "report.html").read_text()
    done = _ran("experiments.low_budget", "--run", str(tmp_path / "run"), cwd=tmp_path, path=package)
    assert done.returncode == 0, done.stderr
    assert "highest_view" in json.loads((tmp_path / "run" / "low_budget" / "results.json").read_text())["attacks"]
    done = _ran("experiments.outliers", "--run", str(tmp_path / "run"), cwd=tmp_path, path=package)
    assert done.returncode == 0, done.stderr
    assert "input_norm" in json.loads((tmp_path / "run" / "outliers" / "results.json").read_text())["metrics"]


@pytest.mark.slow
def test_an_attack_from_a_file_runs_by_its_path(tmp_path: Path):
    (tmp_path / "own.py").write_text(ATTACK)
    run = ("--num_shadows", "8", "--epochs", "2", "--out", str(tmp_path / "run"))
    attacks = ("--attacks", "global_threshold", "own.py:highest_view")
    done = _ran("experiments.attacks", *run, *attacks, cwd=tmp_path, path=tmp_path)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "run" / "attacks" / "results.json").read_text())
    assert list(results["attacks"]) == ["global_threshold", "highest_view"]
