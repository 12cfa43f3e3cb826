import gzip
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from app import errors
from app.tables.dialect import Dialect, DialectOptions
from app.tables.sniff import sniff, sniff_file

PLAIN = Dialect()
CASES = Path(__file__).parents[2] / "support" / "cases"


def differences(dialect):
    """What differs from the plain dialect."""
    plain = PLAIN.model_dump()
    return {name: value for name, value in dialect.model_dump().items() if value != plain[name]}


FRAME = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]})
DIALECTS = [
    (b"a,b\n1,2\n", {}),
    (b"a\n1\n2\n", {}),
    (b"", {}),
    (b"a,b\n", {}),
    (b"a;b\n1;2\n", {"delimiter": ";"}),
    (b"a;b\n1,5;2\n", {"delimiter": ";", "decimal": ","}),
    (b"a;b\n1,5;\n;-0,25\n", {"delimiter": ";", "decimal": ","}),
    (b"a;b\n1.5;2\n", {"delimiter": ";"}),
    (b"a;b\n1,5;1e-3\n", {"delimiter": ";", "decimal": ","}),
    (b"a;b\n1.234,56;2\n", {"delimiter": ";", "decimal": ","}),
    (b"a;b\n1.234.567;2\n", {"delimiter": ";", "decimal": ","}),
    (b"a;b\n1,234,567;2\n", {"delimiter": ";"}),
    (b"day;b\n31.12.2024;2,5\n", {"delimiter": ";", "decimal": ","}),
    (b"list;b\n1,2;2.5\n1,2,3;3\n", {"delimiter": ";"}),
    (b"v;b\n1.2.3;2,5\n", {"delimiter": ";", "decimal": ","}),
    (b"a\tb\n1\t2\n", {"delimiter": "\t"}),
    (b"name, first\tb\n1\t2\n", {"delimiter": "\t"}),
    (b"a\tb\n1.234\t2\n", {"delimiter": "\t"}),
    (b"a|b\n1|2\n", {"delimiter": "|"}),
    (b"a,b\nx;y,2\n", {}),
    (b"a,g\n1,Action|Comedy\n", {}),
    (b'"a;b",c\n1,2\n', {}),
    (b"price;price, EUR;c\n1;2;3\n", {"delimiter": ";"}),
    (b'a,b\n1\n"1,2",3\n', {}),
    (b"sep=;\r\na;b\r\n1,5;2\r\n", {"delimiter": ";", "decimal": ",", "skipped_lines": 1}),
    (b'\xef\xbb\xbf"sep=,"\na,b\n1,2\n', {"skipped_lines": 1}),
    (b"sep=\t\na\tb,c;d\n1\t2,3;4\n", {"delimiter": "\t", "skipped_lines": 1}),
    (b"\xef\xbb\xbfa;b\n1;2\n", {"delimiter": ";"}),
    (b"a,b\r1,2\r3,4\r", {"line_end": "cr"}),
    (b"a;b\r1,5;2\r", {"delimiter": ";", "decimal": ",", "line_end": "cr"}),
    (b"a,b\r1,2\n", {"line_end": "cr"}),
    (b"a,b\r\r\n1,2\r\r\n", {}),
    (b'a,b\n"1\r2",3\n', {}),
    (",a,b\n0,1,2\n1,3,4\n".encode("utf-16"), {"encoding": "utf-16", "index": "first"}),
    ("a;b\n1;2\n".encode("utf-16-le"), {"encoding": "utf-16-le", "delimiter": ";"}),
    ("a\tb\n1\t2\n".encode("utf-16-be"), {"encoding": "utf-16-be", "delimiter": "\t"}),
    ("größe;b\n1;2\n".encode(), {"delimiter": ";"}),
    (
        gzip.compress(b"a;b\n1,5;2\n", mtime=0),
        {"compression": "gzip", "delimiter": ";", "decimal": ","},
    ),
    (
        gzip.compress("a|b\n1|2\n".encode("utf-16"), mtime=0),
        {"compression": "gzip", "encoding": "utf-16", "delimiter": "|"},
    ),
    (FRAME.to_csv().encode(), {"index": "first"}),
    (FRAME.to_csv(index=False).encode(), {}),
    (
        FRAME.to_csv(sep=";", decimal=",").encode(),
        {"index": "first", "delimiter": ";", "decimal": ","},
    ),
    (b'"","a"\n"1",5\n"2",6\n', {"index": "first"}),
    (b'"a","b"\n"1",5,6\n"2",7,8\n', {"index": "extra"}),
    (b'"a";"b"\n"1";5,5;6\n"2";7;8\n', {"index": "extra", "delimiter": ";", "decimal": ","}),
    (b"a,b\n1,5,6\n2,7,8\n", {}),
    (b"a,b\n1,2,\n3,4,\n", {}),
]


