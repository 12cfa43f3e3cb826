"""Connections that are idle, and a consumer whose connection is lost while it is frozen."""

import sys

import pytest

from app.amqp.topology import INVOKE_QUEUE, PREDICT_QUEUE, TRAIN_QUEUE
from devstack.demo import TRAIN
from devstack.rabbitmq import Broker
from tests.support.heartbeats import until_an_idle_connection_is_dropped
from tests.system.support.amqp import DIRECT, RpcClient
from tests.system.support.client import upload
from tests.system.support.processes import ALONE, Stack, consumes, until

HEARTBEAT = {"RABBITMQ_HEARTBEAT": "1"}


def test_every_connection_answers_the_heartbeats_while_it_is_idle(
    stack: Stack, broker: Broker
) -> None:
    stack.pair(ALONE, **HEARTBEAT)
    vhost = stack.environment["RABBITMQ_VHOST"]

    def connections() -> set[str]:
        found = broker.api("GET", f"vhosts/{vhost}/connections")
        names = {each["name"]: each.get("user_provided_name") or "" for each in found}
        return {each for each, name in names.items() if name.startswith("warren ")}

    with stack.amqp() as connection:
        client = RpcClient(connection, DIRECT)
        for queue in (TRAIN_QUEUE, PREDICT_QUEUE, INVOKE_QUEUE):
            client.call(queue, {})
        until(lambda: len(connections()) == 11, "eight, and one for each kind of reply")
        before = connections()
        idle = stack.parameters(heartbeat=1)
        until_an_idle_connection_is_dropped(idle, connection)
        assert connections() == before


@pytest.mark.skipif(sys.platform != "linux", reason="stops a process")
def test_a_message_that_a_frozen_consumer_had_not_read_is_one_job(stack: Stack) -> None:
    """Nothing names the message: when the consumer wakes up, it looks as if it were the first."""
    _, frozen, http = stack.pair(ALONE, **HEARTBEAT)
    upload(http)
    with stack.amqp() as connection:
        client = RpcClient(connection)
        frozen.freeze()
        client.ask(TRAIN_QUEUE, TRAIN)
        consumes(stack.start(ALONE, **HEARTBEAT), 1)
        assert client.end()["status"] == "TASK_COMPLETED"
    frozen.thaw()
    frozen.says("the consumer of queue.model.train lost RabbitMQ")
    frozen.says(" consuming queue.model.train", times=2)
    assert len(http.get("/jobs").json()["jobs"]) == 1
