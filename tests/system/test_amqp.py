"""The queues as an interface: any client that can publish JSON can have a model."""

import json
import uuid
from typing import Any
from urllib.parse import quote

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from app.amqp.topology import DEAD_LETTER_QUEUE, PREDICT_QUEUE, TRAIN_QUEUE
from devstack.demo import ROW, TRAIN
from devstack.rabbitmq import Broker
from tests.system.conftest import Running
from tests.system.support.amqp import DIRECT, RpcClient
from tests.system.support.client import PREDICTION, RMSE, job, predict, trained
from tests.system.support.processes import until

CONSUMING = " consuming queue.model."  # what each thread of a consumer says


@pytest.fixture
def channel(connection: pika.BlockingConnection) -> BlockingChannel:
    return connection.channel()


def dead_letter(channel: BlockingChannel) -> tuple[pika.BasicProperties, bytes]:
    """Wait for a dead letter and take it away."""

    def taken() -> tuple[pika.BasicProperties, bytes] | None:
        method, properties, body = channel.basic_get(DEAD_LETTER_QUEUE, auto_ack=True)
        return (properties, body) if method else None

    letter = until(taken, "there is a dead letter")
    assert letter
    return letter


@pytest.mark.parametrize(
    "callback_queue", ["queue.of.mine", "", DIRECT], ids=["named", "server-named", "direct"]
)
def test_a_client_of_the_rpc_tutorial_has_a_model_trained_and_asks_it(
    callback_queue: str, model_id: str, running: Running, connection: pika.BlockingConnection
) -> None:
    client = RpcClient(connection, callback_queue)
    received, completed = client.call(TRAIN_QUEUE, TRAIN, count=2)
    mine = received["model_id"]
    assert received == {"status": "TASK_RECEIVED", "model_id": mine}
    assert (completed["status"], completed["model_id"]) == ("TASK_COMPLETED", mine)
    assert completed["metrics"]["rmse"] == pytest.approx(RMSE, abs=0.005)

    (answer,) = client.call(PREDICT_QUEUE, {"model_id": mine, "input_data": ROW})
    assert answer["status"] == "TASK_COMPLETED"
    assert answer["prediction"] == pytest.approx(PREDICTION, abs=0.00005)

    assert mine != model_id
    assert job(running.http, mine)["state"] == "TASK_COMPLETED"
    assert predict(running.http, mine)["prediction"] == answer["prediction"]


def test_a_client_may_name_its_model_and_add_keys_that_nobody_knows(
    model_id: str, connection: pika.BlockingConnection
) -> None:
    mine = f"mine-{uuid.uuid4()}"
    request = {**TRAIN, "model_id": mine, "colour": "red", "estimator": "ridge"}
    received, completed = RpcClient(connection).call(TRAIN_QUEUE, request, count=2)
    assert (received["model_id"], completed["model_id"]) == (mine, mine)


def test_a_training_that_fails_is_told_by_a_reply(
    model_id: str, connection: pika.BlockingConnection
) -> None:
    client = RpcClient(connection)
    (refused,) = client.call(TRAIN_QUEUE, {**TRAIN, "params": {"trees": 3}})
    assert (refused["status"], refused["error"]["field"]) == ("TASK_ERROR", "params.trees")
    received, failed = client.call(TRAIN_QUEUE, {**TRAIN, "features": ["size"]}, count=2)
    assert (received["status"], failed["status"]) == ("TASK_RECEIVED", "TASK_ERROR")
    assert "size" in failed["error"]["detail"]
    received, failed = client.call(TRAIN_QUEUE, {**TRAIN, "dataset_id": "nowhere"}, count=2)
    assert (failed["status"], failed["error"]["type"]) == ("TASK_ERROR", "not_found")


def test_a_prediction_that_fails_is_told_by_one_reply(
    model_id: str, connection: pika.BlockingConnection
) -> None:
    client = RpcClient(connection)
    (missing,) = client.call(PREDICT_QUEUE, {"model_id": "nobody", "input_data": ROW})
    assert (missing["status"], missing["error"]["type"]) == ("TASK_ERROR", "not_found")
    (wrong,) = client.call(PREDICT_QUEUE, {"model_id": model_id, "input_data": {**ROW, "bmi": "x"}})
    assert wrong["error"]["field"] == "input_data.bmi"


