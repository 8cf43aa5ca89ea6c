import io
import pickle
from typing import ClassVar

import numpy as np
import pytest

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
