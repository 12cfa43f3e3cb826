"""The health checks of the containers, against real processes: they fail when nobody can log in."""

import os
import subprocess
from pathlib import Path

import pytest

from devstack.program import inherited
from devstack.rabbitmq import Broker
from tests.support.containers import health_check
from tests.system.conftest import Running
from tests.system.support.processes import ALONE, Stack, until

PLAIN_HTTP = True  # it speaks HTTP by itself

WRONG = {"RABBITMQ_PASSWORD": "wrong"}


def healthy(command: list[str], **environment: str) -> bool:
    """Run a health check; return whether it succeeds."""
    ended = subprocess.run(
        command, env=inherited() | environment, capture_output=True, timeout=30, check=False
    )
    return ended.returncode == 0


@pytest.mark.plain  # the checked container's broker listens without TLS
@pytest.mark.parametrize("right", [True, False])
def test_the_broker_is_healthy_while_its_user_may_log_in(broker: Broker, right: bool) -> None:
    node = broker.node
    command = health_check("rabbitmq", p15672=str(node.management), p5672=str(node.amqp))
    of = node.settings()
    password = of["RABBITMQ_PASSWORD"] if right else "wrong"
    assert healthy(command, HEALTH_LOGIN=f"{of['RABBITMQ_USER']}:{password}") is right


def test_the_broker_is_not_healthy_without_amqp(broker: Broker) -> None:
    node = broker.node
    command = health_check("rabbitmq", p15672=str(node.management), p5672="1")
    of = node.settings()
    login = f"{of['RABBITMQ_USER']}:{of['RABBITMQ_PASSWORD']}"
    assert not healthy(command, HEALTH_LOGIN=login)


def test_the_producer_is_healthy_while_it_can_log_in(running: Running) -> None:
    port = running.http.base_url.port
    assert healthy(health_check("producer", p5000=str(port)))

    _, http = running.stack.producer("lost RabbitMQ", **WRONG)
    assert not healthy(health_check("producer", p5000=str(http.base_url.port)))
    assert http.get("/health").status_code == 200


def test_the_consumer_is_healthy_while_it_serves_its_connections(
    stack: Stack, tmp_path: Path
) -> None:
    file = tmp_path / "healthy"
    check = health_check("consumer")
    consumer = stack.consumer(ALONE, HEALTH_FILE=str(file))
    until(lambda: healthy(check, HEALTH_FILE=str(file)), "the consumer is healthy")

    consumer.freeze()
    long_ago = file.stat().st_mtime - 60
    os.utime(file, (long_ago, long_ago))
    assert not healthy(check, HEALTH_FILE=str(file))
    consumer.thaw()
    until(lambda: healthy(check, HEALTH_FILE=str(file)), "the consumer is healthy again")


def test_a_consumer_that_cannot_log_in_is_not_healthy(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "healthy"
    consumer = stack.start(ALONE, HEALTH_FILE=str(file), **WRONG)
    consumer.says("lost RabbitMQ", times=3)
    assert not healthy(health_check("consumer"), HEALTH_FILE=str(file))
