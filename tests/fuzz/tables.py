"""Uploads of data sets in every form, whole and damaged."""

import gzip
import io
from functools import cache
from random import Random

import pandas as pd

from tests.fuzz.bodies import damage
from tests.fuzz.uploads import BOUNDARY

CSV = "size,colour,price\n1.5,red,10\n2.5,blue,14\n3.0,grün,18\n4.5,,23\n5.0,blue,24\n"
QUERIES = [
    *("", "", "", "?delimiter=semicolon", "?delimiter=%09", "?delimiter=", "?delimiter=xx"),
    *("?decimal=comma", "?decimal=,&thousands=.", "?thousands=comma&decimal=comma", "?index=true"),
    *("?encoding=windows-1252", "?encoding=utf-16", "?encoding=UTF-8", "?encoding=x", "?index=x"),
]
PARQUET = b"application/vnd.apache.parquet"
TYPES = [
    *(b"text/csv", b"text/csv; charset=windows-1252", b"text/csv; charset=iso-8859-1"),
    *(b"text/tab-separated-values", b"application/gzip", b"application/octet-stream", PARQUET),
    *(b"application/vnd.apache.arrow.file", b"application/vnd.apache.arrow.stream"),
]
FORM = b"multipart/form-data; boundary="


@cache
def binary(kind: str) -> bytes:
    """Return the table as Parquet or Arrow."""
    frame, file = pd.read_csv(io.StringIO(CSV)), io.BytesIO()
    frame.to_parquet(file) if kind == "parquet" else frame.to_feather(file)
    return file.getvalue()


def text(rng: Random) -> bytes:
    """Return the table as a CSV of some dialect."""
    written = CSV
    if rng.random() < 0.3:
        written = written.replace(".", ",").replace(",", ";", 2)
    written = written.replace(",", rng.choice((",", ";", "\t", "|", "\0", " ")))
    written = written.replace("\n", rng.choice(("\n", "\r\n", "\r")))
    written = rng.choice(("", "", "\ufeff", "sep=;\n", "sep=:\n", ",", '"')) + written
    if rng.random() < 0.1:
        written *= rng.choice((50, 5000))
    encoding = rng.choice(("utf-8", "utf-8", "utf-16", "utf-16-le", "cp1252", "utf-32"))
    return written.encode(encoding, errors="replace")


def table(rng: Random) -> tuple[bytes, bytes, str]:
    """Return the body of an upload, its media type, and its query."""
    body = binary(rng.choice(("parquet", "arrow"))) if rng.random() < 0.1 else text(rng)
    if rng.random() < 0.4:
        body = gzip.compress(body, mtime=0)
    if rng.random() < 0.4:
        body = damage(rng, body)
    kind = rng.choice(TYPES)
    if rng.random() < 0.3:
        head = b'--%s\r\nContent-Disposition: form-data; name="f"\r\nContent-Type: %s\r\n\r\n'
        part = head % (BOUNDARY, kind) + body + b"\r\n"
        body = part * rng.choice((1, 1, 1, 2)) + b"--" + BOUNDARY + b"--\r\n"
        body = damage(rng, body) if rng.random() < 0.2 else body
        kind = FORM + rng.choice((BOUNDARY, BOUNDARY, BOUNDARY, b"", b"x" * 5000, b'"', b"\xff"))
    return body, kind, rng.choice(QUERIES)
