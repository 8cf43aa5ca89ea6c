"""Files of another kind than their names say."""

import numpy as np
import pytest

from miajax.errors import UserError
from miajax.runs.array_files import load_npy, load_npz


@pytest.mark.parametrize(
    ("name", "content_of", "found"),
    [
        ("a.npz", b"1,2\n3,4\n", "is neither a .npy file nor an .npz archive"),
        ("a.npz", b"", "is empty"),
        ("a.npz", b"\x93NUMPY\x01\x00", "is a .npy file of one array; expected an .npz archive"),
        ("a.npy", b"PK\x03\x04", "is an archive"),
        ("a.npy", b"1,2\n3,4\n", "is neither"),
        ("a.npy", b"\x93NUMPY\x01\x00v\x00{'descr'", "cannot be read"),
    ],
)
def test_a_file_of_another_kind_is_named_without_advice_to_unpickle_it(tmp_path, name, content_of, found):
    path = tmp_path / name
    path.write_bytes(content_of)
    with pytest.raises(UserError, match=found) as told:
        (load_npz if name.endswith("z") else load_npy)(path)
    assert "pickle" not in str(told.value) and "\n" not in str(told.value)


def test_python_objects_are_called_that(tmp_path):
    np.savez(tmp_path / "a.npz", membership=np.array([{}], object))
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    for read, name in ((load_npz, "a.npz"), (load_npy, "a.npy")):
        with pytest.raises(UserError, match="holds Python objects") as told:
            read(tmp_path / name)
        assert "allow_pickle" not in str(told.value)
