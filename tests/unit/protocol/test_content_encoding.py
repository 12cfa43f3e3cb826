import os
import sys
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.protocol.content_encoding import HTTP_CODINGS, PIECE_BYTES, Decoder, decode
from tests.support.packing import gzip_compress

LIMIT = 1_000_000
TEXT = b'{"input_data": {"a": 1}}' * 100


def bare(content):
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(content) + deflate.flush()


ENCODED = [
    ("gzip", gzip_compress(TEXT)),
    ("x-gzip", gzip_compress(TEXT)),
    (" GZip ", gzip_compress(TEXT)),
    ("gzip", gzip_compress(TEXT[:100]) + gzip_compress(b"") + gzip_compress(TEXT[100:])),
    ("deflate", zlib.compress(TEXT)),
    ("deflate", zlib.compress(TEXT, 0)),
    ("deflate", bare(TEXT)),
    ("identity", TEXT),
    ("", TEXT),
    ("deflate, gzip", gzip_compress(zlib.compress(TEXT))),
    ("gzip,identity , , x-gzip", gzip_compress(gzip_compress(TEXT))),
    ("gzip, deflate, gzip", gzip_compress(bare(gzip_compress(TEXT)))),
]


@pytest.mark.parametrize(("encoding", "body"), ENCODED)
def test_a_body_is_decoded(encoding, body):
    assert decode(body, encoding, LIMIT) == TEXT


@pytest.mark.parametrize(("encoding", "body"), ENCODED)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_body_is_decoded_wherever_it_is_cut(encoding, body, size):
    decoder = Decoder(encoding, LIMIT)

    pieces = [
        piece for at in range(0, len(body), size) for piece in decoder.feed(body[at : at + size])
    ]
    decoder.end()

    assert b"".join(pieces) == TEXT


@given(st.binary(max_size=2000), st.sampled_from([gzip_compress, zlib.compress, bare]))
def test_any_content_is_decoded(content, encode):
    encoding = "gzip" if encode is gzip_compress else "deflate"

    assert decode(encode(content), encoding, LIMIT) == content


@pytest.mark.parametrize("encode", [gzip_compress, zlib.compress, bare])
@pytest.mark.parametrize(
    "size",
    [PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, 3 * PIECE_BYTES + 7],
)
@pytest.mark.parametrize("make", [bytes, os.urandom])
def test_a_body_of_several_pieces_is_decoded(encode, size, make):
    content = make(size)
    encoding = "gzip" if encode is gzip_compress else "deflate"

    assert decode(encode(content), encoding, LIMIT) == content


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity", "gzip, deflate"])
def test_an_empty_body_stays_empty(encoding):
    assert decode(b"", encoding, LIMIT) == b""


@pytest.mark.parametrize(
    ("encoding", "body", "says"),
    [
        ("gzip", TEXT, "the gzip data cannot be decoded: incorrect header check"),
        ("deflate", TEXT, "the deflate data cannot be decoded: "),
        ("gzip", zlib.compress(TEXT), "the gzip data cannot be decoded: "),
        ("deflate", gzip_compress(TEXT), "the deflate data cannot be decoded: "),
        ("gzip", gzip_compress(TEXT)[:-1], "the body was cut off"),
        ("gzip", gzip_compress(TEXT)[:20], "the body was cut off"),
        ("gzip", b"\x1f", "the body was cut off"),
        ("deflate", zlib.compress(TEXT)[:-1], "the body was cut off"),
        ("deflate", bare(TEXT)[:-1], "the body was cut off"),
        ("deflate", b"\x78", "the body was cut off"),
        ("gzip", gzip_compress(TEXT)[:-8] + bytes(8), "incorrect data check"),
        ("gzip", gzip_compress(TEXT) + b"\n", "bytes that are not gzip follow its gzip data"),
        ("gzip", gzip_compress(TEXT) + bytes(600), "bytes that are not gzip follow"),
        ("gzip", gzip_compress(TEXT) + TEXT, "bytes that are not gzip follow"),
        ("gzip", gzip_compress(TEXT) + gzip_compress(TEXT)[:-5], "the body was cut off"),
        ("deflate", zlib.compress(TEXT) * 2, "bytes that are not deflate follow"),
        ("deflate", bare(TEXT) + b"\n", "bytes that are not deflate follow"),
        ("gzip, gzip", gzip_compress(TEXT), "the gzip data cannot be decoded: "),
        ("gzip, gzip", gzip_compress(gzip_compress(TEXT)[:-3]), "the body was cut off"),
        ("gzip, gzip", gzip_compress(gzip_compress(TEXT))[:-3], "the body was cut off"),
    ],
)
def test_what_cannot_be_decoded_is_refused_in_plain_words(encoding, body, says):
    with pytest.raises(errors.Malformed) as caught:
        decode(body, encoding, LIMIT)

    assert says in caught.value.detail
    assert caught.value.detail.startswith("body: ")
    for word in ("Error", "decompress", "zlib"):
        assert word not in caught.value.detail


