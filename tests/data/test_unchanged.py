"""Data sets of earlier versions keep their content, bit by bit, so that runs made of them can be continued.

The hashes are those of the version before tables and pictures were questioned; what is refused since then comes back
with the flag that its error names.
"""

import numpy as np
import pytest

from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError

PEOPLE = """id,age,income,city,member,empty,outcome
1,30,1.5,Rome,true,,yes
2,,2.5,Oslo,false,,no
3,50,NA,,true,,no
4,40,0.5,Rome,true,,yes
5,20,?,Bonn,false,,maybe
6,60,3.5,Oslo,,,maybe
7,10,,Rome,true,,yes
"""


def rows(header, cell, count):
    lines = [f"{cell(row)},{row % 9},{'ab'[row % 2]}\n" for row in range(count)]
    return f"{header},x,outcome\n" + "".join(lines)


@pytest.mark.parametrize(
    ("text", "flags", "content_hash"),
    [
        (PEOPLE, {}, "a90378a388f4d90c49cd7f019c0e55f6036237d456be74630ee0f92b4da212fa"),
        (
            rows("id", lambda row: row * 7919 % 100003, 120),
            {"keep_columns": ("id",)},
            "3993df52bc206ccdf9ecc9bc5cc7bd8f1700a12c3905f06ba036a76ce234e5a3",
        ),
        (
            rows("", lambda row: row, 20),
            {"keep_columns": ("Unnamed: 0",)},
            "2952395d746112d9675d68c33894d5682157e4770f8cbb63213e3c692c83e9a9",
        ),
        (
            rows("y", lambda row: row * 1.5 if row != 7 else "unknown", 20),
            {"keep_columns": ("y",)},
            "22d59889fd69ae3b4f2a2af731476817be7952dfaad8a74f73ac341ad217cc36",
        ),
    ],
    ids=["plain", "identifier", "index", "stray cell"],
)
def test_tables_keep_their_content(tmp_path, text, flags, content_hash):
    path = tmp_path / "t.csv"
    path.write_text(text)
    options = {"data_path": str(path), "label_column": "outcome"}
    assert load_dataset("table", DataOptions(**options, **flags)).content_hash == content_hash
    if flags:
        with pytest.raises(UserError, match="--keep_columns"):
            load_dataset("table", DataOptions(**options))


PIXELS = (np.arange(6 * 8 * 8 * 3) % 256).reshape(6, 8, 8, 3).astype(np.uint8)


@pytest.mark.parametrize(
    ("features", "flags", "content_hash"),
    [
        (PIXELS, {}, "db7c19b59d6346e67211aef28767205940fc6603543170762523feb00b5f2d0d"),
        (PIXELS[..., 0], {}, "85f2ace620e6f4ed8dda485dfe38de2ce89d452897979124414270dfc4c8c11c"),
        (
            PIXELS.transpose(0, 3, 1, 2),
            {"channels": "last"},
            "deeda377f92c29f1b86a13991329ed73180b78365ab363fa5f88fc4695c12602",
        ),
        (
            PIXELS.astype(float),
            {"pixel_scale": 1.0},
            "073867b5f2512b8e800a98a8f7da5ced50453fef6ce958b353b0fbca6f7a54c8",
        ),
        (
            PIXELS[..., 0].reshape(6, -1),
            {"pixel_scale": 1.0},
            "33d3f1d64bed7b7b5b8cda8dafa0d97dda9bf3031b862cf54dff5f5c07ce5a50",
        ),
    ],
    ids=["uint8", "grey", "channels first", "floats to 255", "flat pixels"],
)
def test_pictures_keep_their_content(tmp_path, features, flags, content_hash):
    path = tmp_path / "a.npz"
    np.savez(path, features=features, labels=np.arange(6) % 2)
    assert load_dataset("npz", DataOptions(data_path=str(path), **flags)).content_hash == content_hash
    for flag in flags:
        with pytest.raises(UserError, match=f"--{flag}"):
            load_dataset("npz", DataOptions(data_path=str(path)))
