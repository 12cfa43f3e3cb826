"""Both libraries read and write the same properties."""

import pamqp.frame
import pika
import pytest
from aiormq.abc import DeliveredMessage
from pamqp import commands
from pamqp.header import ContentHeader

from app.amqp.aiormq_message import incoming_from_aiormq, publish_frames
from app.amqp.outgoing_message import OutgoingMessage
from app.amqp.pika_message import incoming_from_pika, pika_properties
from app.amqp.topology import PREDICT_QUEUE
from tests.support.fakes import FakeSession


def by_pika(session, queue="queue", **properties):
    method = pika.spec.Basic.Deliver(delivery_tag=1, redelivered=False)
    written = pika.BasicProperties(**properties)
    return incoming_from_pika(queue, session, session, method, written, b"{}")


def by_aiormq(session, queue="queue", **properties):
    method = commands.Basic.Deliver(delivery_tag=1, redelivered=False)
    header = ContentHeader(properties=commands.Basic.Properties(**properties))
    delivered = DeliveredMessage(delivery=method, header=header, body=b"{}", channel=None)
    return incoming_from_aiormq(queue, session, session, delivered)


@pytest.mark.parametrize("read", [by_pika, by_aiormq])
@pytest.mark.parametrize(
    ("properties", "is_ndjson", "encoding"),
    [
        ({}, False, None),
        ({"content_type": "application/json"}, False, None),
        ({"content_type": "application/x-ndjson"}, True, None),
        ({"content_type": "application/jsonl; charset=utf-8"}, True, None),
        ({"content_encoding": "utf-8"}, False, None),
        ({"content_encoding": "gzip"}, False, "gzip"),
        (
            {"content_encoding": "utf-8", "headers": {"compression": "application/x-bz2"}},
            False,
            "bzip2",
        ),
    ],
)
def test_the_form_of_a_body_is_read(read, properties, is_ndjson, encoding):
    message = read(FakeSession(), **properties)

    assert (message.is_ndjson, message.encoding) == (is_ndjson, encoding)


@pytest.mark.parametrize("read", [by_pika, by_aiormq])
@pytest.mark.parametrize(
    ("written", "name"),
    [("a b", "a b"), ("\u00fc", "\u00fc"), (b"\xff\x01a", "\\xff\x01a"), ("", ""), (None, None)],
)
def test_any_message_id_is_a_name(read, written, name):
    assert read(FakeSession(), message_id=written).message_id == name


def test_the_encoding_of_a_body_is_written():
    message = OutgoingMessage("queue", b"...", "c", content_encoding="deflate, gzip")

    _, header, _ = publish_frames(message, 1, 4096)

    assert pika_properties(message).content_encoding == "deflate, gzip"
    _, _, written = pamqp.frame.unmarshal(header)
    assert written.properties.content_encoding == "deflate, gzip"


@pytest.mark.parametrize("read", [by_pika, by_aiormq])
def test_a_request_of_the_inference_protocol_is_known_by_its_properties(read):
    headers = {"model_id": "m", "inference-header-content-length": 7, "x": 1}
    own = {"content_type": "application/vnd.oip+json", "headers": headers}
    octets = {**own, "content_type": "application/octet-stream"}
    for properties in (own, octets):
        head = read(FakeSession(), PREDICT_QUEUE, **properties).infer
        assert (head.model_id, head.header_length) == ("m", 7)
        assert head.headers() == {"model_id": "m", "Inference-Header-Content-Length": 7}
        assert read(FakeSession(), **properties).infer is None  # of another queue
    bare = {"content_type": "application/octet-stream", "headers": {"model_id": "m"}}
    assert read(FakeSession(), PREDICT_QUEUE, **bare).infer is None
    odd = read(FakeSession(), PREDICT_QUEUE, **{**own, "headers": {"model_id": {"a": 1}}}).infer
    assert odd.headers() == {}


def test_the_headers_of_a_message_stand_beside_that_of_its_span():
    message = OutgoingMessage("q", b"", None, headers={"model_id": "m"}, traceparent="00-1")
    wanted = {"model_id": "m", "traceparent": "00-1"}

    assert pika_properties(message).headers == wanted
    _, header, *_ = publish_frames(message, 1, 4096)
    assert pamqp.frame.unmarshal(header)[2].properties.headers == wanted
