"""What the producer publishes, message by message: a contract with consumers of any version.

No consumer runs. The test takes the messages from the queues, and answers them.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from typing import Any

import httpx2
import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from devstack.demo import ROW, TRAIN
from tests.system.support.client import upload
from tests.system.support.golden import Message, taken
from tests.system.support.processes import SECONDS, Process, Stack

PLAIN_HTTP = True  # it speaks HTTP by itself

JSON = "application/json"
SETTINGS = {"PREDICT_TIMEOUT": "30", "TRAIN_WAIT": "30", "INVOKE_HOSTS": "127.0.0.1"}
CALL = {
    "content_type": JSON,
    "correlation_id": "<id>",
    "reply_to": "<callback queue>",
    "expiration": "30000",
    "timestamp": "<now>",
    "user_id": "warren",
}
JOB = {
    "content_type": JSON,
    "correlation_id": "<id>",
    "message_id": "<job>",
    "delivery_mode": 2,
    "timestamp": "<now>",
    "user_id": "warren",
}
# The relay publishes a job whose message was lost. No HTTP client waits for its reply any more.
JOB_FROM_THE_RELAY = {
    "content_type": JSON,
    "message_id": "<job>",
    "delivery_mode": 2,
    "user_id": "warren",
}

ASKED = {"model_id": "m", "input_data": ROW}
PREDICTED = {"status": "TASK_COMPLETED", "model_id": "m", "prediction": 1.5, "pred_proba": 1.5}


@pytest.fixture(scope="module")
def producer(world: Stack) -> tuple[Process, httpx2.Client]:
    process, http = world.producer(**SETTINGS)
    upload(http)
    spec = {"kind": "endpoint", "url": "http://127.0.0.1:9/"}
    assert http.put("/models/far", json=spec).status_code == 201
    return process, http


@pytest.fixture
def process(producer: tuple[Process, httpx2.Client]) -> Process:
    return producer[0]


@pytest.fixture
def http(producer: tuple[Process, httpx2.Client]) -> httpx2.Client:
    return producer[1]


@pytest.fixture
def channel(world: Stack) -> Iterator[BlockingChannel]:
    with world.amqp() as connection:
        yield connection.channel()


@pytest.fixture
def connect(http: httpx2.Client) -> Iterator[Callable[[], HTTPConnection]]:
    """Connections for requests that are sent at once, and whose answers are read later."""
    address = http.base_url.host, http.base_url.port
    with ExitStack() as opened:
        yield lambda: opened.enter_context(closing(HTTPConnection(*address, timeout=SECONDS)))


@pytest.fixture
def call(connect: Callable[[], HTTPConnection]) -> HTTPConnection:
    return connect()


def post(call: HTTPConnection, path: str, body: Any) -> None:
    """Send a request, which has left when this returns."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    call.request("POST", path, sent, {"Content-Type": JSON})


def answer(call: HTTPConnection, status: int = 200) -> Any:
    response = call.getresponse()
    body = json.loads(response.read())
    assert response.status == status, body
    return body


def reply(channel: BlockingChannel, to: Message, *bodies: dict[str, Any]) -> None:
    """Answer a message, with a line for each body."""
    properties = pika.BasicProperties(correlation_id=to.sent.correlation_id)
    body = "\n".join(map(json.dumps, bodies)).encode()
    channel.basic_publish("", to.sent.reply_to, body, properties)


def test_a_training(http: httpx2.Client, call: HTTPConnection, channel: BlockingChannel) -> None:
    post(call, "/train", {**TRAIN, "params": {"n_estimators": 5}, "max_seconds": 60})

    message = taken(channel, "queue.model.train")

    job_id = message.json["model_id"]
    body = {
        **TRAIN,
        "params": {"n_estimators": 5},
        "max_seconds": 60.0,
        "model_id": job_id,
        "defaults": "by-estimator",
    }
    assert message.json == body
    assert message.properties(job=job_id) == {**JOB, "reply_to": "<callback queue>"}
    received = {"status": "TASK_RECEIVED", "model_id": job_id}
    reply(channel, message, received)
    assert answer(call, 202) == {"message": received}

    again = taken(channel, "queue.model.train")
    assert again.json == body
    assert again.properties(job=job_id) == JOB_FROM_THE_RELAY
    http.delete(f"/jobs/{job_id}")


def test_a_prediction_is_the_body_of_the_request(
    call: HTTPConnection, channel: BlockingChannel
) -> None:
    sent = b'{"model_id": "m",\n "input_data": [{"a": 1.50, "b": "\xc3\xa4"}], "job_id": "mine"}'
    post(call, "/predict", sent)

    message = taken(channel, "queue.model.predict")

    assert message.body == sent
    assert message.properties() == CALL
    reply(channel, message, PREDICTED)
    assert answer(call) == {"message": PREDICTED}


