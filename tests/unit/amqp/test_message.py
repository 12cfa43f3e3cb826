import json
from time import monotonic

import pytest

from app import errors
from app.amqp.message import Disposition, encode_reply, parse_or_reject
from app.amqp.outgoing_message import OutgoingMessage
from app.amqp.topology import QUEUE_TYPES, REQUEST_EXCHANGE, WORK_EXCHANGE
from app.protocol.oip.message import InferHead
from app.protocol.oip.reply import Inferred
from app.protocol.replies import Failed, Predicted, Reply
from app.protocol.requests import PredictRequest
from app.protocol.training_request import TrainRequest
from app.protocol.types import MAX_ROWS, NDJSON_MEDIA_TYPE, JobStatus
from tests.support.fakes import FakeSession, delivery

PREDICTION = {"model_id": "m", "input_data": {"a": 1}}


def test_a_request_is_decoded():
    message = delivery(PREDICTION)

    assert parse_or_reject(message, PredictRequest).model_id == "m"
    assert message.disposition is Disposition.ACK
    assert message.channel.published == []


def test_what_is_no_request_is_rejected_where_nobody_wants_a_reply():
    message = delivery(b"{", reply_to=None)

    assert parse_or_reject(message, TrainRequest) is None

    assert message.disposition is Disposition.REJECT
    assert message.channel.published == []


def test_a_reply_goes_to_whoever_asked():
    message = delivery(PREDICTION, reply_to="somebody", correlation_id="c7")

    message.reply(Predicted("m", prediction=1.5))

    assert message.channel.published == [
        OutgoingMessage(
            "somebody",
            b'{"status":"TASK_COMPLETED","model_id":"m","prediction":1.5}',
            "c7",
            "application/json",
            JobStatus.COMPLETED,
        )
    ]


def test_a_reply_leaves_by_the_newest_connection():
    old, new = FakeSession(), FakeSession()
    message = delivery(PREDICTION, old, replies=new)

    message.reply(Reply(JobStatus.COMPLETED, "m"))

    assert old.published == []
    assert [reply["status"] for reply in new.replies] == ["TASK_COMPLETED"]


@pytest.mark.parametrize("nobody", [None, ""])
def test_nobody_gets_no_reply(nobody):
    message = delivery(PREDICTION, reply_to=nobody)

    message.reply(Reply(JobStatus.RECEIVED))

    assert message.channel.published == []


def test_a_reply_that_is_too_large_becomes_an_error():
    message = delivery(PREDICTION)

    message.reply(Predicted("m", prediction=[0.123456789] * 500_000))

    (reply,) = message.channel.replies
    assert reply["status"] == "TASK_ERROR"
    assert reply["model_id"] == "m"
    assert reply["error"]["type"] == "too_large"
    (sent,) = message.channel.published
    assert sent.status == "TASK_ERROR"


def test_a_reply_may_have_as_many_bytes_as_a_message():
    reply = Predicted("m", prediction="x" * 1000)
    size = len(reply.encode())

    _, whole = encode_reply(reply, size)
    body, too_large = encode_reply(reply, size - 1)

    assert (whole, too_large) == (JobStatus.COMPLETED, JobStatus.ERROR)
    assert len(body) < 1000


def test_too_many_rows_are_answered_and_rejected():
    message = delivery({"model_id": "m", "input_data": [{}] * (MAX_ROWS + 1)})

    assert parse_or_reject(message, PredictRequest) is None

    assert message.disposition is Disposition.REJECT
    (reply,) = message.channel.replies
    assert reply["error"]["type"] == "too_large"
    assert (reply["error"]["field"], reply["error"]["limit"]) == ("input_data", MAX_ROWS)


def test_an_error_is_replied_with_the_correlation_of_the_request():
    message = delivery(b"", FakeSession(), correlation_id=None)

    message.reply(Failed.of(errors.NotFound(None, "no model m"), "m"))

    (sent,) = message.channel.published
    assert sent.correlation_id is None
    assert message.channel.replies == [
        {
            "status": "TASK_ERROR",
            "model_id": "m",
            "error": {"type": "not_found", "detail": "no model m"},
        }
    ]


def test_a_message_that_was_not_begun_is_republished_with_the_time_that_is_left():
    message = delivery(
        PREDICTION, message_id="i", delivery_tag=7, deadline=monotonic() + 60, is_ndjson=True
    )

    message.republish()
    message.settle()

    (copy,) = message.channel.published
    assert (copy.queue, copy.body, copy.reply_to) == ("work", message.body, "callback")
    assert (copy.correlation_id, copy.message_id) == ("c1", "i")
    assert copy.content_type == NDJSON_MEDIA_TYPE
    assert 0 < int(copy.expiration) <= 60_000
    assert message.channel.settled == [(7, Disposition.ACK)]


