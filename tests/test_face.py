"""What ``import miajax as mj`` offers: light, complete by tab, and one line for each task."""

import doctest
import functools
import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import miajax as mj
from miajax import library
from miajax.campaign.config import CampaignConfig
from tests.studies.helpers import small


def test_the_import_is_light_and_loads_no_jax():
    program = (
        "import sys, time; begin = time.perf_counter(); import miajax; took = time.perf_counter() - begin; "
        "print(took, any(name.split('.')[0] in ('jax', 'numpy', 'flax') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    _, heavy = done.stdout.split()
    assert heavy == "False"


WITHOUT_ARRAYS = {"AttackOptions", "CampaignConfig", "Page", "Recipe", "Reporter", "UserError", "attack_names"}


def test_every_name_is_there_and_is_listed():
    assert set(mj.__all__) <= set(dir(mj))


@pytest.mark.parametrize("name", mj.__all__)
def test_a_public_name_is_described_with_shapes_and_an_example(name: str):
    doc = inspect.getdoc(getattr(mj, name)) or ""
    assert re.search(r"^Example:\n +>>> ", doc, re.MULTILINE), "no example"
    assert "+SKIP" not in doc
    shapes = re.findall(r"\[(?:[A-Z]|\.\.\.)[\w', .()]*\]", doc.replace("[Any", ""))
    assert bool(shapes) != (name in WITHOUT_ARRAYS), shapes


def public_members() -> list[str]:
    """Methods and properties of the public classes that are not inherited from elsewhere."""
    found = []
    for name in mj.__all__:
        thing = getattr(mj, name)
        if isinstance(thing, type):
            own = [member for owner in thing.__mro__ if owner.__module__.startswith("miajax") for member in vars(owner)]
            described = inspect.getdoc(thing) or ""
            found += [f"{name}.{member}" for member in own if member[0] != "_" and f"{member}:" not in described]
    return [each for each in found if callable(looked_up(each)) or isinstance(looked_up(each), PROPERTIES)]


PROPERTIES = (property, functools.cached_property)


def looked_up(path: str):
    name, member = path.split(".")
    return inspect.getattr_static(getattr(mj, name), member)


def test_every_method_and_property_of_a_public_class_is_described():
    assert {"Run.signals", "Run.report", "Attack.score", "Dataset.content_hash", "Reporter.say"} <= set(
        public_members()
    )
    assert [each for each in public_members() if not inspect.getdoc(looked_up(each))] == []


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nothing"):
        mj.nothing  # noqa: B018


def test_a_setting_goes_where_it_belongs_and_an_unknown_one_is_guessed():
    config = library.config_from(CampaignConfig(), epochs=7, split="balanced", widths=[32], dp_epsilon=8.0)
    assert (config.recipe.epochs, config.split, config.model_options.widths) == (7, "balanced", (32,))
    assert config.privacy.dp_epsilon == 8.0
    with pytest.raises(mj.UserError, match=r"setting epoch is unknown.*Did you mean epochs"):
        library.config_from(CampaignConfig(), epoch=7)


def test_a_campaign_from_ones_own_arrays_ends_in_figures_and_a_page(tmp_path: Path):
    digits = small(2).dataset
    data = mj.Dataset(digits.features, digits.labels, name="mine")
    settings = {"num_shadows": 8, "epochs": 2, "batch_size": 32, "chunk": 2}
    run = mj.run_campaign(data, out=str(tmp_path / "run"), **settings)
    assert run.member.shape == (8, 300) and run.signals.logits is not None
    scores = mj.run_attacks(["lira_online_fixed", "rmia_offline"], run.signals, run.member)
    assert list(scores) == ["lira_online_fixed", "rmia_offline"]
    assert all(array.shape == (8, 300) and np.isfinite(array).any() for array in scores.values())
    page = run.report()
    assert Path(page).is_file() and "srcdoc" in page._repr_html_()
    assert "8 of 8" in repr(run) and "<table>" in run._repr_html_() and len(repr(run)) < 400


def test_a_network_of_ones_own_is_handed_over_as_it_is(tmp_path: Path):
    import jax.numpy as jnp

    def linear(num_classes):
        return lambda key, x: jnp.zeros((x.shape[-1], num_classes)), lambda params, x: x @ params

    run = mj.run_campaign(
        "digits", linear, 2, tmp_path / "run", max_examples=200, epochs=1, batch_size=32, keep=("logits",)
    )
    assert run.setup.trainer.model.name == "linear" and run.valid.all()


def test_the_examples_of_the_docstrings_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgotten: None):
    monkeypatch.chdir(tmp_path)
    names = {"np": np, **{each: getattr(mj, each) for each in mj.__all__}}
    for name in mj.__all__:
        doc = inspect.getdoc(getattr(mj, name)) or ""  # of dataclasses with described fields, too
        test = doctest.DocTestParser().get_doctest(doc, dict(names), name, None, None)
        result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test)
        assert result.failed == 0, name
        assert result.attempted > 0, name
