import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits as sklearn_digits

from miajax.data import digits
from miajax.data.digits import load_digits
from miajax.errors import UserError


def test_digits_are_scikit_learns_scaled_to_the_unit_interval():
    ours, theirs = load_digits(), sklearn_digits()
    np.testing.assert_array_equal(ours.features, (theirs.data / 16).astype(np.float32))
    np.testing.assert_array_equal(ours.labels, theirs.target)
    assert ours.image_shape == (8, 8, 1) and ours.shippable and not ours.synthetic


def test_digits_are_read_without_importing_scikit_learn():
    code = "import sys; from miajax.data.registry import load_dataset; load_dataset('digits'); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"sklearn", "pyarrow", "jax", "tensorflow_datasets"} & set(modules)


def test_a_damaged_installation_is_named(tmp_path, monkeypatch):
    folder = tmp_path / "sklearn"
    (folder / "datasets" / "data").mkdir(parents=True)
    (folder / "datasets" / "data" / "digits.csv.gz").write_bytes(b"cut short")
    spec = type("Spec", (), {"origin": str(folder / "__init__.py")})
    monkeypatch.setattr(digits.importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(UserError, match=r"digits.csv.gz cannot be read.*Reinstall scikit-learn"):
        load_digits()
