"""Compressed bodies, as their Content-Encoding says and not."""

import functools
import gzip
import zlib
from collections.abc import Callable
from random import Random

from tests.fuzz.bodies import damage

gzipped = functools.partial(gzip.compress, mtime=0)


def bare(body: bytes) -> bytes:
    """Compress without zlib's header, as some clients do."""
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(body) + deflate.flush()


TRUE: list[tuple[bytes, Callable[[bytes], bytes]]] = [
    *((name, gzipped) for name in (b"gzip", b"x-gzip", b"GZIP", b"identity, gzip", b",gzip ,")),
    *((b"deflate", encode) for encode in (zlib.compress, bare)),
    (b"gzip, deflate", lambda body: zlib.compress(gzipped(body))),
    (b"gzip", lambda body: gzipped(body[:9]) + gzipped(b"") + gzipped(body[9:])),
    (b"identity", bytes),
]
UNTRUE: list[tuple[bytes, Callable[[bytes], bytes]]] = [
    *((name, bytes) for name in (b"gzip", b"deflate", b"br", b"zstd", b"", b"\xff", b"gzip;q=1")),
    *((name, gzipped) for name in (b"deflate", b"gzip, gzip", b"deflate, gzip", b"compress")),
    (b"gzip, " * 50 + b"gzip", gzipped),
    (b"gzip", lambda body: gzipped(body) + body),
    (b"gzip", lambda body: gzipped(body + bytes(5_000_000))),
    (b"gzip, gzip", lambda body: gzipped(gzipped(body + bytes(50_000_000)))),
    (b"deflate, gzip", lambda _: gzipped(b"") * 5000),
]


def encode(rng: Random, body: bytes) -> tuple[bytes, bytes]:
    """Return a Content-Encoding, and a body that often has it."""
    kind = rng.random()
    name, compress = rng.choice(TRUE if kind < 0.8 else UNTRUE)
    encoded = compress(body)
    return name, damage(rng, encoded) if kind < 0.2 else encoded
