import csv
import io
import warnings

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.producer.uploads.csv_scan import MAX_LINE, CsvScan
from app.tables.dialect import Dialect
from tests.support.packing import gzip_compress


def fed(*chunks):
    scan = CsvScan()
    for chunk in chunks:
        scan.feed(chunk)
    return scan


def scanned(*chunks):
    scan = fed(*chunks)
    scan.feed(b"", last=True)
    return scan


def cut(content, places):
    """Cut the content into chunks at these places."""
    ends = sorted({place % (len(content) + 1) for place in places})
    return [content[a:b] for a, b in zip([0, *ends], [*ends, len(content)], strict=True)]


@pytest.mark.parametrize(
    ("content", "columns", "rows"),
    [
        (b"a,b\n1,2\n3,4\n", ["a", "b"], 2),
        (b"a,b\n1,2\n3,4", ["a", "b"], 2),
        (b"a,b\r\n1,2\r\n3,4\r\n", ["a", "b"], 2),
        (b"a,b\r\n1,2\r\n3,4", ["a", "b"], 2),
        (b"\xef\xbb\xbfa,b\n1,2\n", ["a", "b"], 1),
        (b'\xef\xbb\xbf"a","b"\n1,2\n', ["a", "b"], 1),
        (b'\xef\xbb\xbf"a\n1",b\n1,2\n', ["a\n1", "b"], 1),
        (b"\xef\xbb\xbf\r\na,b\r\n1,2\r\n", ["a", "b"], 1),
        (b"a\n1\n", ["a"], 1),
        (b'a\n""\n \n2\n', ["a"], 2),
        (b"a,b\n1,2\r3,4\n", ["a", "b"], 2),
        (b'a,b\n1,2\r"x,y",3\r"",""\n5,6\n', ["a", "b"], 4),
        (b'a,b\n1,2\r"x\r,""\n",3\n', ["a", "b"], 2),
        (b'a,b\n1,"x\r\n"\r\r\n3,4\r\n', ["a", "b"], 2),
        (b"a,b\n\n1,2\n\n\n3,4\n\n", ["a", "b"], 2),
        (b"\n\na,b\n1,2\n", ["a", "b"], 1),
        (b"a,b\n,\n", ["a", "b"], 1),
        (b'a,b\n"1\n2",3\n', ["a", "b"], 1),
        (b'a,b\n"\n",3\n', ["a", "b"], 1),
        (b'a,b\n"\n\n\n",3\n4,5\n', ["a", "b"], 2),
        (b'a,b\n"1""\n""2",3\n', ["a", "b"], 1),
        (b'a,b\n"1,\n""",3\n', ["a", "b"], 1),
        (b'a,b\n"",""\n', ["a", "b"], 1),
        (b'a,b\n"1\r\n2",3\r\n', ["a", "b"], 1),
        (b'"a\nb","c,d","e""f"\n1,2,3\n', ["a\nb", "c,d", 'e"f'], 1),
        (b'"a\r\nb",c\r\n1,2\r\n', ["a\r\nb", "c"], 1),
        (b'a,b\n5" disk,2\n6,7\n', ["a", "b"], 2),
        (b'a,b\n5",2\n6",7\n8",9\n', ["a", "b"], 3),
        (b'a,b\n"5"" disk",2\n6,7\n', ["a", "b"], 2),
        (b'a,b\n"1"2"3,4\n5,6\n', ["a", "b"], 2),
        ("größe,色\n1,ä\n".encode(), ["größe", "色"], 1),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_columns_and_rows_are_those_of_the_csv(content, columns, rows, size):
    scan = scanned(*(content[at : at + size] for at in range(0, len(content), size)))

    assert scan.columns == columns
    assert scan.rows == rows
    frame = pd.read_csv(io.BytesIO(content), index_col=False)
    assert [column.replace("\r\n", "\n") for column in columns] == [
        column.replace("\r\n", "\n") for column in frame.columns
    ]
    assert len(frame) == rows


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=6)
cells |= st.sampled_from(["\n", '"', ",", '"\n"', "\r\n", 'a"b', ""])


@given(
    rows=st.lists(st.tuples(cells, cells, cells), min_size=1, max_size=8),
    names=st.lists(cells.filter(bool), min_size=3, max_size=3, unique=True),
    places=st.lists(st.integers(0, 10_000), max_size=6),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    bom=st.booleans(),
    newline_at_end=st.booleans(),
)
def test_any_csv_is_read_as_the_csv_module_reads_it(
    rows, names, places, end, quoting, bom, newline_at_end
):
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=quoting).writerows([names, *rows])
    content = text.getvalue() if newline_at_end else text.getvalue().removesuffix(end)
    header, *below = csv.reader(io.StringIO(content, newline=""))

    scan = scanned(*cut((b"\xef\xbb\xbf" if bom else b"") + content.encode(), places))

    # A first name that begins with a byte order mark looks like the mark of the file.
    assert scan.columns == [name if bom else name.removeprefix("\ufeff") for name in header]
    assert scan.rows == len(below)


