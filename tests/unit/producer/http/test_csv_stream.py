import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.producer.http.csv_stream import CsvBody

BEGIN = b"a,b\n" + b"1,2\n" * 2000  # longer than what is looked at first


def cut(content, places):
    """Cut the content into chunks at these places."""
    ends = sorted({place % (len(content) + 1) for place in places})
    return [content[a:b] for a, b in zip([0, *ends], [*ends, len(content)], strict=True)]


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
    pieces = iter([BEGIN, b"1,\0\n", b"3,4\n"])
    body = CsvBody(lambda: next(pieces))

    assert body.read(10_000) == BEGIN
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
