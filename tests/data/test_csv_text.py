"""Text tables as people write them: what is read, and what is refused by name."""

import bz2
import gzip

import numpy as np
import pytest

from miajax.data.registry import DataOptions, load_dataset
from miajax.errors import UserError

PLAIN = "x,city,outcome\n1.5,Rome,yes\n2,Oslo,no\n-3,Rome,no\n4,Bonn,yes\n"


def read(path, content, **options):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_dataset("table", DataOptions(data_path=str(path), **{"label_column": "outcome", **options}))


def dated(*cells):
    return "x,outcome\n" + "".join(f"{cell},a\n{cell},b\n" for cell in cells)


@pytest.fixture
def plain(tmp_path):
    return read(tmp_path / "plain.csv", PLAIN)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"\xef\xbb\xbf" + PLAIN.encode(), {}),
        (PLAIN.replace("\n", "\r\n"), {}),
        (PLAIN.replace("\n", "\r"), {}),
        (PLAIN.replace(",", ", "), {}),
        (PLAIN.replace(",", " ,\t"), {}),
        (PLAIN.replace(",Rome", ', "Rome"').replace(",outcome", ', "outcome"'), {}),
        (PLAIN.replace("Rome", '" Rome "').replace("1.5", '"1.5"'), {}),
        (PLAIN.replace("\n-3", "\n\n \t\n-3") + "\n\n", {}),
        (PLAIN.rstrip("\n"), {}),
        (PLAIN.replace("\n", ",\n"), {}),
        (PLAIN.replace(",", ";"), {"separator": ";"}),
        (PLAIN.replace(",", "\t"), {"separator": "tab"}),
        (PLAIN.replace(",", "\t"), {"separator": "\\t"}),
        (PLAIN.replace(",", "|"), {"separator": "|"}),
        (PLAIN.replace(",", ";").replace(".", ","), {"separator": ";", "decimal": ","}),
        (PLAIN.replace(",", "; ").replace(".", ","), {"separator": ";", "decimal": ","}),
        (PLAIN.replace("1.5", '"1,5"'), {"decimal": ","}),
        (PLAIN.replace("1.5", "+1.5").replace("2,", "2.0e0 ,"), {}),
        (gzip.compress(PLAIN.encode(), mtime=0), {}),
        (PLAIN, {"label_column": " outcome "}),
    ],
)
def test_ways_of_writing_one_table_hold_one_data_set(tmp_path, plain, content, options):
    dataset = read(tmp_path / "t.csv", content, **options)
    assert dataset.content_hash == plain.content_hash
    assert dataset.provenance["features"] == plain.provenance["features"] == [
        "x", "city = Bonn", "city = Oslo", "city = Rome",
    ]  # fmt: skip
    assert dataset.class_names == ("no", "yes")


def test_other_compressions_are_known_by_their_name(tmp_path, plain):
    assert read(tmp_path / "t.csv.bz2", bz2.compress(PLAIN.encode())).content_hash == plain.content_hash


def test_without_a_header_line_columns_are_numbered_from_0(tmp_path, plain):
    body = PLAIN.partition("\n")[2]
    dataset = read(tmp_path / "t.csv", body, header="none", label_column="2")
    assert dataset.content_hash == plain.content_hash and dataset.provenance["features"][0] == "0"
    with pytest.raises(UserError, match=r"outcome is not among .*expected one of 0, 1, 2. Without a header"):
        read(tmp_path / "t.csv", body, header="none")


def test_a_quoted_cell_may_hold_separators_quotes_and_ends_of_lines(tmp_path):
    dataset = read(tmp_path / "t.csv", 'x,note,outcome\n1,"a, b",yes\n2,"a ""c"" b",no\n3,"a\nb",no\n1,"a, b",yes\n')
    assert dataset.provenance["features"] == ["x", "note = a\nb", 'note = a "c" b', "note = a, b"]


@pytest.mark.parametrize("mark", ["", " ", "?", " ? ", "NA", " N/A", "n/a ", " NaN", "nan", "NULL ", "null", " None"])
def test_missing_marks_are_missing_with_blanks_around_them(tmp_path, mark):
    dataset = read(tmp_path / "t.csv", f"x,city,outcome\n{mark},Rome,a\n2,{mark},b\n4,Oslo,a\n4,Rome,b\n")
    records = {record["column"]: record for record in dataset.provenance["columns"]}
    assert records["x"]["missing"] == records["city"]["missing"] == 1
    assert records["x"]["mean"] == pytest.approx(10 / 3) and records["city"]["categories"] == ["Oslo", "Rome"]
    assert dataset.provenance["features"] == [
        "x", "x is missing", "city = Oslo", "city = Rome", "city is missing",
    ]  # fmt: skip


