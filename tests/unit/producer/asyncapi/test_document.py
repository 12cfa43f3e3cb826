"""The AsyncAPI document: it is valid, complete, and says what the code says."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from app import errors
from app.amqp.topology import DEAD_LETTER_QUEUE, PUBLIC_QUEUES, REQUEST_EXCHANGE, WORK_QUEUES
from app.producer.asyncapi.document import encoded
from app.protocol.replies import Cancelled, Failed, Predicted, Reply, TrainCompleted
from app.protocol.requests import PredictRequest
from app.protocol.training_request import UNKNOWN_KEYS, TrainRequest
from app.protocol.types import JobStatus
from tests.support.asyncapi import matching, resolved, specification, validator

DOCUMENT = json.loads(encoded())
CHANNELS, OPERATIONS = DOCUMENT["channels"], DOCUMENT["operations"]
SCHEMAS = DOCUMENT["components"]["schemas"]
WAYS = {"exclusiveReplies", "directReplies"}
EXAMPLES = [
    pytest.param(message, each["payload"], id=f"{name} {each['name']}")
    for name, message in DOCUMENT["components"]["messages"].items()
    for each in message["examples"]
]
TRAIN = next(each for each in OPERATIONS.values() if each["channel"]["$ref"] == "#/channels/train")


def test_the_document_meets_the_schema_of_the_specification() -> None:
    assert [each.message for each in specification().iter_errors(DOCUMENT)] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("asyncapi",), "3.0.0"),
        (("operations", "train", "action"), "listen"),
        (("operations", "train", "reply", "address", "location"), "reply_to"),
        (("channels", "train", "bindings", "amqp", "is"), "topic"),
        (("channels", "train", "bindings", "amqp", "bindingVersion"), "9.9.9"),
        (("components", "messages", "train", "payloads"), {}),
        (("servers", "plain", "protocol"), None),
    ],
)
def test_a_mistake_in_the_document_would_be_found(path: tuple[str, ...], value: Any) -> None:
    wrong = copy.deepcopy(DOCUMENT)
    *parents, last = path
    place = wrong
    for each in parents:
        place = place[each]
    place[last] = value

    assert not specification().is_valid(wrong)


def references(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from references(each)


def test_every_reference_leads_to_something_and_every_schema_is_used() -> None:
    used = set()
    for each in references(DOCUMENT):
        resolved(DOCUMENT, each)
        used.add(each["$ref"])
    assert {name for name in SCHEMAS if f"#/components/schemas/{name}" not in used} == set()


def test_each_queue_of_clients_has_channels_and_no_other_queue_has_one() -> None:
    queues = [name for name, each in CHANNELS.items() if each["address"] and queue_of(each)]
    keys = [name for name, each in CHANNELS.items() if each["address"] and not queue_of(each)]

    assert {CHANNELS[name]["address"] for name in queues} == set(PUBLIC_QUEUES)
    assert {CHANNELS[name]["address"] for name in keys} == set(PUBLIC_QUEUES)
    assert all(queue_of(CHANNELS[each])["name"] == CHANNELS[each]["address"] for each in queues)
    for name in keys:
        assert CHANNELS[name]["bindings"]["amqp"]["exchange"]["name"] == REQUEST_EXCHANGE
    assert CHANNELS.keys() == {*queues, *keys, *WAYS}
    for own in (DEAD_LETTER_QUEUE, *(set(WORK_QUEUES) - set(PUBLIC_QUEUES))):
        assert f'"{own}"' not in encoded().decode()


def queue_of(channel: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = channel["bindings"]["amqp"].get("queue", {})
    return found


def test_each_request_can_be_answered_into_a_queue_and_by_direct_reply_to() -> None:
    ways: dict[str, set[str]] = {}
    for each in OPERATIONS.values():
        assert each["action"] == "receive"
        assert each["reply"]["address"]["location"] == "$message.header#/replyTo"
        name = each["channel"]["$ref"].rpartition("/")[2]
        ways.setdefault(name, set()).add(each["reply"]["channel"]["$ref"].rpartition("/")[2])
    queues = {name for name, each in CHANNELS.items() if each["address"] and queue_of(each)}

    assert ways.keys() == CHANNELS.keys() - WAYS  # each channel of requests is received
    assert {name for name, found in ways.items() if found == WAYS} == queues
    assert queue_of(CHANNELS["exclusiveReplies"])["exclusive"] is True
    assert queue_of(CHANNELS["directReplies"])["name"] == "amq.rabbitmq.reply-to"


def test_operations_only_name_messages_of_their_channels() -> None:
    for each in OPERATIONS.values():
        for part in (each, each["reply"]):
            channel = part["channel"]["$ref"]
            assert all(one["$ref"].startswith(f"{channel}/messages/") for one in part["messages"])


def test_a_training_is_persistent_and_mandatory() -> None:
    assert TRAIN["bindings"]["amqp"]["deliveryMode"] == 2
    assert TRAIN["bindings"]["amqp"]["mandatory"] is True


@pytest.mark.parametrize(("message", "body"), EXAMPLES)
def test_an_example_meets_the_schema_of_its_message(message: dict[str, Any], body: Any) -> None:
    validator(DOCUMENT, message["payload"]).validate(body)


@pytest.mark.parametrize("kind", [TrainRequest, PredictRequest])
def test_requests_have_the_members_of_their_classes(kind: type[TrainRequest]) -> None:
    assert SCHEMAS[kind.__name__]["properties"].keys() == kind.model_fields.keys() - {UNKNOWN_KEYS}
    for each in SCHEMAS[kind.__name__]["properties"].values():
        assert each["description"]


ERROR = errors.NotFound("model_id", "there is no model m").to_wire()


@pytest.mark.parametrize(
    ("channel", "reply", "message"),
    [
        ("train", Reply(JobStatus.RECEIVED, "m"), "received"),
        ("train", TrainCompleted("m", metrics={"rmse": 1.5}), "trained"),
        ("train", Failed(None, error=ERROR), "failed"),
        ("train", Cancelled("m"), "cancelled"),
        ("train", Cancelled("m", error=ERROR), "cancelled"),
        ("predict", Predicted("m", prediction="a", pred_proba={"a": 1.0}), "predicted"),
        ("predict", Predicted("m", prediction=[1, 2], outputs={"x": [[1], [2]]}), "predicted"),
        ("predict", Failed("m", error=ERROR), "failed"),
        ("invoke", Predicted("m", prediction=[1, 2]), "predicted"),
        ("invoke", Failed("m", error=ERROR), "failed"),
    ],
)
def test_a_reply_is_one_message_of_its_operation_and_only_one(
    channel: str, reply: Reply, message: str
) -> None:
    replies = OPERATIONS[channel]["reply"]
    assert matching(DOCUMENT, replies, json.loads(reply.encode())) == [message]


@pytest.mark.parametrize(
    "body",
    [
        {"status": "TASK_COMPLETED"},
        {"status": "TASK_COMPLETED", "model_id": "m", "metrics": {"rmse": "low"}},
        {"status": "TASK_ERROR", "model_id": "m"},
        {"status": "TASK_ERROR", "model_id": "m", "error": {"type": "odd", "detail": "?"}},
        {"status": "TASK_RUNNING", "model_id": "m"},
    ],
)
def test_what_is_no_reply_meets_no_schema(body: Any) -> None:
    assert matching(DOCUMENT, TRAIN["reply"], body) == []


def test_errors_have_the_types_of_the_tree_without_those_of_http() -> None:
    types = {each["const"] for each in SCHEMAS["Error"]["properties"]["type"]["oneOf"]}

    assert {"invalid", "not_found", "quota_exceeded", "bad_data", "endpoint_lost"} <= types
    assert types.isdisjoint({"rate_limited", "misdirected", "foreign_origin", "unauthenticated"})
