"""The tours of CONTRIBUTING.md, and the guides that they lead to, run as they are written."""

import re
import runpy
from pathlib import Path

import jax
import numpy as np
import pytest

from miajax.attacks.registry import ATTACKS, run_attack
from miajax.campaign.presets import preset
from miajax.data.registry import DATASETS, DataOptions, load_dataset
from miajax.models.registry import build_model
from miajax.outliers.registry import METRICS, Evidence
from miajax.signals.bundle import Signals
from miajax.studies.defenses.catalogue import Defense

PAGES = ("CONTRIBUTING.md", "docs/howto/own_attack.md", "docs/howto/own_network.md")
PAGE = "\n".join((Path(__file__).parents[1] / page).read_text() for page in PAGES)


@pytest.fixture
def written(tmp_path: Path):
    """The files of the tours, each by its name; what they add to the registries is gone afterwards."""
    kept = [(registry, dict(registry._things)) for registry in (ATTACKS, METRICS, DATASETS)]
    for name, text in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL):
        (tmp_path / name).write_text(text)
    yield tmp_path
    for registry, things in kept:
        registry._things.clear()
        registry._things.update(things)


def test_the_attack_finds_planted_members_and_ignores_the_targets_own_membership(written: Path):
    name = ATTACKS.name_of(f"{written}/nearest_mean.py:nearest_mean")
    rng = np.random.default_rng(0)
    member = rng.random((12, 80)) < 0.5
    phi = (rng.normal(size=(12, 80, 1)) + 2.0 * member[..., None]).astype(np.float32)
    valid = np.ones(12, bool)
    scores, _ = run_attack(name, Signals(scaled_logit=phi), member, valid)
    assert np.nanmean(scores[member]) > np.nanmean(scores[~member]) + 1.0
    other = member.copy()
    other[3] = ~other[3]
    assert np.allclose(run_attack(name, Signals(scaled_logit=phi), other, valid)[0][3], scores[3], equal_nan=True)


def test_the_network_is_built(written: Path):
    model = build_model(f"{written}/linear.py:linear", 3)
    assert model.name == "linear" and model.config["object"] == "linear"


def test_the_guides_network_trains_and_shows_its_features(written: Path):
    small = build_model(f"{written}/net.py:small", 3)
    key, x = jax.random.key(0), np.ones((2, 64), np.float32)
    params, state = small.init(key, x[:1])
    logits, _ = small.apply(params, state, x, True, key)
    assert logits.shape == (2, 3) and np.isfinite(logits).all()


def test_the_metric_ranks_by_distance_from_the_origin(written: Path):
    metric = METRICS[METRICS.name_of(f"{written}/norms.py:norm")]
    vectors = np.array([[3.0, 4.0], [0.0, 1.0]], np.float32)
    assert np.allclose(metric.score(Evidence(np.zeros(2, np.int32), vectors), 1), [5.0, 1.0])


def test_the_data_set_is_read(written: Path):
    (written / "table.csv").write_text("x,y,label\n1,2,0\n3,5,1\n2,2,0\n")
    data = load_dataset(f"{written}/readings.py:readings", DataOptions(data_path=str(written / "table.csv")))
    assert (data.name, data.num_examples, data.num_classes) == ("readings", 3, 2)


def test_the_figure_of_merit_is_the_mean_precision_at_members(written: Path):
    figure = runpy.run_path(str(written / "average_precision.py"))["average_precision"]
    scores, member = np.array([[4.0, 3.0, np.nan, 2.0, 1.0]]), np.array([[True, False, True, True, False]])
    assert figure(scores, member).value == pytest.approx((1 / 1 + 2 / 3) / 2)


def test_the_defence_is_a_row_of_the_catalogue():
    (row,) = re.findall(r"^Defense\(.*\)$", PAGE, re.MULTILINE)
    defense = eval(row, {"Defense": Defense})
    assert defense.config(preset("digits")).recipe.nesterov and not preset("digits").recipe.nesterov


def test_every_file_that_the_page_names_exists():
    for name in re.findall(r"`((?:docs|miajax|tests|benchmarks)/[\w./-]+)`", PAGE):
        assert (Path(__file__).parents[1] / name).exists(), name
