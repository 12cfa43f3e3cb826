import asyncio

import pytest
from starlette.exceptions import HTTPException

from app import errors
from app.producer.admission import AdmissionControl
from app.producer.middleware.body_limit import BodyLimit


def received(chunks, path="/train", length=None, kind="http"):
    """What an application reads behind a limit of 10 bytes, 20 for data sets, none for models."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    read = []

    async def application(scope, receive, send):
        while (message := await receive()).get("more_body"):
            read.append(message["body"])

    async def receive():
        return messages.pop(0)

    headers = [] if length is None else [(b"content-length", str(length).encode())]
    scope = {"type": kind, "path": path, "headers": headers}
    limited = BodyLimit(
        application, limit=10, special={"/datasets/": 20, "/models/": 0}, stall_seconds=20
    )
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
    assert received([b"x"], path="/models/m")[1].status_code == 413


def second(path, first, pause):
    """The type of the message after `first`, which comes after a pause; it may take 50 ms."""
    messages = [first, {"type": "http.disconnect"}]
    seen = []

    async def application(scope, receive, send):
        seen.extend([await receive(), await receive()])

    async def receive():
        if len(messages) == 1:
            await asyncio.sleep(pause)
        return messages.pop(0)

    limited = BodyLimit(application, limit=10, special={"/datasets/": 20}, stall_seconds=0.05)
    asyncio.run(limited({"type": "http", "path": path, "headers": []}, receive, None))
    return seen[1]["type"]


BEGUN = {"type": "http.request", "body": b"x", "more_body": True}
WHOLE = {"type": "http.request", "body": b"x"}


def test_where_a_body_may_be_long_it_has_to_go_on_coming():
    with pytest.raises(HTTPException) as caught:
        second("/datasets/d", BEGUN, pause=20)

    assert caught.value.status_code == 408
    assert caught.value.detail == "body: nothing more came within 0.05 s"


@pytest.mark.parametrize(("path", "first"), [("/datasets/d", WHOLE), ("/train", BEGUN)])
def test_nothing_has_to_come_after_the_whole_body_nor_elsewhere(path, first):
    assert second(path, first, pause=0.2) == "http.disconnect"


def test_what_is_no_request_passes():
    assert received([b"x" * 100], kind="lifespan") == ([b"x" * 100], None)


def test_as_many_are_admitted_as_may_be_in_flight():
    in_flight = AdmissionControl(requests=2, size=100)

    with in_flight.admit():
        with in_flight.admit(), pytest.raises(errors.Overloaded), in_flight.admit():
            pytest.fail("admitted")
        with in_flight.admit():
            pass


def test_as_many_bytes_are_taken_as_may_be_in_flight():
    in_flight = AdmissionControl(requests=10, size=100)

    with in_flight.admit() as take:
        take(30)
        take(30)
        with in_flight.admit() as take_more:
            take_more(40)
            with pytest.raises(errors.Overloaded):
                take(1)
            take(0)
        take(40)


def test_what_ends_with_an_error_is_not_in_flight_any_more():
    in_flight = AdmissionControl(requests=1, size=100)

    for _ in range(3):
        with pytest.raises(KeyError), in_flight.admit() as take:
            raise KeyError(take(100))
