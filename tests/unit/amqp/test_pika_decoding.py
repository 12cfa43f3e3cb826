import struct
from datetime import UTC, datetime

import pika
import pytest
from pika import data, spec

from app.amqp.connection import connection_parameters
from app.amqp.pika_decoding import install_lenient_pika_decoding, strict_decode_table
from app.settings import Settings
from tests.fuzz.properties import entry, nested, table


@pytest.fixture
def lenient(monkeypatch):
    """Make pika lenient for one test."""
    monkeypatch.setattr(data, "decode_table", data.decode_table)  # pika's own, so that it is undone
    install_lenient_pika_decoding()


MILLISECONDS = struct.pack(">Q", 1_760_000_000_000)
UNREADABLE = {
    "a timestamp in milliseconds": entry(b"at", b"T", MILLISECONDS),
    "the last timestamp": entry(b"at", b"T", b"\xff" * 8),
    "an infinite float": entry(b"f", b"f", struct.pack(">f", float("inf"))),
    "a double that is no number": entry(b"d", b"d", struct.pack(">d", float("nan"))),
    "an unknown type": entry(b"z", b"Z", b"?"),
    "a value that is cut off": entry(b"n", b"l", b"\0"),
    "one in a list": entry(b"a", b"A", table(b"T" + MILLISECONDS)),
}


@pytest.mark.parametrize("inner", UNREADABLE.values(), ids=UNREADABLE)
def test_pika_alone_cannot_decode_it(inner):
    with pytest.raises(Exception, match=r".*"):
        strict_decode_table(table(inner), 0)


@pytest.mark.parametrize("inner", UNREADABLE.values(), ids=UNREADABLE)
def test_a_table_that_cannot_be_decoded_is_empty_and_ends_where_it_ends(lenient, inner):
    assert data.decode_table(b"before" + table(inner) + b"after", 6) == ({}, 10 + len(inner))


@pytest.mark.parametrize("depth", [100, 3000, 20_000])
def test_depth_is_no_danger(lenient, depth):
    encoded = nested(depth)

    _, end = data.decode_table(encoded, 0)

    assert end == len(encoded)


def test_what_pika_can_decode_it_decodes(lenient):
    wanted = {"text": "ü", "n": 1, "at": datetime(2026, 1, 1, tzinfo=UTC), "t": {"a": [1, None]}}
    pieces: list[bytes] = []
    data.encode_table(pieces, wanted)

    assert data.decode_table(b"".join(pieces), 0) == (wanted, len(b"".join(pieces)))


def test_the_tables_around_a_bad_one_are_decoded(lenient):
    bad = entry(b"bad", b"F", table(UNREADABLE["a timestamp in milliseconds"]))
    encoded = table(bad + entry(b"good", b"t", b"\1"))

    assert data.decode_table(encoded, 0) == ({"bad": {}, "good": True}, len(encoded))


def test_the_properties_behind_bad_headers_are_read(monkeypatch):
    monkeypatch.setattr(data, "decode_table", data.decode_table)  # pika's own, so that it is undone
    connection_parameters(Settings(_env_file=None), "test")  # what every connection begins with
    flags = spec.BasicProperties.FLAG_HEADERS | spec.BasicProperties.FLAG_CORRELATION_ID
    headers = table(UNREADABLE["a timestamp in milliseconds"])

    read = pika.BasicProperties().decode(struct.pack(">H", flags) + headers + b"\4mine")

    assert (read.headers, read.correlation_id) == ({}, "mine")