@pytest.mark.parametrize(("content", "expected"), DIALECTS)
def test_the_dialect_of_a_csv_is_found(content, expected):
    found = sniff(content, whole=True)

    assert found.format.kind == "csv"
    assert differences(found.format.csv_dialect) == expected


def test_a_line_that_is_cut_off_does_not_count():
    content = b",a\n" + b"".join(b"%d,1\n" % row for row in range(124))

    assert sniff(content[:-3]).format.csv_dialect.index == "first"
    with pytest.raises(errors.Invalid):
        sniff(content[:-4], whole=True)


AMBIGUOUS = [
    (b"a;b,c\n1;2,3\n", "delimiter", "by commas or by semicolons; say delimiter=, or delimiter=;"),
    (b"a|b\tc\n1|2\t3\n", "delimiter", "by tabs or by vertical bars; say delimiter=tab or del"),
    (b"a;b\n1,234;2\n", "decimal", 'the number "1,234" may have decimals or thousands; say dec'),
    (b"a;b\n1.234;2\n", "decimal", "say decimal=. or thousands=."),
    (b"a\tb\n1,234\t2\n", "decimal", "say decimal=, or thousands=,"),
    (b"a;b\n1,5;2.5\n", "decimal", 'such as "1,5", and such as "2.5"; say decimal=, or decimal=.'),
    (b",a\nx,1\n", "index", 'row names, such as "x", say index=true to leave them out; otherwise'),
    (b",a\n1990,1\n1991,2\n", "index", "otherwise give it a name"),
    (b",a\n0,1\n0,2\n", "index", "say index=true"),
    (b"sep=:\na:b\n1:2\n", "delimiter", 'the first line says that the fields are separated by ":"'),
]


@pytest.mark.parametrize(("content", "field", "said"), AMBIGUOUS)
def test_what_cannot_be_told_apart_is_refused_with_the_option_that_settles_it(content, field, said):
    with pytest.raises(errors.Invalid) as caught:
        sniff(content, whole=True)

    assert caught.value.extra["field"] == field
    assert said in caught.value.detail
    assert len(caught.value.detail) < 220


@pytest.mark.parametrize(
    ("content", "options", "expected"),
    [
        (b"a;b,c\n1;2,3\n", {"delimiter": "comma"}, {}),
        (b"a;b,c\n1;2,3\n", {"delimiter": ";"}, {"delimiter": ";", "decimal": ","}),
        (b"a|b\tc\n1|2\t3\n", {"delimiter": "tab"}, {"delimiter": "\t"}),
        (b"a|b\tc\n1|2\t3\n", {"delimiter": "Pipe"}, {"delimiter": "|"}),
        (b"a;b\n1,234;2\n", {"decimal": "comma"}, {"delimiter": ";", "decimal": ","}),
        (b"a;b\n1,234;2\n", {"thousands": ","}, {"delimiter": ";", "thousands": ","}),
        (b"a;b\n1.234;2\n", {"decimal": "point"}, {"delimiter": ";"}),
        (
            b"a;b\n1.234;2\n",
            {"thousands": "point"},
            {"delimiter": ";", "decimal": ",", "thousands": "."},
        ),
        (
            b"a;b\n1 234,5;2\n",
            {"thousands": "blank"},
            {"delimiter": ";", "decimal": ",", "thousands": " "},
        ),
        (b"a;b\n1,5;2.5\n", {"decimal": "."}, {"delimiter": ";"}),
        (b'a,b\n"1,5",2\n', {"decimal": ","}, {"decimal": ","}),
        (b",a\nx,1\n", {"index": True}, {"index": "first"}),
        (b"id,a\nx,1\n", {"index": True}, {"index": "first"}),
        (b"a,b\n1,5,6\n", {"index": True}, {"index": "extra"}),
        (b",a\n0,1\n", {"index": False}, {}),
        (b"sep=;\na;b\n1;2\n", {"delimiter": "comma"}, {"skipped_lines": 1}),
        (
            "ä;b\n1;2\n".encode("cp1252"),
            {"encoding": "windows-1252"},
            {"delimiter": ";", "encoding": "windows-1252"},
        ),
        (
            "ä;b\n1;2\n".encode("cp1252"),
            {"charset": "iso-8859-1"},
            {"delimiter": ";", "encoding": "windows-1252"},
        ),
        ("ä;b\n1;2\n".encode(), {"charset": "windows-1252"}, {"delimiter": ";"}),
        (
            "ä;b\n1;2\n".encode(),
            {"encoding": "windows-1252", "charset": "utf-8"},
            {"delimiter": ";", "encoding": "windows-1252"},
        ),
        (
            "色;b\n色;2\n".encode("utf-16-le"),
            {"charset": "utf-16le"},
            {"delimiter": ";", "encoding": "utf-16-le"},
        ),
        (b"a;b\n1;2\n", {"charset": "utf-16"}, {"delimiter": ";"}),
        (
            "a;b\n1;2\n".encode("utf-16-be"),
            {"encoding": "utf-16"},
            {"delimiter": ";", "encoding": "utf-16-be"},
        ),
    ],
)
def test_an_option_settles_it(content, options, expected):
    found = sniff(content, whole=True, options=DialectOptions(**options))

    assert differences(found.format.csv_dialect) == expected


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("delimiter", "must be comma, semicolon, tab or pipe, or that character itself"),
        ("decimal", "must be comma or point, or that character itself"),
        ("thousands", "must be comma, point, blank or apostrophe, or that character itself"),
    ],
)
def test_a_character_that_cannot_be_is_refused_with_those_that_can(option, said):
    with pytest.raises(errors.Invalid) as caught:
        DialectOptions(**{option: "colon"})

    assert caught.value.detail == f"{option}: {said}"


