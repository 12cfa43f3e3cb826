import bz2
import lzma
import sys
import tracemalloc
import zlib

import pytest

from app import errors
from app.amqp.body_encoding import decode_body, encoding_of
from tests.support.packing import gzip_compress

LIMIT = 1_000_000
TEXT = b'{"input_data": {"a": 1}}' * 100


@pytest.mark.parametrize(
    ("content_encoding", "headers", "encoding"),
    [
        ("utf-8", None, None),
        ("UTF8", {}, None),
        ("us-ascii", {"compression": None}, None),
        ("binary", {"compression": ""}, None),
        ("identity", {"x-delivery-count": 1}, None),
        ("", None, None),
        ("gzip", None, "gzip"),
        (" GZip , deflate", None, "gzip, deflate"),
        ("utf-8, x-gzip", None, "x-gzip"),
        ("utf-8", {"compression": "application/x-gzip"}, "gzip"),
        ("utf-8", {"compression": "zlib"}, "gzip"),
        ("utf-8", {"compression": b"application/x-bz2"}, "bzip2"),
        ("utf-8", {"compression": bytearray(b"application/x-bz2")}, "bzip2"),
        ("utf-8", {"compression": "xz"}, "lzma"),
        ("binary", {"compression": "application/zstd"}, "zstd"),
        ("deflate", {"compression": "application/x-gzip"}, "deflate, gzip"),
        ("utf-16", None, "utf-16"),
        (b"\xff", {"compression": 7}, "\ufffd, 7"),
    ],
)
def test_the_codings_of_a_message_are_read_and_a_charset_is_none(
    content_encoding, headers, encoding
):
    assert encoding_of(content_encoding, headers) == encoding


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip_compress(TEXT)),
        ("gzip", zlib.compress(TEXT)),  # what kombu calls gzip
        ("deflate", zlib.compress(TEXT)),
        ("bzip2", bz2.compress(TEXT)),
        ("lzma", lzma.compress(TEXT, preset=9)),
        ("deflate, gzip", zlib.compress(zlib.compress(TEXT))),
        ("gzip, bzip2", bz2.compress(gzip_compress(TEXT))),
        ("bzip2, deflate", zlib.compress(bz2.compress(TEXT))),
        ("bzip2, lzma", lzma.compress(bz2.compress(TEXT))),
        # Streams that follow each other, as parallel compressors write them.
        ("bzip2", bz2.compress(TEXT[:99]) + bz2.compress(b"") + bz2.compress(TEXT[99:])),
        ("lzma", lzma.compress(TEXT[:99]) + lzma.compress(b"") + lzma.compress(TEXT[99:])),
    ],
)
def test_a_body_is_decoded(encoding, body):
    assert decode_body(body, encoding, LIMIT) == TEXT


@pytest.mark.skipif(sys.version_info < (3, 14), reason="Python has it from 3.14 on")
def test_zstandard_is_decoded():
    from compression import zstd

    assert decode_body(zstd.compress(TEXT), "zstd", LIMIT) == TEXT


@pytest.mark.parametrize(
    ("encoding", "unknown"),
    [
        ("utf-16", "utf-16"),
        ("latin-1", "latin-1"),
        ("brotli", "brotli"),
        ("utf-16, gzip", "utf-16"),
        ("bzip2, utf-16", "utf-16"),
        ("\ufffd", "\ufffd"),
    ],
)
def test_an_unknown_encoding_is_named_with_those_that_are_known(encoding, unknown):
    with pytest.raises(errors.Unsupported) as caught:
        decode_body(gzip_compress(TEXT), encoding, LIMIT)

    detail = caught.value.detail
    assert detail.startswith(f'content_encoding: the content encoding "{unknown}" is unknown; ')
    assert "send gzip, deflate" in detail
    assert "bzip2, lzma or none, and the text as UTF-8" in detail.replace("zstd, ", "")


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        *((name, TEXT) for name in ("gzip", "deflate", "bzip2", "lzma")),
        ("bzip2", bz2.compress(TEXT) + TEXT),
        ("gzip", gzip_compress(TEXT)[:-9]),
        ("gzip", zlib.compress(TEXT)[:-5]),
        ("bzip2", bz2.compress(TEXT)[:-9]),
        ("lzma", lzma.compress(TEXT)[:-9]),
        ("bzip2", bz2.compress(TEXT).replace(b"1AY&SY", b"1AY&SZ")),
    ],
)
def test_damaged_data_are_named(encoding, body):
    with pytest.raises(errors.Malformed, match=rf"^body: .*(?:{encoding}|deflate) data"):
        decode_body(body, encoding, LIMIT)


@pytest.mark.parametrize(
    ("encoding", "stream"), [("bzip2", bz2.compress(TEXT)), ("lzma", lzma.compress(TEXT))]
)
def test_bytes_behind_the_data_are_refused(encoding, stream):
    with pytest.raises(errors.Malformed, match=f"bytes that are not {encoding} follow its "):
        decode_body(stream + b"\n{}", encoding, LIMIT)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "bzip2", "lzma"])
def test_an_empty_body_stays_empty(encoding):
    assert decode_body(b"", encoding, LIMIT) == b""


BOMB = bytes(20 * LIMIT)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip_compress(BOMB)),
        ("gzip", zlib.compress(BOMB)),
        ("bzip2", bz2.compress(BOMB)),
        ("lzma", lzma.compress(BOMB, preset=0)),
        ("gzip, lzma", lzma.compress(gzip_compress(BOMB), preset=0)),
        ("bzip2", bz2.compress(bytes(LIMIT)) + bz2.compress(b"0")),
        # The outer coding is a bomb of empty streams, which decode to nothing.
        ("bzip2, gzip", gzip_compress(bz2.compress(b"") * (2 * LIMIT // 14))),
    ],
)
def test_a_bomb_ends_at_the_limit(encoding, body):
    tracemalloc.start()
    with pytest.raises(errors.TooLarge) as caught:
        decode_body(body, encoding, LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert caught.value.extra["limit"] == LIMIT
    assert peak < 10 * LIMIT


def test_a_dictionary_that_needs_too_much_memory_is_refused():
    header = b"\x5d" + (1 << 30).to_bytes(4, "little") + b"\xff" * 8  # of the format .lzma

    with pytest.raises(errors.Malformed):
        decode_body(header + bytes(20), "lzma", LIMIT)
