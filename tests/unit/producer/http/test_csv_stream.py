import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.producer.http.csv_stream import MAX_LINE, CsvBody, CsvScan


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
        (b"a\n1\n", ["a"], 1),
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


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"\n \r\n\n", "empty"),
        (b"a,b", "no row"),
        (b"a,b\n", "no row"),
        (b"a,b\r\n\r\n", "no row"),
        (b"a,a\n1,2\n", "named twice: a"),
        (b"a,b,a,b,c\n", "named twice: a, b"),
        (b"a,,b\n1,2,3\n", "no name"),
        (b",\n1,2\n", "no name"),
        (b"a,b\n1,\xff\n", "not UTF-8"),
        ("ä,b\n1,2\n".encode("latin-1"), "not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "not UTF-8"),
        (b"a,b\n1,\xc3", "not UTF-8"),
        (b"a,b\n1,\x00\n", "NUL"),
        (b'a,b\n1,2\n"3,4\n', "never closed"),
        (b'a,b\n"1,2\n3,4\n', "never closed"),
        (b'"a,b\n1,2\n', "never closed"),
        (b"a" * 200_000 + b",b\n1,2\n", "larger than"),
    ],
)
def test_what_is_no_csv_is_refused(content, said):
    with pytest.raises(errors.Invalid, match=said) as caught:
        scanned(content)

    assert caught.value.extra["field"] == "body"
    assert len(caught.value.detail) < 200


@pytest.mark.parametrize("content", [b"x" * MAX_LINE, b'a,b\n"' + b"x" * MAX_LINE])
def test_a_line_without_end_is_refused_before_it_fills_the_memory(content):
    chunks = [content[at : at + 1000] for at in range(0, len(content), 1000)]

    with pytest.raises(errors.Invalid, match="longer than"):
        fed(*chunks, b"x")


def test_a_header_without_end_is_refused_before_it_fills_the_memory():
    lines = [b"x" * 999 + b"\n"] * 1100

    with pytest.raises(errors.Invalid, match="longer than"):
        fed(b'"a\n', *lines)


def test_a_character_may_be_cut():
    scan = scanned(*cut("größe,色\n1,2\n".encode(), range(20)))

    assert scan.columns == ["größe", "色"]


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=20), max_size=10),
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=10),
)
def test_a_body_is_read_as_it_came_whatever_is_asked_for(chunks, sizes):
    content = b"a\n" + b"".join(chunk.replace(b"\0", b"0").hex().encode() for chunk in chunks)
    content += b"1\n"
    pieces = iter([*cut(content, sizes), b""])
    body = CsvBody(lambda: next((piece for piece in pieces if piece), b""))

    read = b""
    while piece := body.read(sizes[len(read) % len(sizes)]):
        read += piece

    assert read == content
    assert body.size == len(content)
    assert body.scan.columns == ["a"]
    assert body.scan.rows == 1


def test_a_body_is_read_through_a_buffer():
    pieces = iter([b"a,b\n", b"1,2\n" * 10_000, b"3,4", b""])
    body = CsvBody(lambda: next(pieces))

    assert io.BufferedReader(body, 1000).read() == b"a,b\n" + b"1,2\n" * 10_000 + b"3,4"
    assert body.scan.rows == 10_001


def test_a_body_that_is_no_csv_breaks_the_reading_where_it_stops_to_be_one():
    pieces = iter([b"a,b\n", b"1,\0\n", b"3,4\n"])
    body = CsvBody(lambda: next(pieces))

    assert body.read(100) == b"a,b\n"
    with pytest.raises(errors.Invalid, match="NUL"):
        body.read(100)
    assert next(pieces) == b"3,4\n"


def test_a_body_that_ends_too_early_breaks_the_reading_at_its_end():
    pieces = iter([b"a,b\n", b""])
    body = CsvBody(lambda: next(pieces))

    assert body.read(100) == b"a,b\n"
    with pytest.raises(errors.Invalid, match="no row"):
        body.read(100)


def test_nothing_is_asked_for_behind_the_end():
    pieces = iter([b"a\n1\n", b""])
    body = CsvBody(lambda: next(pieces))

    assert body.read(100) == b"a\n1\n"
    assert [body.read(100) for _ in range(3)] == [b"", b"", b""]