@pytest.mark.parametrize(
    ("encoding", "says"),
    [
        ("br", 'the content encoding "br" is unknown; send gzip, deflate'),
        ("gzip, br", '"br" is unknown'),
        ("gzip;q=1", '"gzip;q=1" is unknown'),
        ("x" * 1000, "is unknown"),
        (", ".join(["gzip"] * 4), "it is encoded 4 times; at most 3 are read"),
    ],
)
def test_an_unknown_coding_is_refused_with_those_that_are_known(encoding, says):
    with pytest.raises(errors.Unsupported) as caught:
        Decoder(encoding, LIMIT)

    assert says in caught.value.detail
    assert len(caught.value.detail) < 200
    assert caught.value.extra == {"field": "body", "encodings": ", ".join(HTTP_CODINGS)}


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip_compress(bytes(LIMIT + 1))),
        ("gzip", gzip_compress(bytes(LIMIT)) + gzip_compress(b"0")),
        ("gzip", gzip_compress(bytes(100 * LIMIT))),
        ("deflate", zlib.compress(bytes(100 * LIMIT))),
        ("deflate", bare(bytes(100 * LIMIT))),
        ("gzip, gzip", gzip_compress(gzip_compress(bytes(100 * LIMIT)))),
        # The outer coding is a bomb of empty members, which decode to nothing.
        ("gzip, deflate", zlib.compress(gzip_compress(b"") * (2 * LIMIT // 20))),
        ("identity", bytes(LIMIT + 1)),
    ],
)
def test_a_bomb_ends_at_the_limit_and_takes_no_memory(encoding, body):
    decoder = Decoder(encoding, LIMIT)
    sizes = []

    tracemalloc.start()
    with pytest.raises(errors.TooLarge) as caught:
        sizes.extend(map(len, decoder.feed(body)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert caught.value.detail == f"body: over the limit of {LIMIT} bytes when decoded"
    assert caught.value.extra == {"field": "body", "limit": LIMIT}
    assert max(sizes, default=0) <= PIECE_BYTES
    assert sum(sizes) <= LIMIT
    assert peak < 8 * PIECE_BYTES


def test_a_body_as_long_as_the_limit_is_decoded():
    assert decode(gzip_compress(bytes(LIMIT)), "gzip", LIMIT) == bytes(LIMIT)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="zstd came with Python 3.14")
def test_zstd_is_decoded_where_python_has_it():
    from compression import zstd

    body = zstd.compress(TEXT)
    frames = zstd.compress(TEXT[:100]) + zstd.compress(TEXT[100:])
    wide = zstd.compress(bytes(9_000_000), options={zstd.CompressionParameter.window_log: 24})

    assert decode(body, "zstd", LIMIT) == decode(frames, "zstd", LIMIT) == TEXT
    assert decode(gzip_compress(body), "zstd, gzip", LIMIT) == TEXT
    assert decode(zstd.compress(bytes(LIMIT)), "zstd", LIMIT) == bytes(LIMIT)
    with pytest.raises(errors.TooLarge):
        decode(zstd.compress(bytes(100 * LIMIT)), "zstd", LIMIT)
    for broken in (body[:-1], body + b"\n", body + TEXT, TEXT, wide):
        with pytest.raises(errors.Malformed):
            decode(broken, "zstd", 100 * LIMIT)
