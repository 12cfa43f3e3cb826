import asyncio
from itertools import repeat

import pytest

from app import errors
from app.amqp.async_reconnect import run_with_reconnect, wait_for_first
from app.backoff import ReconnectBackoff

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio", {"use_uvloop": True}


class FakeConnection:
    def __init__(self):
        self.lost = asyncio.get_running_loop().create_future()
        self.closed = False

    async def close(self):
        self.closed = True


class Broker:
    """Opens connections, or raises what a test has put into `failures`."""

    def __init__(self):
        self.connections = []
        self.failures = []
        self.stopping = asyncio.Event()

    async def open(self):
        if self.failures:
            raise self.failures.pop(0)
        self.connections.append(FakeConnection())
        return self.connections[-1]

    async def run(self, serve):
        backoff = ReconnectBackoff(lambda: repeat(0.0))
        async with asyncio.timeout(20):
            await run_with_reconnect("the client", self.open, serve, self.stopping, backoff)


@pytest.fixture
async def broker(anyio_backend):
    return Broker()


async def test_a_lost_connection_is_closed_and_followed_by_another(broker, caplog):
    async def serve(connection):
        if len(broker.connections) == 3:
            broker.stopping.set()
        else:
            connection.lost.set_result("cut off")

    await broker.run(serve)

    assert [each.closed for each in broker.connections] == [True] * 3
    assert caplog.text.count("the client lost RabbitMQ (cut off); again in 0.0 s") == 2


@pytest.mark.parametrize("error", [errors.BrokerUnavailable("refused"), KeyError("a bug")])
async def test_a_connection_that_cannot_be_opened_is_tried_again(broker, caplog, error):
    broker.failures = [error, error]

    async def serve(_):
        broker.stopping.set()

    await broker.run(serve)

    assert len(broker.connections) == 1
    assert caplog.text.count("; again in") == 2
    assert ("Traceback" in caplog.text) == isinstance(error, KeyError)


@pytest.mark.parametrize("error", [errors.BrokerUnavailable("lost"), KeyError("a bug")])
async def test_a_connection_that_fails_while_it_is_served_is_closed(broker, error):
    async def serve(_):
        if len(broker.connections) == 1:
            raise error
        broker.stopping.set()

    await broker.run(serve)

    assert [each.closed for each in broker.connections] == [True, True]


async def test_a_connection_is_closed_when_the_loop_is_cancelled(broker):
    serving = asyncio.Event()

    async def serve(connection):
        serving.set()
        await connection.lost

    task = asyncio.create_task(broker.run(serve))
    await serving.wait()
    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert broker.connections[0].closed


async def test_stopping_ends_the_wait_for_the_next_connection(broker):
    async def serve(connection):
        connection.lost.set_result("cut off")

    hour = ReconnectBackoff(lambda: repeat(3600.0))
    task = asyncio.create_task(
        run_with_reconnect("the client", broker.open, serve, broker.stopping, hour)
    )
    while not broker.connections:  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(0)
    broker.stopping.set()

    async with asyncio.timeout(20):
        await task


async def test_the_others_are_cancelled_when_the_first_is_done():
    never = asyncio.get_running_loop().create_future()

    await wait_for_first(asyncio.sleep(0), never)

    assert never.cancelled()