@pytest.mark.parametrize("words", [("true", "false"), ("TRUE", "FALSE"), (" True", " False"), ("tRUE", "fALSE")])
def test_booleans_are_one_feature_whatever_their_case(tmp_path, words):
    yes, no = words
    dataset = read(tmp_path / "t.csv", f"x,outcome\n{yes},a\n{no},b\n{yes},a\n,b\n")
    assert dataset.provenance["features"] == ["x", "x is missing"]
    np.testing.assert_allclose(dataset.features[:, 0], np.array([1, -2, 1, 0]) / 2**0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("x;outcome\n1;a\n", {}, "outcome is not among .*Add --separator ';'"),
        ("x\toutcome\n1\ta\n", {}, "outcome is not among .*Add --separator tab"),
        ("1,2,a\n3,4,b\n", {}, "outcome is not among .*Add --header none if the first line is a record"),
        ("1,1,a\n3,4,b\n", {"label_column": "a"}, "several columns 1.*--header none"),
        (PLAIN.replace("city", " x "), {}, "several columns x"),
        (PLAIN, {"separator": ";;"}, "--separator ';;'; expected one character"),
        (PLAIN, {"separator": '"'}, "--separator '\"'; expected one character"),
        (PLAIN, {"separator": ""}, "--separator ''; expected one character"),
        (PLAIN, {"decimal": ";"}, "--decimal ';'; expected '.' or ','"),
        (PLAIN, {"header": "yes"}, "--header yes; expected line or none"),
        (PLAIN, {"stray_cells": "drop"}, "--stray_cells drop; expected error or missing"),
        ("x,outcome\n", {}, "has no rows"),
        ("\n\n", {}, "cannot be read .*Empty CSV"),
        ("x,outcome\n1,a,\n2,b,\n", {}, "cannot be read .*Expected 2 columns, got 3: 1,a,.*double quotes"),
        ('x, note, outcome\n1, "a, b", yes\n', {}, "Expected 3 columns, got 4.*double quotes"),
        (PLAIN.replace("Oslo", "Orléans").encode("latin-1"), {}, "is not UTF-8 text: byte 0xe9 in line 3.*iconv"),
        (PLAIN.replace("city", "cité").encode("latin-1"), {}, "is not UTF-8 text: byte 0xe9 in line 1.*iconv"),
        (PLAIN.encode("utf-16"), {}, "is not UTF-8 text: byte 0xff in line 1"),
        (gzip.compress(PLAIN.encode(), mtime=0)[:-12], {}, "cannot be read"),
        (PLAIN.replace("Rome", "Orléans").encode() + "1,é,a\n".encode("latin-1"), {}, "byte 0xe9 in line 6"),
        (dated("2020-01-01", "2020-01-02"), {}, "column x has the type date32.*Convert it to numbers"),
        (dated("2020-01-01 10:00", "2020-01-02 11:00"), {}, "column x has the type timestamp"),
        (dated("10:30", "11:30"), {}, "column x has the type time32"),
        (dated("2020-01-01", "unknown", "2020-01-02"), {}, "column x looks like dates .2020-01-01 in row 0"),
        (dated("31/12/2020", "1/2/20"), {}, "column x looks like dates .31/12/2020 in row 0"),
        (dated("", "31.12.2020", "1.2.20"), {}, "column x looks like dates .*--drop_columns 'x'"),
        ("x,outcome\n1,2020-01-01\n2,2020-01-01\n1,2020-01-02\n", {}, "outcome has the type date32"),
    ],
)
def test_what_cannot_be_read_is_named_with_the_remedy(tmp_path, content, options, message):
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path / "t.csv", content, **options)
    assert "\n" not in str(caught.value)


def test_rows_that_are_neither_text_nor_of_the_tables_width_are_told_at_once(tmp_path, capfd):
    """Handed over row by row, they left pyarrow waiting for itself."""
    rows = "".join(f"{number},Rome,yes\n" for number in range(50)).encode() + b"\xff\xb2,\n" * 50
    with pytest.raises(UserError, match=r"is not UTF-8 text: byte 0xff in line 52"):
        read(tmp_path / "t.csv", b"x,city,outcome\n" + rows)
    assert capfd.readouterr().err == ""
