import gzip
import io
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.producer.uploads.table_body import TableBody
from app.tables.dialect import DialectOptions
from app.tables.inspection import Inspected
from tests.support.packing import gzip_compress

LIMIT = 10_000_000
BEGIN = b"a,b\n" + b"1,2\n" * 20_000  # longer than what is looked at first


class Source:
    """The chunks of a request, and what its Content-Type says."""

    def __init__(self, *chunks, charset="", kind=None, delimiter=None):
        self.charset, self.kind, self.delimiter = charset, kind, delimiter
        self._chunks = iter([*filter(None, chunks), b""])
        self.asked = 0

    def next_chunk(self):
        self.asked += 1
        return next(self._chunks)


def never(*_):
    raise AssertionError


def body_of(*chunks, options=None, limit=LIMIT, inspect=never, **said):
    return TableBody(Source(*chunks, **said), DialectOptions(**(options or {})), limit, inspect)


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
    body = body_of(*cut(content, sizes))

    read = b""
    while piece := body.read(sizes[len(read) % len(sizes)]):
        read += piece

    assert read == content
    assert (body.size, body.columns, body.rows) == (len(content), ["a"], 1)


@pytest.mark.parametrize(
    ("content", "said", "columns", "rows", "dialect"),
    [
        (b"a;b\n1,5;2\n", {}, ["a", "b"], 1, {"delimiter": ";", "decimal": ","}),
        (b"a\tb\n1\t2\n", {"delimiter": "\t"}, ["a", "b"], 1, {"delimiter": "\t"}),
        (b"x\n1;2\t3\n", {"delimiter": "\t", "options": {"delimiter": ";"}}, None, None, None),
        (gzip_compress(BEGIN), {}, ["a", "b"], 20_000, {"compression": "gzip"}),
        (gzip_compress(BEGIN) + gzip_compress(b"3,4\n"), {}, ["a", "b"], 20_001, {}),
        ("ä;b\n1;2\n".encode("utf-16"), {}, ["ä", "b"], 1, {"encoding": "utf-16"}),
        (gzip_compress("ä\tb\n1\t2\n".encode("utf-16")), {}, ["ä", "b"], 1, {}),
        (b"a,b\r1,2\r" + b"3,4\r" * 30_000, {}, ["a", "b"], 30_001, {"line_end": "cr"}),
        ("ä,b\n1,\x80\n".encode("latin-1"), {"charset": "windows-1252"}, ["ä", "b"], 1, {}),
        (BEGIN + b"\xe4,1\n", {"charset": "latin1"}, ["a", "b"], 20_001, {}),
        (BEGIN, {"charset": "iso-8859-1"}, ["a", "b"], 20_000, {"encoding": "utf-8"}),
        ("ä,b\n1,2\n".encode(), {"charset": "iso-8859-1"}, ["ä", "b"], 1, {"encoding": "utf-8"}),
        (b"sep=;\r\na;b\r\n1;2\r\n", {}, ["a", "b"], 1, {"skipped_lines": 1}),
        (b",a\n0,1\n1,2\n", {}, ["a"], 2, {"index": "first"}),
        (b"a;b\n1;2\n", {"options": {"index": True}}, ["b"], 1, {"index": "first"}),
    ],
)
@pytest.mark.parametrize("size", [1, 999, 70_000])
def test_a_csv_of_any_dialect_is_read(content, said, columns, rows, dialect, size):
    body = body_of(*(content[at : at + size] for at in range(0, len(content), size)), **said)
    if columns is None:
        with pytest.raises(errors.Invalid):
            io.BufferedReader(body).read()
        return

    assert io.BufferedReader(body, 1000).read() == content
    assert (body.columns, body.rows, body.size) == (columns, rows, len(content))
    assert body.format.kind == "csv"
    assert dialect.items() <= body.format.dialect.model_dump().items()


REFUSED = [
    ([b"a,b\n"], {}, "no row"),
    ([], {}, "empty"),
    ([BEGIN, b"1,\0\n"], {}, "line 20002 has a NUL byte"),
    ([b"a;b,c\n1;2,3\n"], {}, "say delimiter=, or delimiter=;"),
    ([b"a;b\n" + b"1;2\n" * 20_000, b"1,5;3\n"], {}, 'a later one is "1,5"; say decimal=, or dec'),
    ([BEGIN, "ä,b\n".encode()], {"charset": "latin1"}, "say encoding=utf-8 or encoding=windows-12"),
    ([BEGIN, b"\xe4,b\n"], {}, "save it as UTF-8, or say encoding=windows-1252 if it is that"),
    ([b"\x81,b\n1,2\n"], {"charset": "cp1252"}, "byte 1 of the text is not Windows-1252; name"),
    (["a,b\n1,2\n".encode("utf-16")[:-1]], {}, "the text ends within a character of UTF-16"),
    ([b"\xff\xfea\0,\0b\0\n\0\x00\xdc,\0"], {}, "byte 11 of the text is not UTF-16"),
    ([gzip_compress(BEGIN)[:-9]], {}, "the gzip data cannot be decoded: they end too early"),
    ([gzip_compress(BEGIN)[:300] + bytes(99)], {}, "bytes that are not gzip follow its gzip data"),
    ([gzip_compress(gzip_compress(BEGIN))], {}, "it is compressed by gzip"),
    ([b"a,b\n1,2\n"], {"kind": "parquet"}, "it is Parquet by its Content-Type, but its first"),
    (
        [b"PAR1\x15"],
        {"options": {"delimiter": ";"}},
        "delimiter: it is an option of CSV, but the f",
    ),
    ([b"%PDF-1.7\n"], {}, "it is a PDF document"),
    ([b'[{"a": 1}]'], {}, "it is JSON"),
    ([b"i\n0\n"], {"options": {"index": True}}, "there is no column but the one of row names"),
]


