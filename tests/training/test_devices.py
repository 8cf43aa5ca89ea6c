"""Many devices: convolutional models in numbers that don't divide, a cache of programs that harms nobody."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from miajax.data.dataset import Dataset
from miajax.models.cnn import CNN
from miajax.models.layers import Layers
from miajax.models.model import from_linen
from miajax.training.devices import instruction_set
from miajax.training.ensemble import Ensemble
from miajax.training.parallel import Placement
from miajax.training.recipe import Recipe
from miajax.training.scaling import InputScaling
from miajax.training.trainer import Trainer

pytestmark = pytest.mark.slow  # mostly compiling; continuous integration runs them

MODELS = 11


def trained(devices, chunk: int, models=None, lowering: str | None = None) -> list[np.ndarray]:
    """Final parameters and running statistics of normalised convolutional models, real ones only."""
    rng = np.random.default_rng(0)
    dataset = Dataset(rng.integers(0, 256, (48, 6, 6, 1)).astype(np.uint8), np.arange(48) % 3, 3, "noise")
    recipe = Recipe(epochs=2, batch_size=8, flip=True, shift=1)
    model = from_linen(CNN(3, (3, 2), 4, layers=Layers("batch")), "cnn")
    trainer = Trainer(model, recipe, InputScaling.of(dataset), 24, False, (6, 6, 1), 0)
    member = np.array([np.random.default_rng(i).permutation(48) < 24 for i in range(MODELS)])
    ids = np.arange(MODELS) if models is None else np.array(models)
    ensemble = Ensemble(trainer, dataset, Placement(devices, chunk, lowering=lowering))
    group = ensemble.start(ids, member[ids])
    ensemble.advance(group, 2)
    snapshot = ensemble.snapshot(group)
    leaves = jax.tree.leaves((snapshot.state.params, snapshot.state.model_state))
    assert all(len(leaf) == len(ids) for leaf in leaves), "padding is nobody's model"
    return [np.asarray(leaf) for leaf in leaves]


@pytest.fixture(scope="module")
def reference(devices):
    return trained(devices[:8], 2)


def test_uneven_numbers_of_models_are_the_same_on_any_number_of_devices(devices, reference):
    for one, many in zip(trained(devices[:1], 2), reference, strict=True):
        np.testing.assert_array_equal(one, many)


@pytest.mark.parametrize("lowering", ["grouped", "patches", "unrolled"])
def test_a_convolutional_model_is_the_same_in_any_company_under_every_lowering(devices, lowering):
    together = trained(devices[:8], 2, lowering=lowering)
    for some, alone in zip(together, trained(devices[:1], 2, [9], lowering), strict=True):
        np.testing.assert_array_equal(some[9:10], alone)


@pytest.mark.parametrize("lowering", ["grouped", "patches", "unrolled"])
def test_lowerings_train_the_same_models_up_to_rounding(devices, reference, lowering):
    for ours, other in zip(reference, trained(devices[:2], 2, lowering=lowering), strict=True):
        np.testing.assert_allclose(ours, other, rtol=1e-3, atol=1e-4)


PROGRAM = """
import jax, numpy as np
from miajax.training.devices import use_compilation_cache
folder = use_compilation_cache()
x = np.arange(6.0, dtype=np.float32).reshape(2, 3)
f = jax.jit(lambda x: jax.lax.fori_loop(0, 5, lambda i, x: jax.numpy.sort(jax.numpy.sin(x @ x.T @ x)), x))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
print(folder, np.asarray(f(x)).tobytes().hex())
"""


def run_program(home, **environment) -> tuple[str, str]:
    unset = {"JAX_COMPILATION_CACHE_DIR", "MIAJAX_COMPILATION_CACHE", "XDG_CACHE_HOME"}
    env = {k: v for k, v in os.environ.items() if k not in unset} | {"XDG_CACHE_HOME": str(home)} | environment
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True)
    folder, result = done.stdout.split()
    return folder, result


def test_programs_are_kept_for_the_next_process_and_damage_is_compiled_over(tmp_path):
    folder, first = run_program(tmp_path)
    assert folder == str(tmp_path / "miajax" / "programs" / instruction_set())
    entries = list((tmp_path / "miajax").rglob("*-cache"))
    assert entries
    assert run_program(tmp_path) == (folder, first)
    for entry in entries:  # as another process leaves it that is killed, or still writing
        entry.write_bytes(entry.read_bytes()[: entry.stat().st_size // 2])
    assert run_program(tmp_path) == (folder, first)


def test_the_cache_can_be_turned_off_or_moved_and_needs_no_home(tmp_path):
    assert run_program(tmp_path, MIAJAX_COMPILATION_CACHE="off")[0] == "None"
    assert not (tmp_path / "miajax").exists()
    moved = run_program(tmp_path, MIAJAX_COMPILATION_CACHE=str(tmp_path / "mine"))[0]
    assert moved.startswith(str(tmp_path / "mine"))
    (tmp_path / "file").write_text("no folder")
    assert run_program(tmp_path / "file")[0] == "None"
