"""Bodies as curl sends them: compressed, after a byte order mark, by other media types."""

import functools
import gzip
import json
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.protocol.content_encoding import HTTP_CODINGS
from devstack.demo import ROW, TRAIN
from tests.support import tiny
from tests.system.conftest import Running
from tests.system.support.client import upload
from tests.system.support.programs import program

PLAIN_HTTP = True  # it speaks HTTP by itself

HOST = "models.example.com"
SETTINGS = {"MAX_DATASET": "50000000", "MAX_MODEL": "50000000", "INVOKE_HOSTS": HOST}

gzipped = functools.partial(gzip.compress, mtime=0)


def bare(content: bytes) -> bytes:
    """Compress without zlib's header."""
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflate.compress(content) + deflate.flush()


def form() -> bytes:
    """Return the form of an ONNX file, between boundaries of "b"."""
    manifest = json.dumps(tiny.ROWS).encode()
    parts = [(b'name="manifest"', manifest), (b'name="model"; filename="m"', tiny.sums())]
    head = b"--b\r\nContent-Disposition: form-data; "
    return b"".join(head + b"%s\r\n\r\n%s\r\n" % part for part in parts) + b"--b--\r\n"


Answer = tuple[int, dict[str, str], dict[str, Any]]
Curl = Callable[..., Answer]


@pytest.fixture
def curl(running: Running, tmp_path: Path) -> Curl:
    """Return a function that sends a body by curl; it returns the status, headers and JSON."""
    base, sent, headers = running.http.base_url, tmp_path / "body", tmp_path / "headers"

    def send(method: str, path: str, body: bytes, kind: str | None = None, **more: str) -> Answer:
        sent.write_bytes(body)
        options = [f"-H{name}: {value}" for name, value in more.items()]
        if kind is not None:
            options.append(f"-HContent-Type: {kind}")
        options += ["-sS", "--noproxy", "*", "-X", method, "--data-binary", f"@{sent}"]
        url = f"{base}".rstrip("/") + path
        done = subprocess.run([program("curl"), "-D", headers, *options, url], capture_output=True)
        assert not done.returncode, done.stderr
        final = headers.read_text().strip().split("\n\n")[-1]  # after a 100 (Continue)
        first, *lines = final.splitlines()
        fields = dict(line.lower().split(": ", 1) for line in lines)
        return int(first.split()[1]), fields, json.loads(done.stdout)

    return send


MODEL = "MODEL"  # stands for the id of the reference model
JSON = "application/json"
ASKED = {"model_id": MODEL, "input_data": ROW}
CSV = b"a,b,c\n" + b"1.5,2,x\n2.5,3,y\n" * 50

# Every door that takes a body: method, path, media type, body and the status of success.
DOORS = [
    ("POST", "/train", JSON, {**TRAIN, "estimator": "ridge"}, 202),
    ("POST", "/predict", JSON, ASKED, 200),
    ("POST", "/predict/parallel", JSON, {"model_ids": [MODEL], "input_data": ROW}, 200),
    ("POST", "/predict/async", JSON, ASKED, 202),
    (
        *("POST", "/predict/sync_async", JSON),
        {"sync_model_id": MODEL, "async_model_id": MODEL, "input_data": ROW},
        200,
    ),
    ("POST", "/invocations", JSON, ASKED, 200),
    ("PUT", "/datasets/d", "text/csv", CSV, 201),
    ("PUT", "/models/sums", "multipart/form-data; boundary=b", form(), 201),
    ("PUT", "/models/far", JSON, {"kind": "endpoint", "url": f"http://{HOST}/"}, 201),
]
IDS = [door[1] for door in DOORS]
LINES = b"1,2\n" * 15_000_000  # 60 MB
ENCODINGS: list[tuple[str, Callable[[bytes], bytes]]] = [
    ("gzip", gzipped),
    ("deflate", zlib.compress),
    ("deflate", bare),
    ("deflate, gzip", lambda body: gzipped(zlib.compress(body))),
]


def written(body: Any, model_id: str) -> bytes:
    """Return the bytes of a body."""
    if isinstance(body, bytes):
        return body
    return json.dumps(body).replace(MODEL, model_id).encode()


@pytest.mark.parametrize(("method", "path", "kind", "body", "status"), DOORS, ids=IDS)
@pytest.mark.parametrize(("encoding", "encode"), ENCODINGS, ids=["gzip", "zlib", "bare", "both"])
def test_every_door_takes_compressed_bodies(
    method: str,
    path: str,
    kind: str,
    body: Any,
    status: int,
    encoding: str,
    encode: Callable[[bytes], bytes],
    curl: Curl,
    model_id: str,
) -> None:
    plain = written(body, model_id)

    answer = curl(method, path, encode(plain), kind, **{"Content-Encoding": encoding})

    # A model that was registered before is there already.
    assert answer[0] == status or (status, answer[0]) == (201, 200), answer
    if path == "/datasets/d":
        assert (answer[2]["rows"], answer[2]["size"]) == (100, len(plain))


