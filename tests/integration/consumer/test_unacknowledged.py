"""What consumers say that they hold is what the broker says that they hold."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace

import pytest

from app.amqp.connection import connection_parameters
from app.amqp.message import IncomingMessage
from app.amqp.topology import INVOKE_QUEUE, PREDICT_ASYNC_QUEUE, PREDICT_QUEUE, TRAIN_QUEUE
from app.consumer.async_consumer import AsyncConsumer
from app.consumer.gauges import held_deliveries
from app.consumer.threaded_consumer import ThreadedConsumer
from app.remote.client import RemoteModelClient
from app.settings import Settings
from devstack.rabbitmq import Broker
from tests.support.client import Client
from tests.support.fakes import HandlerOf
from tests.support.waiting import until
from tests.support.wire import close_connection

Consumer = ThreadedConsumer | AsyncConsumer


class Held:
    """Handlers that keep their messages until `gate` is set."""

    def __init__(self) -> None:
        self.gate = threading.Event()

    def __call__(self, messages: list[IncomingMessage]) -> None:
        assert self.gate.wait(60)

    async def one(self, message: IncomingMessage) -> None:
        while not self.gate.is_set():  # noqa: ASYNC110  a test opens it
            await asyncio.sleep(0.01)


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def consumers(settings: Settings, held: Held) -> Iterator[list[Consumer]]:
    """Consumers of four queues, as one process has them."""
    handlers = {
        "train-0": HandlerOf(held, TRAIN_QUEUE),
        "train-1": HandlerOf(held, TRAIN_QUEUE),
        "predict": HandlerOf(held, PREDICT_QUEUE, prefetch=5),
    }
    made: list[Consumer] = [
        *(
            ThreadedConsumer(name, connection_parameters(settings, name), handler)
            for name, handler in handlers.items()
        ),
        AsyncConsumer(
            settings,
            "invoke",
            RemoteModelClient(settings),
            [asynchronous(held, INVOKE_QUEUE), asynchronous(held, PREDICT_ASYNC_QUEUE)],
        ),
    ]
    for each in made:
        each.start()
    yield made
    held.gate.set()
    for each in made:
        each.stop()
        if isinstance(each, AsyncConsumer):
            each.give_up()
    for each in made:
        each.join(20)


def asynchronous(held: Held, queue: str) -> SimpleNamespace:
    """Return a handler of a queue that takes two messages at a time."""

    class Handler(SimpleNamespace):
        async def __call__(self, message: IncomingMessage) -> None:
            await held.one(message)

    return Handler(queue=queue, prefetch=2)


def of_broker(broker: Broker, vhost: str, queues: list[str]) -> dict[str, int]:
    """Ask the management API."""
    ask: Callable[[str], dict[str, int]] = partial(broker.api, "GET")
    found = {queue: ask(f"queues/{vhost}/{queue}") for queue in queues}
    return {queue: each.get("messages_unacknowledged", 0) for queue, each in found.items()}


def test_the_deliveries_that_consumers_hold_are_those_that_the_broker_counts(
    consumers: list[Consumer], held: Held, client: Client, broker: Broker, vhost: str
) -> None:
    expected = {TRAIN_QUEUE: 2, PREDICT_QUEUE: 5, INVOKE_QUEUE: 2, PREDICT_ASYNC_QUEUE: 1}
    sent = {TRAIN_QUEUE: 3, PREDICT_QUEUE: 9, INVOKE_QUEUE: 4, PREDICT_ASYNC_QUEUE: 1}
    for queue, count in sent.items():
        for number in range(count):
            client.ask(number, queue)

    until(lambda: held_deliveries(consumers) == expected, "the prefetch has arrived")
    until(lambda: of_broker(broker, vhost, list(expected)) == expected, "the broker says the same")

    held.gate.set()
    nothing = dict.fromkeys(expected, 0)
    until(lambda: held_deliveries(consumers) == nothing, "all are settled")
    until(lambda: of_broker(broker, vhost, list(expected)) == nothing, "the broker says the same")


def test_what_came_on_a_lost_connection_is_not_held(
    consumers: list[Consumer], client: Client, broker: Broker
) -> None:
    invoker = consumers[-1]
    assert isinstance(invoker, AsyncConsumer)
    for queue in (PREDICT_QUEUE, INVOKE_QUEUE):
        client.ask(1, queue)
    until(lambda: sum(held_deliveries(consumers).values()) == 2, "both have arrived")

    close_connection(broker, "predict")
    until(lambda: held_deliveries(consumers)[PREDICT_QUEUE] == 0, "the broker has it again")

    close_connection(broker, "invoke")
    until(lambda: invoker.in_flight == 2, "it came once more")
    assert held_deliveries(consumers)[INVOKE_QUEUE] == 1
