"""Every example of the AsyncAPI document is sent as it says, and it describes each reply."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pika
import pytest

from app.amqp.permissions import Role
from app.amqp.topology import DEAD_LETTER_QUEUE
from app.amqp.users import User, user_definitions
from app.producer.asyncapi.document import document
from app.protocol.examples import REMOTE_MODEL_ID
from devstack.demo import TRAIN
from devstack.rabbitmq import Broker
from tests.support.asyncapi import matching, resolved, specification
from tests.system.conftest import Running
from tests.system.support.amqp import DIRECT
from tests.system.support.client import ENDLESS, reached
from tests.system.support.golden import Caller, Message
from tests.system.support.thinking import remote

SETTINGS = {"INVOKE_HOSTS": "127.0.0.1"}
CLIENT = User(Role.CLIENT, "wrn-client-default", "password")
REPLIES = {
    "forest": ["received", "trained"],
    "unknown data set": ["received", "failed"],
    "row": ["predicted"],
    "rows": ["predicted"],
    "lines": ["predictedLines"],
    "unknown model": ["failed"],
    "tensors": ["inferred"],
    "one of many features": ["notInferred"],
}
# What the document has among the headers and AMQP among the properties.
OF_AMQP = {"replyTo", "correlationId", "messageId", "userId", "expiration", "contentEncoding"}
DOCUMENT = json.loads(json.dumps(document()))
EXAMPLES = [
    pytest.param(operation, message, example, id=f"{name} {example['name']}")
    for name, operation in DOCUMENT["operations"].items()
    for message in (resolved(DOCUMENT, each) for each in operation["messages"])
    for example in message["examples"]
]


@pytest.fixture(scope="module")
def ready(running: Running, model_id: str, broker: Broker) -> Iterator[Running]:
    """A Warren with what the examples name, and a user who may only send requests."""
    vhost = running.stack.environment["RABBITMQ_VHOST"]
    broker.api("POST", "definitions", user_definitions([CLIENT], vhost))
    with remote() as model:
        spec = {"kind": "endpoint", "url": model.url}
        running.http.put(f"/models/{REMOTE_MODEL_ID}", json=spec).raise_for_status()
        yield running


def test_the_producer_serves_the_document(running: Running) -> None:
    answer = running.http.get("/asyncapi.json")

    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == DOCUMENT
    assert specification().is_valid(answer.json())


@pytest.mark.parametrize(("operation", "message", "example"), EXAMPLES)
def test_an_example_gets_the_replies_of_its_operation(
    operation: dict[str, Any], message: dict[str, Any], example: dict[str, Any], ready: Running
) -> None:
    channel = resolved(DOCUMENT, operation["channel"])
    binding = channel["bindings"]["amqp"]
    payload, expected = example["payload"], REPLIES[example["name"]]
    named_there = example["headers"].items()
    properties: dict[str, Any] = {
        "headers": {name: value for name, value in named_there if name not in OF_AMQP},
        "content_type": message["contentType"],
        "delivery_mode": operation["bindings"]["amqp"]["deliveryMode"],
    }
    exchange = binding.get("exchange", {}).get("name", "")
    login = (CLIENT.name, CLIENT.password) if exchange else ("", "")
    if exchange:
        properties["user_id"] = CLIENT.name

    parameters = ready.stack.parameters(*login)
    with closing(pika.BlockingConnection(parameters)) as connection:
        caller = Caller(connection, reply_queue(operation))
        body = payload.encode() if isinstance(payload, str) else payload
        caller.ask(channel["address"], body, exchange, **properties)
        replies = caller.replies(len(expected))

    assert [named(operation, each) for each in replies] == expected


def reply_queue(operation: dict[str, Any]) -> str:
    """Return the queue in which the replies to an operation come; an empty name means a new one."""
    found = resolved(DOCUMENT, operation["reply"]["channel"])["bindings"]["amqp"]["queue"]
    assert found.get("name", "") == ("" if found.get("exclusive") else DIRECT)
    return str(found.get("name", ""))


def named(operation: dict[str, Any], reply: Message) -> str:
    """Return which message a reply is; it is exactly one, and has the properties of that."""
    is_json = reply.sent.content_type != "application/x-ndjson"
    body = reply.json if is_json else reply.body.decode()
    (name,) = matching(DOCUMENT, operation["reply"], body)
    message = DOCUMENT["components"]["messages"][name]
    assert reply.sent.content_type == message["contentType"]
    assert reply.sent.type == message["bindings"]["amqp"].get("messageType")
    if not is_json:
        for line in reply.lines:
            assert matching(DOCUMENT, operation["reply"], line)
    return str(name)


def test_a_training_that_is_cancelled_gets_the_reply_of_the_document(ready: Running) -> None:
    operation = DOCUMENT["operations"]["train"]
    with ready.stack.amqp() as connection:
        caller = Caller(connection)
        caller.ask("queue.model.train", {**TRAIN, **ENDLESS, "model_id": "endless"})
        caller.replies(1)
        reached(ready.http, "endless", "TASK_RUNNING")
        ready.http.delete("/jobs/endless").raise_for_status()
        received, cancelled = caller.replies(2)

    assert named(operation, received) == "received"
    assert named(operation, cancelled) == "cancelled"


def test_the_examples_get_every_reply_of_every_operation() -> None:
    """All but the reply to a training that is cancelled, which has a test of its own."""
    for operation in DOCUMENT["operations"].values():
        messages = [resolved(DOCUMENT, each) for each in operation["messages"]]
        names = [each["name"] for message in messages for each in message["examples"]]
        got = {reply for name in names for reply in REPLIES[name]}
        told = {resolved(DOCUMENT, each)["name"] for each in operation["reply"]["messages"]}
        assert told - got <= {"cancelled"}


def test_nothing_is_a_dead_letter(ready: Running) -> None:
    assert ready.stack.waiting(DEAD_LETTER_QUEUE) == 0
