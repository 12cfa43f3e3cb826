import asyncio

import pytest
from starlette.exceptions import HTTPException

from app.producer.admission import AdmissionControl
from app.producer.callers.caller_shares import UNBOUNDED, CallerShares
from app.producer.middleware.body_limit import BodyLimit
from app.producer.middleware.body_rules import BodyRule, BodyRules

RULES = BodyRules(
    BodyRule(10, 20.0),
    (
        ("/datasets/", "", BodyRule(20, 20.0, 1000.0, held=False)),
        ("/models/", "multipart/", BodyRule(30, 20.0, 1000.0, held=False)),
    ),
)


def message(body, more=True):
    return {"type": "http.request", "body": body, "more_body": more}


LARGE = BodyRules(BodyRule(9000, 1.0))


def received(
    chunks, rules=RULES, path="/train", length=None, kind="http", memory=None, shares=UNBOUNDED
):
    """What an application reads, which may read 10 bytes in all."""
    messages = [*map(message, chunks), message(b"", more=False)]
    read = []

    async def application(scope, receive, send):
        while (message := await receive()).get("more_body"):
            read.append(message["body"])

    async def receive():
        return messages.pop(0)

    headers = [] if length is None else [(b"content-length", str(length).encode())]
    scope = {"type": kind, "path": path, "headers": headers}
    limited = BodyLimit(application, rules, memory or AdmissionControl(1, 10**6), shares)
    try:
        asyncio.run(limited(scope, receive, None))
    except HTTPException as error:
        return read, error
    return read, None


@pytest.mark.parametrize("chunks", [[], [b"x" * 10], [b"x" * 5, b"x" * 5], [b"x"] * 10])
@pytest.mark.parametrize("announces", [True, False])
def test_a_body_within_the_limit_arrives(chunks, announces):
    length = sum(map(len, chunks)) if announces else None

    assert received(chunks, length=length) == (chunks, None)


def test_a_body_that_announces_too_much_is_refused_before_it_is_read():
    read, error = received([b"x"], length=11)

    assert error.status_code == 413
    assert error.detail == "body: over the limit of 10 bytes"
    assert read == []


@pytest.mark.parametrize("announced", [None, 5, "many", "-1", "²"])
def test_a_body_that_is_longer_than_it_says_is_refused_where_it_goes_over(announced):
    read, error = received([b"x" * 6, b"x" * 5, b"x"], length=announced)

    assert error.status_code == 413
    assert read == [b"x" * 6]


def test_a_path_may_have_a_limit_of_its_own():
    assert received([b"x" * 20], path="/datasets/d", length=20)[1] is None
    assert received([b"x" * 21], path="/datasets/d")[1].status_code == 413
    assert received([b"x" * 21], path="/datasets/d", length=21)[1].status_code == 413
    assert received([b"x" * 20], path="/datasets")[1].status_code == 413
    assert received([b"x" * 20], path="/models/m")[1].status_code == 413


def read_slowly(rule, *pauses):
    """The bytes of 10 that an application has read; each comes after a pause, the last is short."""
    coming = list(pauses)
    seen = []

    async def application(scope, receive, send):
        more = True
        while more:
            seen.append(await receive())
            more = seen[-1]["more_body"]
            await asyncio.sleep(0.02)  # what the application does itself is not the client's fault

    async def receive():
        await asyncio.sleep(coming.pop(0))
        return message(b"x" * 10, more=bool(coming))

    limited = BodyLimit(application, BodyRules(rule), AdmissionControl(1, 1000))
    asyncio.run(limited({"type": "http", "path": "/", "headers": []}, receive, None))
    return len(seen) * 10


IN_ALL = BodyRule(1000, 0.1)
WITH_A_RATE = BodyRule(1000, 0.1, 100.0)


