import contextlib
import io
import pickle
import tracemalloc
from typing import ClassVar

import numpy as np
import pytest

from miajax.data import array_pickle
from miajax.data.array_pickle import load_array_pickle
from tests.data.official_files import python2_pickle


def test_arrays_lists_and_text_of_python_2_come_back():
    value = {b"data": np.arange(12, dtype=np.uint8).reshape(3, 4), b"labels": [1, 2, 300], b"name": b"caf\xe9" * 100}
    back = load_array_pickle(python2_pickle(value))
    np.testing.assert_array_equal(back.pop(b"data"), value.pop(b"data"))
    assert back == value


def test_arrays_pickled_by_this_numpy_come_back():
    class Bare(pickle._Pickler):
        dispatch: ClassVar = {**pickle._Pickler.dispatch}

        def save_bytes(self, value):  # protocol 2 would otherwise spell bytes as a call of _codecs.encode
            self.write(pickle.BINSTRING + len(value).to_bytes(4, "little") + value)

        dispatch[bytes] = save_bytes

    stream = io.BytesIO()
    Bare(stream, protocol=2).dump(np.array([1.5, -2.0]))
    np.testing.assert_array_equal(load_array_pickle(stream.getvalue()), [1.5, -2.0])


class Call:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("value", "asks_for"),
    [
        (Call(eval, "1 + 1"), "eval"),
        (Call(getattr, {}, "keys"), "getattr"),
        (Call(np.load, "x"), r"numpy\.load"),
        (Call(np.array, [1]), r"numpy.*array"),
        (Call(np.ndarray, (4,)), "not callable"),
        (np.array([{}], object), "array of object|asks for"),
        (np.random.default_rng(0), "asks for"),
    ],
)
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_whatever_else_a_pickle_asks_for_is_refused_by_name(value, asks_for, protocol):
    with pytest.raises(ValueError, match=asks_for):
        load_array_pickle(pickle.dumps(value, protocol))


def test_refused_code_has_not_run(tmp_path):
    trace = tmp_path / "trace"
    with pytest.raises(ValueError, match="asks for"):
        load_array_pickle(pickle.dumps(Call(exec, f"open({str(trace)!r}, 'w').close()")))
    assert not trace.exists()


@pytest.mark.parametrize("content", [b"", b"\x80\x02", b"garbage", python2_pickle({b"data": np.ones(9)})[:-20]])
def test_damaged_pickles_are_value_errors(content):
    with pytest.raises(ValueError, match=r"\w+"):
        load_array_pickle(content)


def array_of(content: bytes, dtype_state: bytes, shape: bytes = b"K\x02\x85", spec: bytes = b"f8") -> bytes:
    """A pickle of one array whose dtype's state, shape and content are the given pickle code."""
    blank = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    kind = b"cnumpy\ndtype\nU" + bytes([len(spec)]) + spec + b"K\x00K\x01\x87R" + dtype_state
    return b"\x80\x02" + blank + b"(K\x01" + shape + kind + b"\x89" + content + b"tb."


LITTLE = b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
SIXTEEN = b"U\x10" + np.array([1.0, 2.0], "<f8").tobytes()


def test_the_plain_form_of_these_attacks_is_read():
    np.testing.assert_array_equal(load_array_pickle(array_of(SIXTEEN, LITTLE)), [1.0, 2.0])
    big = array_of(b"U\x10" + np.array([1.0, 2.0], ">f8").tobytes(), LITTLE.replace(b"<", b">"))
    np.testing.assert_array_equal(load_array_pickle(big), [1.0, 2.0])


def test_a_dtype_takes_no_fields_and_offsets_from_a_pickle():
    fields = b"}U\x01acnumpy\ndtype\nU\x02f8K\x00K\x01\x87RJ\x00\x00\x00\x40\x86s"  # a at an offset of a gigabyte
    state = b"(K\x03U\x01<NU\x01a\x85" + fields + b"K\x10K\x01K\x10tb"
    with pytest.raises(ValueError, match="array of records"):
        load_array_pickle(array_of(SIXTEEN, state))


@pytest.mark.parametrize("state", [b"K\x07b", b"(K\x03U\x01xNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb", b"(tb"])
def test_a_dtypes_state_is_checked(state):
    with pytest.raises(ValueError, match="type's state"):
        load_array_pickle(array_of(SIXTEEN, state))


@pytest.mark.parametrize("spec", [b"S999999999", b"(999999,999)f8", b"f8,f8", b"O", b"V99999999", b"M8[s]"])
def test_only_types_of_numbers_are_made(spec):
    with pytest.raises(ValueError, match="array of objects, text or records"):
        load_array_pickle(array_of(SIXTEEN, b"", spec=spec))


@pytest.mark.parametrize(
    "shape", [b"K\x03\x85", b"J\xff\xff\xff\x7f\x85", b"J\xff\xff\xff\xffJ\xfe\xff\xff\xff\x86", b"K\x02"]
)
def test_an_array_is_as_large_as_its_content(shape):
    with pytest.raises(ValueError, match=r"bytes for an array|without a shape"):
        load_array_pickle(array_of(SIXTEEN, LITTLE, shape))


def peak_of(content: bytes) -> int:
    """Bytes that a reader takes at most, by the interpreter's and NumPy's own account."""
    tracemalloc.start()
    try:
        with contextlib.suppress(ValueError):
            load_array_pickle(content)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02Nr\xff\xff\xff\x0f.",  # a memo index of nine bytes, for which the C unpickler takes gigabytes
        b"\x80\x02Np999999999\n.",
        b"\x80\x05\x96\x00\x00\x00\x00\x01\x00\x00\x00.",  # a bytearray of four gigabytes that is not there
        b"\x80\x04\x8e\x00\x00\x00\x00\x01\x00\x00\x00.",
        b"\x80\x04\x95\x00\x00\x00\x00\x01\x00\x00\x00.",
        b"\x80\x02T\xff\xff\xff\x7f.",
        b"\x80\x02\x8b\xff\xff\xff\x7f.",
    ],
)
def test_a_few_bytes_take_no_memory(content):
    assert peak_of(content) < 1 << 20


def test_operations_are_counted(monkeypatch):
    monkeypatch.setattr(array_pickle._Counted, "left", 100)
    assert load_array_pickle(b"\x80\x02](" + b"N" * 90 + b"e.") == [None] * 90
    with pytest.raises(ValueError, match="operations"):
        load_array_pickle(b"\x80\x02](" + b"N" * 100 + b"e.")
