"""Eight virtual CPU devices for every test, chosen before the backend starts; programs compiled once a session."""

import atexit
import os
import shutil
import tempfile

# Read by jax when it is imported, here and in the processes that tests start. One that is set already is kept: whoever
# runs the tests again and again compiles once.
if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
    _CACHE = os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="miajax-tests-")
    atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"
# Tests are written for CPU devices. Where libtpu is installed, jax would else load it here and hold its lock, and the
# processes of ``pytest -m tpu`` could not compile.
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import pytest

from tests import typecheck

# In every test, what is passed to a function of these packages has the shapes and dtypes that its annotations tell.
# Left out: data and layers, whose own checks tests try with values that the annotations forbid; the rest of training,
# which passes through vmap, jit and shard_map what its annotations say of one model.
_CHECKED = (
    "signals", "attacks", "metrics", "outliers", "defenses", "saliency", "runs", "models.batch_norm",
    "training.augment", "training.hamp", "training.losses", "training.relaxloss", "training.shuffle",
    "training.dp.clipping", "training.dp.gradients", "training.dp.loss_distribution", "training.dp.noise",
    "training.dp.renyi", "training.dp.sampling", "training.dp.threefry", "campaign", "studies",
)  # fmt: skip
if os.environ.get("MIAJAX_TYPECHECK", "1") != "0":  # MIAJAX_TYPECHECK=0 leaves it out, to measure what it costs
    typecheck.install([f"miajax.{name}" for name in _CHECKED])

from miajax.attacks.registry import ATTACKS  # noqa: E402
from miajax.data.registry import DATASETS  # noqa: E402
from miajax.models.registry import MODELS  # noqa: E402
from miajax.outliers.registry import METRICS  # noqa: E402
from miajax.studies import written  # noqa: E402
from tests.schema import breaches  # noqa: E402

jax.config.update("jax_num_cpu_devices", 8)
jax.devices()  # starts the backend: commands under test then leave the number of devices alone


@pytest.fixture(scope="session")
def devices() -> tuple[jax.Device, ...]:
    found = tuple(jax.devices())
    assert len(found) >= 8, "tests need 8 virtual CPU devices"
    return found


@pytest.fixture
def forgotten():
    """What a test adds to the registries is gone after it."""
    kept = [(registry, dict(registry._things)) for registry in (ATTACKS, MODELS, METRICS, DATASETS)]
    yield
    for registry, things in kept:
        registry._things.clear()
        registry._things.update(things)


@pytest.fixture(autouse=True)
def results_keep_the_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever study a test runs in this process, its ``results.json`` keeps the schema that ships with the package."""
    write = written.write_json

    def checked(path, value) -> None:
        write(path, value)
        assert not (found := breaches(value)), f"{path}: {found}"

    monkeypatch.setattr(written, "write_json", checked)


def pytest_addoption(parser: pytest.Parser) -> None:
    help_ = "write the kept snapshots of tests/golden anew, for a change of results that is meant"
    parser.addoption("--update_golden", action="store_true", help=help_)
    parser.addoption("--fuzz_seconds", type=float, default=60.0, help="how long tests/fuzz takes, all readers together")
    parser.addoption(
        "--flips", type=int, default=40, help="bits that the long test of tests/runs/test_bit_flips.py flips"
    )
    parser.addoption("--kills", type=int, default=6, help="how often tests/runs/test_kills.py kills a study")
    parser.addoption("--fuzz_seed", type=int, default=0, help="of the inputs of tests/fuzz")
