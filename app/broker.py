"""How to reach RabbitMQ: the parameters and connections that producer and consumer share."""

import copy
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from time import monotonic

import pika
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPConnectionError, AMQPError

from app import tables
from app.settings import Settings

STEADY_SECONDS = 5.0  # a connection that was lost sooner may be so again
IMPATIENT_SECONDS = 3.0
BLOCKED_TIMEOUT_SECONDS = 30  # pika's default waits for ever while the broker is out of memory


def parameters(settings: Settings, name: str) -> pika.ConnectionParameters:
    """Return connection parameters; `name` is what the management UI shows for the connection.

    Whoever connects with them can read any message: pika is shielded from headers it cannot decode.
    """
    tables.shield()
    return pika.ConnectionParameters(
        host=settings.rabbitmq_host,
        port=settings.rabbitmq_port,
        virtual_host=settings.rabbitmq_vhost,
        credentials=pika.PlainCredentials(
            settings.rabbitmq_user, settings.rabbitmq_password.get_secret_value()
        ),
        heartbeat=settings.rabbitmq_heartbeat,
        blocked_connection_timeout=BLOCKED_TIMEOUT_SECONDS,
        socket_timeout=5,
        stack_timeout=10,
        client_properties={"connection_name": name},
    )


def impatient(parameters: pika.ConnectionParameters) -> pika.ConnectionParameters:
    """Return the same for a connection that is given up soon while the broker takes nothing."""
    changed = copy.copy(parameters)
    changed.blocked_connection_timeout = IMPATIENT_SECONDS
    return changed


class _Joined(pika.connection.Connection):
    """Sends a message's frames together: pika sends each apart, and wakes the broker thrice."""

    def _output_marshaled_frames(self, marshaled_frames: Sequence[bytes]) -> None:
        super()._output_marshaled_frames([b"".join(marshaled_frames)])  # type: ignore[misc]


class AsyncConnection(_Joined, AsyncioConnection):
    """A connection that lives on an event loop of asyncio."""


class _Selecting(_Joined, pika.SelectConnection):
    """What a BlockingConnection is made of."""


def connect(parameters: pika.ConnectionParameters) -> pika.BlockingConnection:
    """Connect. Raises an `AMQPError`, or `OSError` for a name that does not resolve."""
    try:
        return pika.BlockingConnection(parameters, _impl_class=_Selecting)  # type: ignore[arg-type]
    except (AMQPConnectorException, ValueError) as error:  # a peer that is silent, or hangs up
        raise AMQPConnectionError(str(error)) from error


def backoff() -> Iterator[float]:
    """Yield the seconds to wait before each new connection: doubling from 0.1 to 5, with jitter.

    The jitter takes up to half of a delay away, so that a fleet does not return in step.
    """
    delay = 0.1
    while True:
        yield delay * random.uniform(0.5, 1.0)  # noqa: S311
        delay = min(delay * 2, 5.0)


def keep(
    parameters: pika.ConnectionParameters,
    stopping: threading.Event,
    serve: Callable[[pika.BlockingConnection], None],
    lost: Callable[[Exception, float], None],
) -> None:
    """Connect and `serve`, again after each loss, until `stopping` is set.

    `lost` is told the error and the seconds until the next connection.
    """
    delays = Delays()
    while not stopping.is_set():
        delays.begin()
        try:
            with connect(parameters) as connection:
                serve(connection)
        except (AMQPError, OSError) as error:
            delay = delays.next()
            lost(error, delay)
            stopping.wait(delay)


class Delays:
    """The delays between connections. They begin anew after one that held."""

    def __init__(self) -> None:
        """Nothing has been tried."""
        self._delays = backoff()
        self._since = monotonic()

    def begin(self) -> None:
        """Say that a connection is tried now."""
        self._since = monotonic()

    def next(self) -> float:
        """Return the seconds to wait now that it is lost."""
        if monotonic() > self._since + STEADY_SECONDS:
            self._delays = backoff()
        return next(self._delays)
