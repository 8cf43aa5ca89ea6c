"""Parameters as safetensors: the real package reads them, and Flax's own unflattened tree gives the run's logits."""

import json
import struct

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

import miajax
from miajax.errors import UserError
from miajax.runs.exports import export_run
from miajax.runs.safetensors import flax_names, write_safetensors

PARAMETERS = {"Dense_0": {"kernel": np.arange(6.0, dtype=np.float32).reshape(2, 3), "bias": np.ones(3, np.float32)}}


def _header(path) -> dict:
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length])


def test_the_bytes_are_those_of_the_format(tmp_path):
    path = tmp_path / "one.safetensors"
    write_safetensors(path, {"b": np.array([1, 2], np.uint8), "a": np.array([[0.5]], np.float32)}, {"model": "3"})
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert length % 8 == 0 and _header(path) == {
        "__metadata__": {"model": "3"},
        "a": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]},
        "b": {"dtype": "U8", "shape": [2], "data_offsets": [4, 6]},
    }
    assert content[8 + length :] == struct.pack("<f", 0.5) + b"\x01\x02"


def test_the_real_package_reads_every_dtype_and_shape(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    kinds = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32")
    arrays = {kind: np.arange(6).reshape(2, 3).astype(kind) for kind in (*kinds, "float64")}
    arrays |= {"scalar": np.float32(2.5), "none": np.zeros((0, 4), np.float32)}
    arrays["columns"] = np.arange(6.0).reshape(2, 3).T
    write_safetensors(tmp_path / "all.safetensors", arrays, {})
    read = package.load_file(tmp_path / "all.safetensors")
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array, err_msg=name)
        assert read[name].shape == array.shape and read[name].dtype == array.dtype


def test_bfloat16_is_read_by_the_package_for_jax(tmp_path):
    package = pytest.importorskip("safetensors.flax")
    values = jnp.asarray([1.5, -2.0], jnp.bfloat16)
    write_safetensors(tmp_path / "half.safetensors", {"x": np.asarray(values)}, {})
    read = package.load_file(tmp_path / "half.safetensors")["x"]
    assert read.dtype == jnp.bfloat16 and (read == values).all()


def test_an_unknown_dtype_is_refused(tmp_path):
    with pytest.raises(UserError, match="x is of complex64"):
        write_safetensors(tmp_path / "x.safetensors", {"x": np.zeros(1, np.complex64)}, {})
    assert not list(tmp_path.iterdir())


def test_names_are_those_of_flax():
    names = dict(flax_names({"params": PARAMETERS, "batch_stats": {}, "nothing": None}))
    assert names.keys() == flatten_dict({"params": PARAMETERS}, sep=".").keys()
    assert dict(flax_names({"params": [np.float32(1), (np.float32(2),)]})).keys() == {"params.0", "params.1.0"}


class Normed(nn.Module):
    """A network with running statistics."""

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.BatchNorm(use_running_average=not train)(x)
        return nn.Dense(2)(nn.relu(nn.Dense(4)(x.mean((1, 2)))))


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> miajax.Run:
    """A network with running statistics on images, whose inputs are scaled."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(2), 20)
    pictures = (
        rng.integers(0, 200, (40, 8, 8, 3)).astype(np.uint8) + (labels * 40).astype(np.uint8)[:, None, None, None]
    )
    file = tmp_path_factory.mktemp("data") / "pictures.npz"
    np.savez(file, features=pictures, labels=labels)
    run = miajax.run_campaign(
        "npz", Normed(), 3, tmp_path_factory.mktemp("runs") / "run", data_path=str(file), epochs=1, batch_size=8,
        keep=("logits", "parameters"), group=2,
    )  # fmt: skip
    run.report()
    return run


def test_exported_parameters_give_the_logits_of_the_run(run, tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    facts = run.export("safetensors", tmp_path / "out")
    assert facts["models"] == [0, 1, 2] and facts == json.loads((tmp_path / "out" / "export.json").read_text())
    scaling = facts["input_scaling"]
    x = (run.setup.dataset.features / np.float32(255) - np.float32(scaling["mean"])) / np.float32(scaling["std"])
    for model in facts["models"]:
        file = tmp_path / "out" / f"model-{model:05d}.safetensors"
        variables = unflatten_dict(package.load_file(file), sep=".")
        assert variables.keys() == {"params", "batch_stats"}
        assert _header(file)["__metadata__"]["model"] == str(model)
        params = variables.pop("params")
        logits, _ = jax.jit(run.setup.trainer.model.apply, static_argnums=3)(params, variables, x, False, None)
        np.testing.assert_allclose(logits, np.asarray(run.signals.logits)[model, :, 0], rtol=2e-4, atol=2e-4)


def test_a_run_without_parameters_says_so(tmp_path):
    few = miajax.run_campaign("digits", num_shadows=2, out=tmp_path / "run", epochs=1, keep=("logits",))
    few.report()
    with pytest.raises(UserError, match="kept no parameters; expected a run of networks with --keep parameters"):
        export_run(few.path, "safetensors", tmp_path / "out")
    assert not (tmp_path / "out").exists()