@given(content=st.binary(max_size=60), places=st.lists(st.integers(0, 60), max_size=4))
def test_any_bytes_are_read_or_refused_alike_wherever_they_are_cut(content, places):
    def outcome(chunks):
        try:
            scan = scanned(*chunks)
        except errors.Invalid as error:
            return error.detail
        return scan.columns, scan.rows

    assert outcome(cut(content, places)) == outcome([content])


def read(content):
    """The data frame of a training, or None if it could not read the file."""
    try:
        with warnings.catch_warnings(action="error", category=pd.errors.ParserWarning):
            return pd.read_csv(io.BytesIO(content), index_col=False, low_memory=False)
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError):
        return None


@given(
    header=st.sampled_from([b"a,b,c", b"a,b", b'"a,x",b', b"\xef\xbb\xbfa,b,c"]),
    lines=st.lists(
        st.lists(
            st.sampled_from([b"1", b"", b'""', b'"x,y"', b'"x\ny"', b'5"', b'"a""b"', b" ", b"\t"]),
            max_size=5,
        ).map(b",".join),
        max_size=6,
    ),
    end=st.sampled_from([b"\n", b"\r\n", b"\r\r\n"]),
    last=st.sampled_from([b"", b"\r", b"\n", b"\r\n", b" "]),
    places=st.lists(st.integers(0, 100), max_size=4),
)
def test_what_a_training_can_read_is_accepted_and_nothing_else(header, lines, end, last, places):
    content = end.join([header, *lines]) + last
    frame = read(content)
    if frame is None or not len(frame):
        with pytest.raises(errors.Invalid):
            scanned(*cut(content, places))
    else:
        scan = scanned(*cut(content, places))
        assert (scan.columns, scan.rows) == (list(frame.columns), len(frame))


