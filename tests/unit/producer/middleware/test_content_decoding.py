import asyncio
import functools
import gzip
import tracemalloc
import zlib

import pytest
from starlette.exceptions import HTTPException

from app import errors
from app.producer.admission import AdmissionControl
from app.producer.middleware.body_rules import BodyRule, BodyRules
from app.producer.middleware.content_decoding import ContentDecoding
from app.protocol.content_encoding import HTTP_CODINGS, PIECE_BYTES

gzipped = functools.partial(gzip.compress, mtime=0)
TEXT = b"some text " * 20
LIMIT = 1000
RULES = BodyRules(
    BodyRule(LIMIT, 60.0), (("/datasets/", "", BodyRule(100_000_000, 60.0, held=False)),)
)


def received(*messages, headers=(), path="/train", kind="http", method="POST", memory=None):
    """The headers and messages that an application sees; data sets may have 100 MB."""
    coming = [*messages]
    seen = []

    async def application(scope, receive, send):
        seen.append(scope)
        while coming or seen[-1].get("more_body"):
            seen.append(await receive())

    async def receive():
        return coming.pop(0)

    scope = {"type": kind, "method": method, "path": path, "headers": list(headers)}
    decoding = ContentDecoding(application, RULES, memory or AdmissionControl(1, 10 * LIMIT))
    asyncio.run(decoding(scope, receive, None))
    return seen[0], seen[1:]


def request(body, more=False):
    return {"type": "http.request", "body": body, "more_body": more}


def coded(*names):
    return [(b"content-encoding", name) for name in names or (b"gzip",)]


@pytest.mark.parametrize(
    ("kind", "method", "headers"),
    [
        ("http", "POST", []),
        ("lifespan", "POST", coded()),
        ("http", "GET", coded(b"br")),
        ("http", "DELETE", coded()),
    ],
)
def test_what_is_not_encoded_or_not_read_passes_untouched(kind, method, headers):
    headers = [(b"content-length", b"1"), *headers]

    scope, seen = received(request(b"x"), headers=headers, kind=kind, method=method)

    assert scope["headers"] == headers
    assert seen == [request(b"x")]


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (coded(), gzipped(TEXT)),
        (coded(b"deflate,gzip"), gzipped(zlib.compress(TEXT))),
        (coded(b"deflate", b"gzip"), gzipped(zlib.compress(TEXT))),
        (coded(b"identity"), TEXT),
    ],
)
def test_a_body_is_decoded_and_its_headers_are_true_again(size, headers, body):
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    messages = [*(request(chunk, more=True) for chunk in chunks), request(b"")]

    scope, seen = received(*messages, headers=[(b"content-length", b"9"), (b"a", b"b"), *headers])

    assert scope["headers"] == [(b"a", b"b")]
    assert b"".join(each["body"] for each in seen) == TEXT
    assert [each["more_body"] for each in seen] == [True] * (len(seen) - 1) + [False]
    assert all(each["body"] for each in seen[:-1])


def test_what_follows_the_body_passes():
    gone = {"type": "http.disconnect"}

    _, seen = received(request(gzipped(TEXT)), gone, headers=coded())

    assert seen == [request(TEXT, more=True), request(b""), gone]


def test_a_client_that_leaves_is_seen_to_leave():
    gone = {"type": "http.disconnect"}

    _, seen = received(request(b"\x1f", more=True), gone, headers=coded())

    assert seen == [gone]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{}", 422, "body: the gzip data cannot be decoded: incorrect header check"),
        (gzipped(TEXT)[:-1], 422, "the body was cut off"),
        (gzipped(bytes(LIMIT + 1)), 413, f"body: over the limit of {LIMIT} bytes when deco"),
    ],
)
def test_a_body_that_cannot_be_decoded_is_refused_where_it_is_read(body, status, says):
    with pytest.raises(HTTPException) as caught:
        received(request(body), headers=coded())

    assert caught.value.status_code == status
    assert says in caught.value.detail


def test_an_unknown_coding_is_refused_before_anything_is_read():
    with pytest.raises(errors.Unsupported) as caught:
        received(headers=coded(b"gzip, br"))

    assert caught.value.extra["encodings"] == ", ".join(HTTP_CODINGS)


def test_a_path_may_have_a_limit_of_its_own():
    body = gzipped(bytes(2 * LIMIT))

    _, seen = received(request(body), headers=coded(), path="/datasets/d")

    assert sum(len(each["body"]) for each in seen) == 2 * LIMIT


def test_a_long_body_is_never_in_memory_as_a_whole_and_lets_other_requests_go_on():
    body = gzipped(bytes(50_000_000))
    turns = 0

    async def application(scope, receive, send):
        size = 0
        while (message := await receive())["more_body"]:
            size += len(message["body"])
        assert size == 50_000_000

    async def receive():
        return request(body)

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def both():
        going = asyncio.create_task(other())
        scope = {"type": "http", "method": "PUT", "path": "/datasets/d", "headers": coded()}
        await ContentDecoding(application, RULES, AdmissionControl(1, 0))(scope, receive, None)
        going.cancel()

    tracemalloc.start()
    asyncio.run(both())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 8 * PIECE_BYTES
    assert turns >= 50_000_000 // PIECE_BYTES


def test_decoded_bytes_count_in_the_memory_of_bodies_and_are_given_back():
    memory = AdmissionControl(1, 2 * len(TEXT))
    memory.take(len(TEXT) + 1)

    with pytest.raises(HTTPException) as caught:
        received(request(gzipped(TEXT)), headers=coded(), memory=memory)
    assert caught.value.status_code == 503

    memory.give_back(len(TEXT) + 1)
    for _ in range(3):
        received(request(gzipped(TEXT)), headers=coded(), memory=memory)
    memory.take(2 * len(TEXT))


def test_a_decoded_body_that_is_complete_leaves_the_room_of_those_that_arrive():
    memory = AdmissionControl(1, 4 * len(TEXT))  # three quarters for those that arrive
    fitted = []

    async def application(scope, receive, send):
        while (await receive())["more_body"]:
            fitted.append(memory.fits(3 * len(TEXT)))
        fitted.append(memory.fits(3 * len(TEXT)))

    async def receive():
        return request(gzipped(TEXT))

    scope = {"type": "http", "method": "POST", "path": "/train", "headers": coded()}
    asyncio.run(ContentDecoding(application, RULES, memory)(scope, receive, None))

    assert fitted == [False, True]
    assert memory.fits(3 * len(TEXT))
    memory.take(4 * len(TEXT))
