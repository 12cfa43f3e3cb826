import asyncio
from contextlib import asynccontextmanager

import pytest
from fastapi import Request

from app import errors
from app.producer.answers.download import download


class FakeStream:
    """A file in pieces; an error in place of one is raised."""

    def __init__(self, *pieces):
        self.size = 6
        self.closed = False
        self._pieces = list(pieces)

    def read(self, _):
        piece = self._pieces.pop(0) if self._pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self):
        self.closed = True


class Places:
    """Counts the answers that hold a place."""

    held = 0

    @asynccontextmanager
    async def place(self):
        self.held += 1
        try:
            yield
        finally:
            self.held -= 1


def sent(open_file, places, **headers):
    """Return what a server would send."""
    messages = []
    encoded = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    scope = {"type": "http", "method": "GET", "headers": encoded, "asgi": {"spec_version": "2.4"}}

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        assert message["type"] != "http.response.start" or places.held <= 1
        messages.append(message)

    async def run():
        named = {"name": "d.csv", "media_type": "text/csv", "tag": "v1"}
        answer = download(Request(scope), places.place, open_file, **named)
        await answer(scope, receive, send)

    asyncio.run(run())
    return messages


def test_a_file_is_sent_in_pieces():
    stream, places = FakeStream(b"abc", b"def"), Places()

    start, *pieces = sent(lambda: stream, places)

    headers = dict(start["headers"])
    assert start["status"] == 200
    assert headers[b"content-length"] == b"6"
    assert headers[b"etag"] == b'"v1"'
    assert headers[b"content-disposition"] == b'attachment; filename="d.csv"'
    assert [each["body"] for each in pieces] == [b"abc", b"def", b""]
    assert [each.get("more_body", False) for each in pieces] == [True, True, False]
    assert (stream.closed, places.held) == (True, 0)


def test_an_answer_whose_file_breaks_off_is_not_complete():
    stream, places = FakeStream(b"abc", errors.StorageUnavailable("away")), Places()

    _, *pieces = sent(lambda: stream, places)

    assert [each["more_body"] for each in pieces] == [True]
    assert (stream.closed, places.held) == (True, 0)


def test_a_file_that_is_not_there_is_an_error_before_the_first_byte():
    def missing():
        raise errors.NotFound("model_id", "no such file")

    places = Places()
    with pytest.raises(errors.NotFound):
        sent(missing, places)
    assert places.held == 0


@pytest.mark.parametrize("tags", ['"v1"', 'W/"v1"', '"v0", "v1"', "*"])
def test_a_client_that_has_the_file_gets_none(tags):
    (start, body) = sent(lambda: pytest.fail("it was opened"), Places(), if_none_match=tags)

    assert (start["status"], body["body"]) == (304, b"")