REFUSED = [
    (b"", "empty"),
    (b"\n \r\n\n", "empty"),
    (b"a,b", "no row below the header; curl's -d removes line breaks, use -T or --data-binary"),
    (b"\xef\xbb\xbfa,b,c1,2,34,5,6", "curl's -d removes line breaks"),
    (b"a,b,c1,,31,,34,5,6", "curl's -d removes line breaks"),
    (b"a,b,a,b,a", "curl's -d removes line breaks"),
    (b"a;b1;2", "curl's -d removes line breaks"),
    (b'[{"a": 1}, {"a": 2}]', "it is JSON; send CSV"),
    (b"a,b\n", "no row"),
    (b"a,b\r\n\r\n", "no row"),
    (b"a,a\n1,2\n", "named twice: a"),
    (b"a,b,a,b,c\n", "named twice: a, b"),
    (b"0,0,1\n2,3,4\n", "named twice: 0; the first line has to be a header with the names"),
    (b"a,,b\n1,2,3\n", "column 2 of the header has no name"),
    (b",\n1,2\n", "no name"),
    (b",a,b\n0,1,2\n", "the first column has no name; if it holds row names, say index=true to"),
    (b'"","a","b"\n"1",1,2\n', "say index=true to leave them out"),
    (b"a,b,\n1,2,\n", "the last column has no name; remove the separator at the end of the header"),
    (b"a,b\n1,\xff\n", "line 2 has the byte FF, which is not UTF-8"),
    ("ä,b\n1,2\n".encode("latin-1"), "line 1 has the byte E4, which is not UTF-8"),
    (b"a,b\n" * 3000 + b"\xe4,b\n", "line 3001 has the byte E4, which is not UTF-8 there"),
    ("a,b\n1,2\n".encode("utf-16"), "its text is UTF-16; save it as UTF-8"),
    ("a,b\n1,2\n".encode("utf-16-le"), "its text is UTF-16"),
    ("a,b\n1,2\n".encode("utf-32"), "its text is UTF-32"),
    (b"a,b\n1,\xc3", "ends within a character; the text was cut off"),
    (b"a,b\n1,\x00\n", "NUL"),
    (b"a,b\n" + b"1,2\n" * 3000 + b"1,\x00\n", "line 3002 has a NUL byte"),
    (
        gzip_compress(b"a,b\n1,2\n"),
        "it is compressed by gzip; name that as its content encoding",
    ),
    (b"PK\x03\x04" + b"[Content_Types].xml" + bytes(99), "an Excel workbook (xlsx); save"),
    (b"PAR1\x15\x04" + bytes(5000), "it is a Parquet file; send CSV"),
    (b"%PDF-1.7\nendobj\n", "it is a PDF document"),
    (b"<!DOCTYPE html>\n<p>Not found</p>\n", "it is an HTML page"),
    (b'[{"a": 1, "b": 2}]\n', "it is JSON; send CSV"),
    (b'{\n"a": [1, 2],\n', "it is JSON"),
    (b'{"a": 1}\n{"a": 2}\n', "it is JSON"),
    (b'a,b\n1,2\n"3,4\n', "the quoted field that begins in line 3 is never closed"),
    (b'a,b\n"1,2\n3,4\n', "the quoted field that begins in line 2 is never closed"),
    (b'"a,b\n1,2\n', "the quoted field that begins in line 1 is never closed"),
    (b'a,b\n"x\ny",2\n\n5,"6\n', "the quoted field that begins in line 5 is never closed"),
    (b"a" * 200_000 + b",b\n1,2\n", "a name in the header is too long"),
    (b"a,b\r1,2\r3,4\n", "the header has a CR; save the file with line ends of LF or CR LF"),
    (b"a;b\n1,5;2\n", "the fields are separated by semicolons; say delimiter=;"),
    (b"a\tb\n1\t2\n", "the fields are separated by tabs; say delimiter=tab"),
    (b"a|b\n1|2\n", "the fields are separated by vertical bars; say delimiter=pipe"),
    (b'"a" "b"\n"1" 5 6\n', "the fields are separated by blanks"),
    (b"Chins Situps Jumps\n5 162 60\n", "the fields are separated by blanks"),
    (b"a,b\n1,2,3\n", "the header has 2 names, but line 2 has 3 fields; if the first f"),
    (b'"a","b"\n"1",5,6\n', "if the first fields are row names, say index=true to leave them out"),
    (b"a,b\n1,000,2\n", "to leave them out; put quotes round a field that holds a comma"),
    (b"a,b\n1,2,3,4\n", "the header has 2 names, but line 2 has 4 fields; put quotes round a f"),
    (b"# made in 2024\na,b\n1,2\n", "has 1 name, but line 2 has 2 fields; if the header is a t"),
    (b'a,b\n1,2\r"3,4\n', "the quoted field that begins in line 2 is never closed"),
    (b"a,b\n1,2\n\n3,4,5\n", "line 4 has 3 fields, but the header has 2 names; put quotes"),
    (b"a,b\n" + b"1,2\n" * 5000 + b"3,4,5\n", "line 5002 has 3 fields"),
    (b'a,b\n"x\ny",2\n3,4,5\n', "line 4 has 3 fields"),
    (b"a,b\n1,2\n3,4,\n", "line 3 has 3 fields"),
    (b"a,b\n" + b"1,2\n" * 1250 + b'"1,2\n', "begins in line 1252 is never closed"),
    (b"a,b\n1,2,\n3,4,5\n", "line 3 has 3 fields"),
    (b"569,30,malignant,benign\n" + b"1," * 30 + b"0\n", "counts the rows and columns, as in scik"),
    (b"2,4,setosa,versicolor,virginica\n" + b"5.1,3.5,1.4,0.2,0\n" * 2, "counts the rows and col"),
]


@pytest.mark.parametrize(("content", "said"), REFUSED)
@pytest.mark.parametrize("size", [7, 5000, 10_000_000])
def test_what_is_no_csv_is_refused_with_its_remedy(content, said, size):
    chunks = [content[at : at + size] for at in range(0, len(content), size)]

    with pytest.raises(errors.Invalid) as caught:
        scanned(*chunks)

    assert said in caught.value.detail
    assert caught.value.extra["field"] == "body"
    assert len(caught.value.detail) < 220