def test_options_may_not_contradict_each_other():
    with pytest.raises(errors.Invalid) as caught:
        sniff(b"a\n", options=DialectOptions(decimal=",", thousands="comma"))

    assert caught.value.detail == 'thousands: it is ",", as decimal is; they have to differ'


@pytest.mark.parametrize(
    ("content", "options", "open_decimal", "open_charset"),
    [
        (b"a;b\n1;2\n", {}, True, False),
        (b"a,b\n1,2\n", {}, False, False),
        (b"a;b\n1,5;2\n", {}, False, False),
        (b"a;b\n1;2\n", {"decimal": "."}, False, False),
        (b"a,b\n1,2\n", {"charset": "latin1"}, False, True),
        ("ä,b\n1,2\n".encode("cp1252"), {"charset": "latin1"}, False, False),
    ],
)
def test_what_the_first_bytes_leave_open_is_told(content, options, open_decimal, open_charset):
    found = sniff(content, whole=True, options=DialectOptions(**options))

    assert (found.open_decimal, found.open_charset) == (open_decimal, open_charset)


def arrow(new):
    table = pa.table({"a": np.arange(3)})
    sink = io.BytesIO()
    with new(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (FRAME.to_parquet(), "parquet"),
        (arrow(pa.ipc.new_file), "arrow"),
        (arrow(pa.ipc.new_stream), "arrow"),
        (b"PAR1,b\n1,2\n", "csv"),
        (b"ARROW1,b\n1,2\n", "csv"),
        (b"\x89PNG\r\n\x1a\n", "csv"),
        (b'[{"a": 1}]', "csv"),
        (b"\x1f\x8b\x08damaged", "csv"),
    ],
)
def test_the_kind_of_a_file_is_found_by_its_first_bytes(content, kind):
    assert sniff(content, whole=True).format.kind == kind


def test_a_file_is_told_by_its_beginning(tmp_path):
    path = tmp_path / "table"
    path.write_bytes(b"a;b\n" + b"1,5;2\n" * 50_000)

    assert differences(sniff_file(str(path)).csv_dialect) == {"delimiter": ";", "decimal": ","}


def test_a_file_that_cannot_be_told_apart_is_bad_data(tmp_path):
    path = tmp_path / "table"
    path.write_bytes(b"a;b,c\n1;2,3\n")

    with pytest.raises(errors.BadData, match="upload it again so"):
        sniff_file(str(path))


@pytest.mark.parametrize("path", sorted(CASES.glob("*.csv")), ids=lambda path: path.name)
@pytest.mark.parametrize(
    ("delimiter", "encoding", "expected"),
    [
        (",", "utf-8", {}),
        (";", "utf-8", {"delimiter": ";"}),
        ("\t", "utf-16", {"delimiter": "\t", "encoding": "utf-16"}),
    ],
)
def test_small_odd_tables_are_told_in_each_dialect(path, delimiter, encoding, expected):
    content = path.read_text().replace(",", delimiter).encode(encoding)

    assert differences(sniff(content, whole=True).format.csv_dialect) == expected


@pytest.mark.parametrize("told", [{"encoding": "utf-16"}, {"charset": "utf-16"}])
@pytest.mark.parametrize("head", [b"\xff\xe1\xb5\x01", gzip.compress(b"\xff\xe1\xb5\x01", mtime=0)])
def test_utf_16_whose_byte_order_nothing_tells_is_refused(head, told):
    with pytest.raises(errors.Invalid, match="say utf-16-le, utf-16-be, or what it is") as refused:
        sniff(head, options=DialectOptions(**told))

    assert refused.value.extra["field"] == "encoding"