def test_a_copy_of_an_encoded_message_says_how_it_is_encoded():
    message = delivery(b"...", encoding="deflate, gzip")

    message.republish()

    (copy,) = message.channel.published
    assert (copy.body, copy.content_encoding) == (b"...", "deflate, gzip")


def test_a_copy_of_a_message_without_a_deadline_does_not_expire():
    message = delivery(PREDICTION)

    message.republish()

    (copy,) = message.channel.published
    assert (copy.expiration, copy.content_type) == (None, None)


@pytest.mark.parametrize("redelivered", [False, True])
def test_a_message_that_may_have_been_begun_or_comes_again_is_requeued(redelivered):
    message = delivery(PREDICTION, FakeSession(alive=redelivered), redelivered=redelivered)

    message.republish()

    assert message.channel.published == []
    assert message.disposition is Disposition.REQUEUE


def test_a_message_is_settled_as_its_redelivery():
    lost, redelivery = delivery(PREDICTION), delivery(PREDICTION, delivery_tag=2)

    lost.continue_as(redelivery)
    redelivery.settle()
    lost.settle()

    assert lost.redelivered
    assert redelivery.channel.settled == [(2, Disposition.ACK)]


@pytest.mark.parametrize("queue", [*QUEUE_TYPES, "queue.model.dead.lock", "queue.consumer.a:1:b"])
@pytest.mark.parametrize("exchange", ["", REQUEST_EXCHANGE])
def test_a_forged_reply_to_names_no_queue_of_warren(queue, exchange):
    message = delivery(PREDICTION, reply_to=queue, exchange=exchange)

    message.reply(Reply(JobStatus.RECEIVED))

    assert message.channel.published == []
    assert message.reply_queue is None


@pytest.mark.parametrize(
    ("queue", "allowed"),
    [
        ("billing", False),  # which the client could not write itself
        ("amq.genuine", False),
        ("amq.gen-x", True),
        ("amq.rabbitmq.reply-to.x.y", True),
    ],
)
def test_a_request_of_a_client_is_answered_in_queues_that_the_broker_has_named(queue, allowed):
    asked = delivery(PREDICTION, reply_to=queue, exchange=REQUEST_EXCHANGE)
    plain = delivery(PREDICTION, reply_to=queue)

    for message in (asked, plain):
        message.reply(Reply(JobStatus.RECEIVED))

    assert [sent.queue for sent in asked.channel.published] == [queue] * allowed
    assert [sent.queue for sent in plain.channel.published] == [queue]


def test_a_reply_names_no_user():
    """A client's queue may dead-letter it into the exchange of clients, as if it were a request."""
    message = delivery(PREDICTION, user_id="producer", resend_as="consumer")

    message.reply(Reply(JobStatus.RECEIVED))

    (sent,) = message.channel.published
    assert (sent.user_id, sent.exchange) == (None, "")


def test_a_message_of_a_service_is_republished_as_ours():
    message = delivery(PREDICTION, user_id="producer", exchange=WORK_EXCHANGE, resend_as="consumer")

    message.republish()

    (copy,) = message.channel.published
    assert (copy.user_id, copy.exchange) == ("consumer", WORK_EXCHANGE)


@pytest.mark.parametrize(
    ("user", "exchange"), [("client", ""), ("client", REQUEST_EXCHANGE), (None, REQUEST_EXCHANGE)]
)
def test_a_message_of_another_user_is_requeued_because_a_copy_would_be_ours(user, exchange):
    message = delivery(PREDICTION, user_id=user, exchange=exchange)

    message.republish()

    assert message.channel.published == []
    assert message.disposition is Disposition.REQUEUE


def of_protocol(**changes):
    message = delivery(b"{}", **changes)
    message.infer = InferHead("application/vnd.oip+json", "m", None)
    return message


def test_a_copy_of_an_inference_request_is_one():
    message = of_protocol()

    message.republish()

    (copy,) = message.channel.published
    assert (copy.content_type, copy.headers) == ("application/vnd.oip+json", {"model_id": "m"})


def test_an_inference_request_is_replied_to_in_its_own_form():
    message = of_protocol()

    message.reply(Failed.of(errors.Invalid("input_data.0.a", "it is wrong"), "m"))
    message.reply(Inferred("m", infer=b'{"outputs":[]}', raw=None))
    message.reply(Inferred("m", infer=b'{"outputs":[]}', raw=b"1234"))

    wrong, text, octets = message.channel.published
    assert json.loads(wrong.body) == {"error": "inputs.a.0: it is wrong"}
    assert (wrong.content_type, wrong.status) == ("application/vnd.oip+json", "TASK_ERROR")
    assert json.loads(text.body) == {"model_name": "m", "outputs": []}
    assert (text.content_type, text.headers) == ("application/vnd.oip+json", None)
    length = octets.headers["Inference-Header-Content-Length"]
    assert (octets.body[:length], octets.body[length:]) == (text.body, b"1234")
    assert octets.content_type == "application/octet-stream"
