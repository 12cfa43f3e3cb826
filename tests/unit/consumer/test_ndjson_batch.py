import json

import pytest

from app import errors
from app.amqp.message import Disposition, encode_reply, parse_or_reject
from app.amqp.topology import MAX_MESSAGE_BYTES
from app.consumer.ndjson_batch import split_requests
from app.protocol.replies import Predicted
from app.protocol.requests import PredictRequest
from app.protocol.types import NDJSON_MEDIA_TYPE, JobStatus
from tests.support.fakes import delivery
from tests.support.packing import gzip_compress

BODY = json.dumps({"model_id": "m", "input_data": {"a": 1}}).encode()


def lines_of(*bodies, **properties):
    """A message of these lines, and its parts."""
    message = delivery(b"\n".join(bodies), is_ndjson=True, **properties)
    return message, split_requests(message)


def completed(prediction=None):
    return Predicted("m", prediction=prediction)


def sent(message):
    """The one message that was sent, by its lines."""
    (reply,) = message.channel.published
    assert reply.content_type == NDJSON_MEDIA_TYPE
    assert reply.correlation_id == message.correlation_id
    return reply.body.split(b"\n")


def test_an_encoded_message_is_decoded_before_it_is_split():
    message, parts = lines_of(BODY, BODY)
    packed = delivery(gzip_compress(message.body), is_ndjson=True, encoding="gzip")

    assert [part.body for part in split_requests(packed)] == [part.body for part in parts]


@pytest.mark.parametrize(
    ("encoding", "body", "type_"),
    [
        ("brotli", BODY, "unsupported"),
        ("gzip", gzip_compress(BODY)[:-9], "malformed"),
        ("gzip", gzip_compress(bytes(MAX_MESSAGE_BYTES + 1)), "too_large"),
    ],
)
def test_a_message_that_cannot_be_decoded_is_answered_and_rejected(encoding, body, type_):
    message = delivery(body, is_ndjson=True, encoding=encoding)

    assert split_requests(message) == []

    assert message.disposition is Disposition.REJECT
    (reply,) = message.channel.replies
    assert reply["error"]["type"] == type_


def test_a_plain_message_is_its_only_part():
    message = delivery(b"1\n2")

    assert split_requests(message) == [message]


def test_the_parts_of_a_message_of_lines_are_its_lines():
    _, found = lines_of(b"1", b"", b"3")

    assert [each.body for each in found] == [b"1", b"", b"3"]


def test_replies_are_sent_together_and_in_order_once_all_are_there():
    message, found = lines_of(b"a", b"b", b"c")

    for number in (2, 0):
        found[number].reply(completed(prediction=number))
        assert message.channel.published == []
    found[1].reply(completed(prediction=1))

    assert sent(message) == [completed(prediction=number).encode() for number in range(3)]


def test_a_message_of_one_line_is_answered_by_one():
    message, (line,) = lines_of(b"a")

    line.reply(completed())

    assert sent(message) == [completed().encode()]


def test_the_first_reply_to_a_line_counts():
    message, (first, second) = lines_of(b"a", b"b")

    first.reply(completed(prediction=1))
    first.reply(completed(prediction=2))
    assert message.channel.published == []
    second.reply(completed(prediction=3))
    second.reply(completed(prediction=4))

    assert sent(message) == [completed(prediction=1).encode(), completed(prediction=3).encode()]


def test_a_reply_that_does_not_fit_is_an_empty_line():
    message, found = lines_of(*[b"a"] * 5)
    large = completed(prediction="x" * (MAX_MESSAGE_BYTES // 3))
    replies = [large, large, large, completed(), large]

    for line, reply in zip(found, replies, strict=True):
        line.reply(reply)

    said = sent(message)
    assert said == [large.encode(), large.encode(), b"", completed().encode(), b""]
    assert len(b"\n".join(said)) <= MAX_MESSAGE_BYTES
    assert encode_reply(large) == (large.encode(), JobStatus.COMPLETED)


@pytest.mark.parametrize("spare", [-1, 0, 1, 10])
def test_the_lines_together_are_never_more_than_a_message(spare):
    message, found = lines_of(b"a", b"b", b"c")
    small, empty = completed(), completed(prediction="")
    room = MAX_MESSAGE_BYTES - 2 * len(small.encode()) - 2 - len(empty.encode())

    replies = [small, completed(prediction="x" * (room - spare)), small]
    for line, reply in zip(found, replies, strict=True):
        line.reply(reply)

    said = sent(message)
    assert len(b"\n".join(said)) <= MAX_MESSAGE_BYTES
    assert all(line in (b"", reply.encode()) for line, reply in zip(said, replies, strict=True))
    assert said[0] == small.encode()


def test_an_answer_that_is_too_large_even_alone_is_told_in_its_line():
    message, found = lines_of(b"a", b"b")

    found[0].reply(completed(prediction="x" * MAX_MESSAGE_BYTES))
    found[1].reply(completed())

    large, small = map(json.loads, sent(message))
    assert (large["error"]["type"], large["model_id"]) == ("too_large", "m")
    assert small["status"] == "TASK_COMPLETED"


def test_a_line_that_is_rejected_rejects_the_message():
    message, found = lines_of(b"a", b"b")

    found[1].reject()

    assert message.disposition is Disposition.REJECT


def test_a_malformed_line_is_answered_as_one_and_the_others_are_read():
    message, found = lines_of(BODY, b"{", b"", BODY)

    requests = [parse_or_reject(each, PredictRequest) for each in found]
    for line, request in zip(found, requests, strict=True):
        if request:
            line.reply(completed())

    assert [bool(request) for request in requests] == [True, False, False, True]
    kinds = [json.loads(each).get("error", {}).get("type") for each in sent(message)]
    assert kinds == [None, "malformed", "malformed", None]
    assert message.disposition is Disposition.REJECT


def test_nobody_gets_no_replies():
    message, found = lines_of(b"a", b"b", reply_to=None)

    for line in found:
        line.reply(completed())

    assert message.channel.published == []


def test_a_message_of_endless_lines_is_refused_whole():
    message, found = lines_of(*[b""] * 1_000_000)

    assert found == []
    (reply,) = message.channel.replies
    assert reply["error"]["type"] == errors.TooLarge.type
    assert message.disposition is Disposition.REJECT