POISON = {
    "no JSON": b"train, please",
    "Python": b"{'model_id': None}",
    "NaN": b'{"model_id": "a", "input_data": {"age": NaN}}',
    "nothing": b"",
    "not UTF-8": b"\xff\xfe",
    "a list": b"[1, 2]",
    "null": b"null",
    "no keys": b"{}",
    "wrong types": b'{"dataset_id": 1, "features": 2, "target": 3, "model_id": 4, "input_data": 5}',
    "a depth bomb": b"[" * 100_000,
}


@pytest.mark.parametrize("body", POISON.values(), ids=POISON)
@pytest.mark.parametrize("queue", [TRAIN_QUEUE, PREDICT_QUEUE])
def test_a_poison_message_is_answered_and_goes_to_the_dead_letters(
    queue: str, body: bytes, running: Running, connection: pika.BlockingConnection
) -> None:
    client = RpcClient(connection)
    (reply,) = client.call(queue, body)
    assert reply["status"] == "TASK_ERROR"
    assert reply["error"]["type"] in ("malformed", "invalid")
    assert reply["error"]["detail"]
    properties, letter = dead_letter(connection.channel())
    assert letter == body
    assert properties.correlation_id == client.corr_id
    assert properties.headers["x-first-death-queue"] == queue
    assert "Traceback" not in running.stack.output()


@pytest.mark.parametrize("queue", [TRAIN_QUEUE, PREDICT_QUEUE])
def test_poison_of_whoever_wants_no_reply_goes_to_the_dead_letters_too(
    queue: str, channel: BlockingChannel
) -> None:
    channel.basic_publish("", queue, b"no JSON")
    assert dead_letter(channel)[1] == b"no JSON"


@pytest.mark.parametrize("target", [TRAIN_QUEUE, PREDICT_QUEUE, DEAD_LETTER_QUEUE])
def test_no_reply_goes_into_a_queue_of_work_or_of_the_dead(
    target: str, running: Running, channel: BlockingChannel
) -> None:
    asked = pika.BasicProperties(reply_to=target, correlation_id="a")
    channel.basic_publish("", PREDICT_QUEUE, b"no JSON", asked)
    assert dead_letter(channel)[1] == b"no JSON"
    running.consumer.says(f"no reply is sent into '{target}'")
    assert running.stack.waiting(DEAD_LETTER_QUEUE) == 0


def test_a_reply_queue_that_is_gone_does_no_harm(
    running: Running, model_id: str, channel: BlockingChannel
) -> None:
    gone = pika.BasicProperties(reply_to="gone", correlation_id="a")
    wanted = {**TRAIN, "model_id": f"gone-{uuid.uuid4()}"}
    channel.basic_publish("", TRAIN_QUEUE, json.dumps(wanted), gone)
    until(lambda: running.http.get(f"/jobs/{wanted['model_id']}").is_success, "the job has begun")
    until(
        lambda: job(running.http, wanted["model_id"])["state"] == "TASK_COMPLETED", "it completes"
    )


def test_after_all_that_all_threads_of_all_kinds_are_at_work(
    running: Running, model_id: str
) -> None:
    with running.stack.amqp() as connection:
        for queue in (TRAIN_QUEUE, PREDICT_QUEUE):
            state = connection.channel().queue_declare(queue, passive=True).method
            assert state.consumer_count == 2
    assert running.consumer.output().count(CONSUMING) == 7, "none was made anew"
    assert predict(running.http, trained(running.http))["status"] == "TASK_COMPLETED"
    assert running.stack.waiting(DEAD_LETTER_QUEUE) == 0


def test_whoever_loses_a_connection_makes_a_new_one(
    running: Running, model_id: str, broker: Broker
) -> None:
    vhost = running.stack.environment["RABBITMQ_VHOST"]
    before = running.consumer.output().count(CONSUMING)

    def connections() -> list[dict[str, Any]]:
        return list(broker.api("GET", f"vhosts/{vhost}/connections"))

    def named() -> set[str | None]:  # a worker that has sent direct replies has two of its name
        return {each.get("user_provided_name") for each in connections()}

    until(
        lambda: len(named()) == 11 and None not in named(),
        "the management API knows of ours and of no other",
    )
    for name in [each["name"] for each in connections()]:
        broker.api("DELETE", f"connections/{quote(name, safe='')}")
    running.producer.says("connected to RabbitMQ", times=2)
    running.consumer.says(CONSUMING, times=before + 7)
    assert predict(running.http, trained(running.http))["status"] == "TASK_COMPLETED"