@pytest.mark.parametrize(
    ("rule", "pauses"),
    [
        (IN_ALL, [0.0] * 10),
        (WITH_A_RATE, [0.0] * 10),
        (BodyRule(1000, 1.0, 100.0), [0.08] * 16),  # longer than a second in all
    ],
)
def test_a_body_that_comes_in_time_is_read(rule, pauses):
    assert read_slowly(rule, *pauses) == 10 * len(pauses)


@pytest.mark.parametrize(
    ("rule", "pauses", "said"),
    [
        (IN_ALL, [30], "body: it did not arrive within 0.1 s"),
        (IN_ALL, [0.04] * 8, "body: it did not arrive within 0.1 s"),
        (WITH_A_RATE, [0, 0, 0, 0, 30], "body: nothing came for 0.1 s, or less than 100 bytes"),
        (BodyRule(1000, 0.1, 1e9), [0.04] * 8, "body: nothing came for 0.1 s, or less than 1e+09"),
    ],
)
def test_a_body_that_comes_too_slowly_is_refused(rule, pauses, said):
    with pytest.raises(HTTPException) as caught:
        read_slowly(rule, *pauses)

    assert caught.value.status_code == 408
    assert caught.value.headers == {"Connection": "close"}
    assert caught.value.detail.startswith(said)


def test_nothing_has_to_come_after_the_whole_body():
    messages = [message(b"x", more=False), {"type": "http.disconnect"}]
    seen = []

    async def application(scope, receive, send):
        seen.extend([await receive(), await receive()])

    async def receive():
        if len(messages) == 1:
            await asyncio.sleep(0.2)
        return messages.pop(0)

    limited = BodyLimit(application, BodyRules(BodyRule(10, 0.05)), AdmissionControl(1, 1000))
    asyncio.run(limited({"type": "http", "path": "/", "headers": []}, receive, None))
    assert seen[1]["type"] == "http.disconnect"


def test_what_is_no_request_passes():
    assert received([b"x" * 100], kind="lifespan") == ([b"x" * 100], None)


@pytest.mark.parametrize("length", [None, 8000])
def test_a_body_for_which_no_memory_is_left_is_refused(length):
    memory = AdmissionControl(1, 10_000)
    piece = b"x" * 4000
    with memory.admit() as take:
        take(3000)
        read, error = received([piece, piece], LARGE, length=length, memory=memory)

    assert error.status_code == 503
    assert error.detail == "Too many requests arrive at a time; ask again in a moment."
    assert read == ([] if length else [piece])


@pytest.mark.parametrize("chunks", [[b"x" * 7], [b"x" * 3, b"x" * 4], [b"x" * 3, b"x" * 8]])
def test_a_request_gives_back_the_memory_of_its_body(chunks):
    memory = AdmissionControl(1, 10)

    for _ in range(3):
        received(chunks, memory=memory)

    memory.take_arriving(7)
    memory.take(3)


def test_what_has_come_of_an_announced_body_needs_no_more_room():
    memory = AdmissionControl(1, 12)  # of which 9 bytes are for bodies that arrive
    assert received([b"x" * 4, b"x" * 4], length=8, memory=memory) == ([b"x" * 4, b"x" * 4], None)


def test_what_is_not_held_in_memory_takes_none():
    assert received([b"x" * 20], path="/datasets/d", memory=AdmissionControl(1, 0))[1] is None


def test_a_body_is_counted_for_its_caller_when_it_is_announced():
    rules = BodyRules(BodyRule(10_000, 20.0))
    shares = CallerShares("bytes", 10_000)
    with shares.hold("local", 5000):
        read, error = received([b"x"], rules, length=6000, shares=shares)
        assert (read, error.status_code) == ([], 429)  # refused before it is read
        assert received([b"x" * 5000], rules, length=5000, shares=shares)[1] is None
        assert received([b"x"] * 5, rules, length=4096, shares=shares)[1] is None  # small
    assert received([b"x" * 10_000], rules, length=10_000, shares=shares)[1] is None