@pytest.mark.parametrize(("method", "path", "kind", "body", "status"), DOORS, ids=IDS)
def test_every_door_says_why_it_does_not_take_a_body(
    method: str, path: str, kind: str, body: Any, status: int, curl: Curl, model_id: str
) -> None:
    plain = written(body, model_id)
    whole, bomb = gzipped(plain), gzipped(plain.removesuffix(b"\r\n--b--\r\n") + LINES)

    for encoding, sent, status, says in [
        ("br", b"x", 415, 'the content encoding "br" is unknown; send gzip, deflate'),
        ("gzip", whole[:-9], 422, "the body was cut off"),
        ("gzip", plain, 422, "the gzip data cannot be decoded"),
        ("gzip", whole + b"x", 422, "bytes that are not gzip follow its gzip data"),
        ("gzip", bomb, 413, "over the limit of"),
    ]:
        seen, headers, problem = curl(method, path, sent, kind, **{"Content-Encoding": encoding})
        assert (seen, problem["field"]) == (status, "body"), problem
        assert says in problem["detail"]
        assert headers.get("accept-encoding") == (
            ", ".join(HTTP_CODINGS) if status == 415 else None
        )


@pytest.mark.parametrize(
    ("method", "path", "kind", "body", "status"),
    [door for door in DOORS if door[2] == JSON or door[1].startswith("/datasets")],
)
def test_a_byte_order_mark_may_come_first(
    method: str, path: str, kind: str, body: Any, status: int, curl: Curl, model_id: str
) -> None:
    plain = "\ufeff".encode() + written(body, model_id)

    answer = curl(method, path, plain, kind)

    assert answer[0] == status or (status, answer[0]) == (201, 200), answer


@pytest.mark.parametrize(
    "kind",
    [None, "text/csv; charset=utf-8", "TEXT/CSV;header=present", "application/octet-stream"],
)
def test_a_data_set_may_have_these_types(kind: str | None, curl: Curl) -> None:
    status, _, stored = curl("PUT", "/datasets/typed", CSV, kind)  # without one: curl's own

    assert status in (200, 201)
    assert (stored["columns"], stored["rows"]) == (["a", "b", "c"], 100)


def test_a_data_set_of_another_type_is_refused_with_the_right_one(curl: Curl) -> None:
    status, headers, problem = curl("PUT", "/datasets/typed", CSV, "application/json")

    assert (status, problem["type"]) == (415, "unsupported")
    assert headers["accept"] == (
        "text/csv, application/gzip, application/vnd.apache.parquet, "
        "application/vnd.apache.arrow.file, application/vnd.apache.arrow.stream, "
        "multipart/form-data"
    )
    assert "send CSV" in problem["detail"]


@pytest.mark.parametrize("rows", [10, 2_000_000], ids=["one request to S3", "several"])
@pytest.mark.parametrize("end", [b"1,2,3\n", b'"1,2\n', b"1,\xff\n"])
def test_a_refused_upload_leaves_the_data_set_as_it_was(
    rows: int, end: bytes, running: Running, curl: Curl
) -> None:
    upload(running.http, "kept", "a,b\n1,2\n3,4\n")
    before = running.http.get("/datasets").json()

    status, _, problem = curl("PUT", "/datasets/kept", b"a,b\n" + b"1234,56\n" * rows + end)

    assert status == 422
    assert f"line {rows + 2} " in problem["detail"]
    assert running.http.get("/datasets").json() == before


def test_what_is_probably_a_mistake_is_told_with_the_answer(curl: Curl) -> None:
    status, _, stored = curl("PUT", "/datasets/blanks", b"a, b\n1,2\n3\n")

    assert (status, stored["columns"]) == (201, ["a", " b"])
    names, rows = stored["warnings"]
    assert "blanks" in names
    assert "line 3" in rows


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of the memory from /proc")
def test_a_bomb_takes_no_memory(running: Running, curl: Curl) -> None:
    curl("PUT", "/datasets/b", gzipped(CSV * 1000), "text/csv", **{"Content-Encoding": "gzip"})
    before = running.producer.peak()

    answer = curl(
        "PUT", "/datasets/b", gzipped(CSV + LINES), "text/csv", **{"Content-Encoding": "gzip"}
    )

    assert answer[0] == 413
    assert running.producer.peak() - before < 40_000_000  # S3's client sends parts of 8 MiB
    assert running.http.get("/health").status_code == 200