@pytest.mark.parametrize(("chunks", "said", "problem"), REFUSED)
def test_what_cannot_be_read_is_refused_with_its_remedy(chunks, said, problem):
    with pytest.raises(errors.Invalid) as caught:
        io.BufferedReader(body_of(*chunks, **said)).read()

    assert problem in caught.value.detail
    assert len(caught.value.detail) < 260


def test_compressed_text_is_read_to_the_limit_and_no_further():
    bomb = gzip.compress(b"a,b\n" + b"1,2\n" * 2_000_000)
    body = body_of(bomb, limit=1_000_000)

    with pytest.raises(errors.TooLarge, match="over the limit of 1000000 bytes when decoded"):
        io.BufferedReader(body).read()


def test_a_body_that_is_no_csv_breaks_the_reading_where_it_stops_to_be_one():
    body = body_of(BEGIN, b"1,\0\n", b"3,4\n")

    assert body.read(len(BEGIN)) == BEGIN
    with pytest.raises(errors.Invalid, match="NUL"):
        body.read(100)


def test_nothing_is_asked_for_behind_the_end():
    source = Source(b"a\n1\n")
    body = TableBody(source, DialectOptions(), LIMIT, never)

    assert body.read(100) == b"a\n1\n"
    assert [body.read(100) for _ in range(3)] == [b"", b"", b""]
    assert source.asked == 2


@pytest.mark.parametrize("size", [4, 1000, 3_000_000])
def test_parquet_is_inspected_as_a_whole_before_its_first_byte_is_read(size):
    content = b"PAR1\x15\x04" + Random(0).randbytes(2_000_000)
    seen = []

    def inspect(file, kind, limit):
        file.seek(0)
        seen.append((file.read(), kind, limit))
        return Inspected(["a"], 3, ["odd"])

    body = body_of(
        *(content[at : at + size] for at in range(0, len(content), size)), inspect=inspect
    )

    first = body.read(1)
    assert seen == [(content, "parquet", LIMIT)]
    assert first + io.BufferedReader(body).read() == content
    assert (body.columns, body.rows, body.warnings) == (["a"], 3, ["odd"])
    assert (body.size, body.format.kind, body.format.dialect) == (len(content), "parquet", None)
    body.close()


def test_what_an_inspection_refuses_is_refused():
    def inspect(*_):
        raise errors.Invalid("body", "damaged")

    with body_of(b"PAR1\x15" + bytes(70_000), b"PAR1", inspect=inspect) as body:  # noqa: SIM117
        with pytest.raises(errors.Invalid, match="damaged"):
            body.read(1)


@pytest.mark.parametrize(
    ("content", "said", "told"),
    [
        (b"a;b\n1;2\n", {}, False),
        (b"a;b\n1;2\n", {"options": {"delimiter": "semicolon"}}, False),  # as its bytes say
        (b"a;b\n1.5;2\n", {"options": {"decimal": "comma"}}, True),
        (b"a;b\n1.500;2\n", {"options": {"thousands": "point", "decimal": "comma"}}, True),
        (b"a;b,c\n1;2,3\n", {"options": {"delimiter": "semicolon"}}, True),
        (b"a\tb;c\n1\t2;3\n", {"delimiter": "\t"}, True),
        (b"a\tb\n1\t2\n", {"delimiter": "\t"}, False),
        (b"\xe4;b\n1;2\n", {"charset": "latin1"}, True),
        (b"a;b\n1;2\n", {"charset": "latin1"}, False),
        (b"a;b\n1;2\n", {"options": {"index": True}}, True),
    ],
)
def test_a_table_that_is_read_as_its_bytes_do_not_say_is_another_version(content, said, told):
    body = body_of(content, **said)
    io.BufferedReader(body).read()

    facts = body.facts()

    assert facts.table_format == body.format.model_dump(mode="json")
    assert facts.told == (facts.table_format if told else None)
