"""Files of another kind than their names say."""

import zipfile

import numpy as np
import pytest

from miajax.array_files import load_npy, load_npz, names_in_npz
from miajax.errors import UserError


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


def zipped(path, members: dict[str, bytes], method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def header(shape: str, descr: str = "<f8") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize("shape", ["(1099511627776,)", "(1048576, 1048576)", "(4611686018427387904, 0)", "(-1,)"])
def test_a_header_is_believed_up_to_the_size_of_its_file(tmp_path, shape):
    (tmp_path / "a.npy").write_bytes(header(shape))
    zipped(tmp_path / "a.npz", {"a.npy": header(shape)})
    for read, name in ((load_npy, "a.npy"), (load_npz, "a.npz")):
        with pytest.raises(UserError, match=r"its header says float64\[-?\d+.* bytes do not hold"):
            read(tmp_path / name)


def test_a_part_that_says_it_holds_more_than_deflate_can_make_is_refused(tmp_path):
    path = zipped(tmp_path / "a.npz", {"a.npy": header("(0,)")})
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02") + 24  # the size in the directory
    content[at : at + 4] = (0xF0000000).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(UserError, match="says that it holds 4026531840 bytes, in "):
        load_npz(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_parts_packed_without_a_bound_are_refused(tmp_path, method):
    path = zipped(tmp_path / "a.npz", {"a.npy": header("(0,)")}, method)
    with pytest.raises(UserError, match=f"packed by method {method}"):
        load_npz(path)


def test_arrays_are_what_numpy_reads(tmp_path):
    arrays = {
        "c": np.arange(6.0).reshape(2, 3), "f": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "text": np.array(["a", "bc"]), "scalar": np.array(3), "none": np.zeros((0, 7)),
        "dates": np.array(["2020-01-01"], "M8[D]"),
    }  # fmt: skip
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        found = load_npz(tmp_path / "a.npz")
        assert list(found) == list(arrays) == list(names_in_npz(tmp_path / "a.npz"))
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            assert found[name].dtype == array.dtype
    assert list(load_npz(tmp_path / "a.npz", ("f", "none"))) == ["f", "none"]


def test_text_beyond_unicode_is_refused_before_anybody_looks_at_it(tmp_path):
    text = np.array(["ab", "c"])
    text.view(np.uint32)[1] = 0x110000
    np.save(tmp_path / "a.npy", text)
    np.savez(tmp_path / "a.npz", text=text)
    for read, name in ((load_npy, "a.npy"), (load_npz, "a.npz")):
        with pytest.raises(UserError, match="its text holds what is no character"):
            read(tmp_path / name)