def test_predictions_of_one_moment_share_a_message(
    process: Process, connect: Callable[[], HTTPConnection], channel: BlockingChannel
) -> None:
    first, *others = [connect() for _ in range(3)]
    for each in others:
        each.connect()  # a process that is frozen accepts none
    post(first, "/predict", ASKED)
    alone = taken(channel, "queue.model.predict")
    process.freeze()  # what comes meanwhile is read in one turn of the event loop
    for number, each in enumerate(others):
        post(each, "/predict", b'{"model_id": "m",\n"input_data": {"a": %d}}' % number)
    process.thaw()

    message = taken(channel, "queue.model.predict")

    assert sorted(message.body.split(b"\n")) == [
        b'{"model_id": "m", "input_data": {"a": 0}}',
        b'{"model_id": "m", "input_data": {"a": 1}}',
    ]
    assert message.properties() == {**CALL, "content_type": "application/x-ndjson"}
    replies = [{**PREDICTED, "prediction": line["input_data"]["a"]} for line in message.lines]
    reply(channel, message, *replies)
    assert [answer(each)["message"]["prediction"] for each in others] == [0, 1]
    reply(channel, alone, PREDICTED)
    assert answer(first) == {"message": PREDICTED}


def test_a_prediction_of_a_model_that_answers_elsewhere(
    call: HTTPConnection, channel: BlockingChannel
) -> None:
    asked = {**ASKED, "model_id": "elsewhere"}
    post(call, "/predict", asked)
    told = {"type": "elsewhere", "detail": "d", "queue": "queue.model.invoke", "seconds": 45.0}
    error = {"status": "TASK_ERROR", "model_id": "elsewhere", "error": told}
    reply(channel, taken(channel, "queue.model.predict"), error)

    message = taken(channel, "queue.model.invoke")

    assert message.json == asked
    assert message.properties() == {**CALL, "expiration": "45000"}
    reply(channel, message, PREDICTED)
    assert answer(call) == {"message": PREDICTED}


def test_a_prediction_of_many_models(call: HTTPConnection, channel: BlockingChannel) -> None:
    asked = {"model_ids": ["a", "b"], "dataset_id": "d", "input_data": ROW, "job_id": "mine"}
    post(call, "/predict/parallel", asked)

    messages = [taken(channel, "queue.model.predict") for _ in range(2)]

    inputs = {"dataset_id": "d", "job_id": "mine", "input_data": ROW}
    assert [message.json for message in messages] == [
        {"model_id": "a", **inputs},
        {"model_id": "b", **inputs},
    ]
    for message in messages:
        assert message.properties() == CALL
        reply(channel, message, PREDICTED)
    assert [each["prediction"] for each in answer(call)["message"]["answers"]] == [1.5, 1.5]


def test_answers_of_models_whose_labels_are_not_known_are_combined(
    call: HTTPConnection, channel: BlockingChannel
) -> None:
    asked = {"model_ids": ["a", "b"], "input_data": ROW, "extra": "ignore", "combine": "vote"}
    post(call, "/predict/parallel", asked)

    for label in ("red", "blue"):
        message = taken(channel, "queue.model.predict")
        assert message.json.keys() == {"model_id", "job_id", "input_data", "extra"}
        answered = {"model_id": message.json["model_id"], "prediction": label}
        reply(channel, message, {**PREDICTED, **answered, "pred_proba": {label: 1.0}})

    combined = answer(call)["message"]["combined"]
    assert (combined["status"], combined["of"]) == ("TASK_COMPLETED", 2)
    assert combined["votes"] == {"red": 1, "blue": 1}


def test_an_invocation_of_sagemaker(call: HTTPConnection, channel: BlockingChannel) -> None:
    post(call, "/invocations", ROW)

    message = taken(channel, "queue.model.predict")

    assert message.json == {"model_id": "latest", "input_data": ROW}
    assert message.properties() == CALL
    reply(channel, message, PREDICTED)
    assert answer(call) == PREDICTED


def test_a_prediction_that_is_a_job(http: httpx2.Client, channel: BlockingChannel) -> None:
    accepted = http.post("/predict/async", json={**ASKED, "model_id": "far"})

    message = taken(channel, "queue.model.predict.async")

    job_id = message.json["job_id"]
    queued = {"status": "TASK_QUEUED", "job_id": job_id, "model_id": "far"}
    assert accepted.json() == {"message": queued}
    assert message.json == {"job_id": job_id}
    assert message.properties(job=job_id) == JOB

    again = taken(channel, "queue.model.predict.async")
    assert again.json == {"job_id": job_id}
    assert again.properties(job=job_id) == JOB_FROM_THE_RELAY
    http.delete(f"/jobs/{job_id}")


def test_a_prediction_and_a_job(
    http: httpx2.Client, call: HTTPConnection, channel: BlockingChannel
) -> None:
    asked = {"sync_model_id": "m", "async_model_id": "far", "input_data": ROW}
    post(call, "/predict/sync_async", asked)

    sync = taken(channel, "queue.model.predict")

    job_id = sync.json["job_id"]
    assert sync.json == {**ASKED, "job_id": job_id}
    assert sync.properties() == CALL
    reply(channel, sync, PREDICTED)
    message = taken(channel, "queue.model.predict.async")
    assert message.json == {"job_id": job_id}
    assert message.properties(job=job_id) == JOB
    assert answer(call)["message"]["job_id"] == job_id
    http.delete(f"/jobs/{job_id}")