OTHERS = [
    (b"a;b\n1,5;2\n3;\n", {"delimiter": ";"}, ["a", "b"], 2),
    (b"a\tb\n\t\n \t1\n", {"delimiter": "\t"}, ["a", "b"], 2),
    (b"a\tb\n\n1\t2\n", {"delimiter": "\t"}, ["a", "b"], 1),
    (b'a|b\n"x|y"|2\n"p\nq"|4\n', {"delimiter": "|"}, ["a", "b"], 2),
    (b"a;b\n1;2;\n3;4;\n", {"delimiter": ";"}, ["a", "b"], 2),
    (b"sep=;\na;b\n1;2\n", {"delimiter": ";", "skipped_lines": 1}, ["a", "b"], 1),
    (b"\xef\xbb\xbfsep=,\r\na,b\r\n1,2\r\n", {"skipped_lines": 1}, ["a", "b"], 1),
    (b",a,b\n0,1,2\n1,3,4\n", {"index": "first"}, ["a", "b"], 2),
    (b"id,a,b\n0,1,2\n1,3,4\n", {"index": "first"}, ["a", "b"], 2),
    (b'"a","b"\n"1",5,6\n"2",7,8\n', {"index": "extra"}, ["a", "b"], 2),
    (b"a,b\nx,5,6\n" + b"y,7,8\n" * 3000, {"index": "extra"}, ["a", "b"], 3001),
    (b"a\nx,5\n", {"index": "extra"}, ["a"], 1),
    (b'"a\nb",c\n1,2\n', {"line_end": "cr"}, ["a\rb", "c"], 1),
]


@pytest.mark.parametrize(("content", "dialect", "columns", "rows"), OTHERS)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_columns_and_rows_are_those_of_the_dialect(content, dialect, columns, rows, size):
    scan = CsvScan(Dialect(**dialect))
    for at in range(0, len(content), size):
        scan.feed(content[at : at + size])
    scan.feed(b"", last=True)

    assert (scan.columns, scan.rows) == (columns, rows)


@pytest.mark.parametrize(
    ("content", "dialect", "said"),
    [
        (b"a;b\n1;2;3\n", {"delimiter": ";"}, "line 2 has 3 fields; if the first fields are row"),
        (b"a;b\n1;2\n3;4;5\n", {"delimiter": ";"}, "put quotes round a field that holds a semico"),
        (b"a\tb\n1\t2\n3\t4\t5\n", {"delimiter": "\t"}, "round a field that holds a tab"),
        (b"a,b\nx,5,6\ny,7,8,9\n", {"index": "extra"}, "line 3 has 4 fields, but the header has 2"),
        (b"a,b\nx,5,6,7\n", {"index": "extra"}, "line 2 has 4 fields, but the header has 2 names"),
        (b"id,a,a\nx,5,6\n", {"index": "first"}, "columns named twice: a"),
        (b"a,,b\nx,5,6\n", {"index": "first"}, "column 2 of the header has no name"),
        (b"a;b;\nx;5;6\n", {"delimiter": ";"}, "the last column has no name"),
        (b'a;b\n1;"2\n', {"delimiter": ";"}, "the quoted field that begins in line 2 is never"),
    ],
)
def test_what_is_no_csv_of_the_dialect_is_refused(content, dialect, said):
    scan = CsvScan(Dialect(**dialect))

    with pytest.raises(errors.Invalid) as caught:
        scan.feed(content, last=True)

    assert said in caught.value.detail


@pytest.mark.parametrize("content", [b"a,b\n", b"a,b\r\n\r\n", b"a,,b\n1,2,3\n", b"\na,b"])
def test_curl_is_not_named_where_it_removed_nothing(content):
    with pytest.raises(errors.Invalid) as caught:
        scanned(content)

    assert "curl" not in caught.value.detail


