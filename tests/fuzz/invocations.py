"""Calls as SageMaker's and MLflow's clients make them: rows in many forms, with faults in them."""

import csv
import io
from random import Random
from typing import Any

from app.protocol.types import MAX_ROWS
from devstack.demo import ROW
from tests.fuzz import serving
from tests.fuzz.bodies import PLAIN, body, damage, write

ACCEPTS = (
    *(b"application/json", b"text/csv", b"application/jsonlines", b"application/x-ndjson", b"*/*"),
    *(b"text/*;q=0.5, application/json;q=0.4", b"text/csv;q=0", b"application/x-npy", b"*;q=.2"),
    *(b'a/b;c="d,e", text/csv', b"text/csv;q=nan", b",,;q=1,/", b"text/csv" * 500),
)
LINES = (b"application/jsonlines", b"application/jsonl", b"application/x-ndjson; charset=utf-8")
SHEETS = (
    *(b"text/csv", b"text/csv", b"text/csv; header=present", b"text/csv; header=absent"),
    *(b"text/csv; header=no", b"text/csv; charset=utf-8", b"text/csv; charset=utf-16"),
)
CELLS = ("", " ", "NA", "nan", "1e999", "1_0", "٣", '"', "a,b", "a\r\nb", "\0", "true", "-", "0x1")

Json = Any


def table(rng: Random) -> tuple[list[str], list[list[Json]]]:
    """Return names and rows, which seldom fit a model."""
    names: list[str] = list(ROW) if rng.random() < 0.7 else rng.choice((["a", "b"], ["0", "1"], []))
    count = rng.choices((1, 2, 20, MAX_ROWS + 1, 0), (50, 50, 50, 1, 5))[0]
    row: list[Json] = [ROW.get(name, 1) for name in names]
    rows = [list(row) for _ in range(count)]
    if rows and rng.random() < 0.4:
        some = rng.choice(rows)
        some[rng.randrange(len(some) + 1) :] = [rng.choice(PLAIN)] * rng.choice((0, 1, 1, 2))
    if rng.random() < 0.1:
        names = [*names, rng.choice(("", "age", "AGE", "a\u0301"))]
    return names, rows


def wrapped(rng: Random) -> Json:
    """Return rows in JSON."""
    names, rows = table(rng)
    records = [dict(zip(names, row, strict=False)) for row in rows]
    split = {"columns": names, "data": rows}
    seed: Json = rng.choice(
        (
            *({"instances": rows}, {"instances": records}, {"inputs": rows}, {"inputs": records}),
            {"instances": [{"features": row} for row in rows]},
            {"instances": [{"data": {"features": {"values": row}}} for row in rows]},
            {"inputs": {name: [row[0] for row in rows if row] for name in names}},
            *({"dataframe_records": records}, {"dataframe_split": split}, split),
            *(rows, rows[0] if rows else [], {"input_data": rows}, records),
        )
    )
    if isinstance(seed, dict) and rng.random() < 0.2:
        seed["model_id"] = rng.choice(serving.NAMES)
    return seed


def sheet(rng: Random) -> bytes:
    """Return a CSV."""
    names, rows = table(rng)
    written = io.StringIO()
    writer = csv.writer(written, lineterminator=rng.choice(("\n", "\r\n", "\r")))
    if rng.random() < 0.5:
        writer.writerow(names)
    if rows and rng.random() < 0.3:
        some = rng.choice(rows)
        some[rng.randrange(len(some) + 1) :] = [rng.choice(CELLS)]
    writer.writerows(rows)
    content = written.getvalue().encode(errors="replace")
    content = (
        rng.choice((b"", b"", b"\xef\xbb\xbf")) + content + rng.choice((b"", b"\n \r\n", b'"'))
    )
    return damage(rng, content) if content and rng.random() < 0.3 else content


def lines(rng: Random) -> bytes:
    """Return JSON lines."""
    names, rows = table(rng)
    texts = [
        write(rng.choice((row, dict(zip(names, row, strict=False)), {"features": row})))
        for row in rows
    ]
    if texts and rng.random() < 0.2:
        texts.insert(rng.randrange(len(texts)), rng.choice(("", " ", "{", "1", "null", '"a"')))
    content = rng.choice(("\n", "\r\n")).join(texts).encode(errors="replace")
    return damage(rng, content) if content and rng.random() < 0.3 else content


def invocation(rng: Random) -> tuple[bytes, bytes, bytes | None]:
    """Return the body of a call, its type and what it accepts."""
    accept = rng.choice(ACCEPTS) if rng.random() < 0.5 else None
    kind = rng.random()
    if kind < 0.15:
        kinds = (b"image/png", b"image/jpeg", b"application/x-image")
        return serving.image(rng), rng.choice(kinds), accept
    if kind < 0.3:
        return serving.one(rng), b"application/json", accept
    if kind < 0.4:
        row = rng.choice((ROW, [ROW, ROW], {"a": 1, "b": 2}))
        return body(rng, row, 0.4), b"application/json", accept
    if kind < 0.65:
        return body(rng, wrapped(rng), 0.6), b"application/json", accept
    if kind < 0.85:
        return sheet(rng), rng.choice(SHEETS), accept
    return lines(rng), rng.choice(LINES), accept