@pytest.mark.parametrize(
    ("content", "columns", "said"),
    [
        (b"a,b\n1,2\n", ["a", "b"], []),
        (b"a,b\n1,2,\n3,4,\n", ["a", "b"], []),
        (b"a,b\r\r\n1,2\r\r\n", ["a", "b"], []),
        (b"a, b,c \n1,2,3\n", ["a", " b", "c "], ['belong to the names: " b", "c "']),
        (b"5.1,3.5,0\n4.9,3,0\n", ["5.1", "3.5", "0"], ['with the names "5.1", "3.5", "0"']),
        (b"year,2019,2020\n1,2,3\n", ["year", "2019", "2020"], ['with the names "2019", "2020"']),
        (b"a\n1\n", ["a"], ["a training needs a feature and a target"]),
        ("\ufeff\ufeffa,b\n1,2\n".encode(), ["\ufeffa", "b"], ["to the names: "]),
        (
            b"a,b\n1,2\n3\n\n4\n",
            ["a", "b"],
            ["fewer fields than the header: 2, the first in line 3"],
        ),
        (b"a,b\n1\n" + b"1,2\n" * 5000, ["a", "b"], ["than the header: 1, the first in line 2"]),
        (b"2,1,a\n", ["2", "1", "a"], ['names "2", "1"']),
        (
            "ä,a\u0308\n1,2\n".encode(),
            ["ä", "a\u0308"],
            ['the same in two forms of Unicode, and cannot be used: "ä"'],
        ),
    ],
)
def test_what_a_training_can_use_is_accepted_with_a_warning(content, columns, said):
    scan = scanned(content + b"7,8,9\n"[: 2 * len(columns) - 1])

    assert scan.columns == columns
    assert len(scan.warnings) == len(said)
    assert all(part in warning for part, warning in zip(said, scan.warnings, strict=True))


def test_a_header_of_very_many_names_is_refused_at_once():
    names = ",".join(f"{number:x}" for number in range(170_000))

    with pytest.raises(errors.Invalid, match="columns named twice: 7b, 7c"):
        scanned(f"7b,7c,{names}\n1\n".encode())


@pytest.mark.parametrize("content", [b"x" * MAX_LINE, b'a,b\n"' + b"x" * MAX_LINE])
def test_a_line_without_end_is_refused_before_it_fills_the_memory(content):
    chunks = [content[at : at + 1000] for at in range(0, len(content), 1000)]

    with pytest.raises(errors.Invalid, match="longer than"):
        fed(*chunks, b"x")


@pytest.mark.parametrize("size", [65_536, 10_000_000])
@pytest.mark.parametrize("content", [b"1,2," * 300_000, b"a" * (MAX_LINE + 1) + b",b\n1,2\n"])
def test_a_first_line_that_is_too_long_may_be_many_that_curl_joined(content, size):
    chunks = [content[at : at + size] for at in range(0, len(content), size)]

    with pytest.raises(errors.Invalid) as caught:
        scanned(*chunks)

    assert "a line is longer than 1000000 bytes; curl's -d removes" in caught.value.detail


def test_a_header_without_end_is_refused_before_it_fills_the_memory():
    lines = [b"x" * 999 + b"\n"] * 1100

    with pytest.raises(errors.Invalid, match="longer than"):
        fed(b'"a\n', *lines)


@pytest.mark.parametrize("size", [1000, 65_536, 10_000_000])
def test_line_breaks_count_in_a_name_whose_quote_is_never_closed(size):
    content = b'a,b,"' + b"\n" * (MAX_LINE + 1)
    chunks = [content[at : at + size] for at in range(0, len(content), size)]

    with pytest.raises(errors.Invalid) as caught:
        fed(*chunks)

    assert caught.value.detail == (
        "body: the quoted field that begins in line 1 is longer than 1000000 bytes; it is probably "
        "never closed"
    )


@pytest.mark.parametrize("size", [1, 7, 1000, 10_000_000])
def test_a_quoted_field_may_have_many_lines(size):
    content = b'a,"b\n\n\nb"\n1,"' + b"\n" * 3000 + b'"\n2\n'
    chunks = [content[at : at + size] for at in range(0, len(content), size)]

    scan = scanned(*chunks)

    assert (scan.columns, scan.rows) == (["a", "b\n\n\nb"], 2)
    assert "the first in line 3006;" in scan.warnings[-1]


def test_a_character_may_be_cut():
    scan = scanned(*cut("größe,色\n1,2\n".encode(), range(20)))

    assert scan.columns == ["größe", "色"]
