"""How to reach RabbitMQ: the parameters and connections that producer and consumer share."""

import copy
import threading
from collections.abc import Callable, Sequence

import pika
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPConnectionError, AMQPError

from app.amqp.decoding import install_lenient_pika_decoding
from app.retry import ReconnectBackoff
from app.settings import Settings

SHORT_BLOCKED_TIMEOUT_SECONDS = 3.0
BLOCKED_TIMEOUT_SECONDS = 30  # pika's default waits for ever while the broker is out of memory


def connection_parameters(settings: Settings, name: str) -> pika.ConnectionParameters:
    """Return connection parameters; `name` is what the management UI shows for the connection.

    Whoever connects with them can read any message: pika is shielded from headers it cannot decode.
    """
    install_lenient_pika_decoding()
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


def with_short_blocked_timeout(parameters: pika.ConnectionParameters) -> pika.ConnectionParameters:
    """Return the same for a connection that is given up soon while the broker takes nothing."""
    changed = copy.copy(parameters)
    changed.blocked_connection_timeout = SHORT_BLOCKED_TIMEOUT_SECONDS
    return changed


class _JoinedFrames(pika.connection.Connection):
    """Sends a message's frames together: pika sends each apart, and wakes the broker thrice."""

    def _output_marshaled_frames(self, marshaled_frames: Sequence[bytes]) -> None:
        super()._output_marshaled_frames([b"".join(marshaled_frames)])  # type: ignore[misc]


class PikaConnection(_JoinedFrames, AsyncioConnection):
    """A connection that lives on an event loop of asyncio."""


class _SelectConnection(_JoinedFrames, pika.SelectConnection):
    """What a BlockingConnection is made of."""


def connect(parameters: pika.ConnectionParameters) -> pika.BlockingConnection:
    """Connect. Raises an `AMQPError`, or `OSError` for a name that does not resolve."""
    try:
        return pika.BlockingConnection(parameters, _impl_class=_SelectConnection)  # type: ignore[arg-type]
    except (AMQPConnectorException, ValueError) as error:  # a peer that is silent, or hangs up
        raise AMQPConnectionError(str(error)) from error


def run_with_reconnect(
    parameters: pika.ConnectionParameters,
    stopping: threading.Event,
    serve: Callable[[pika.BlockingConnection], None],
    lost: Callable[[Exception, float], None],
) -> None:
    """Connect and `serve`, again after each loss, until `stopping` is set.

    `lost` is told the error and the seconds until the next connection.
    """
    delays = ReconnectBackoff()
    while not stopping.is_set():
        delays.begin()
        try:
            with connect(parameters) as connection:
                serve(connection)
        except (AMQPError, OSError) as error:
            delay = delays.next()
            lost(error, delay)
            stopping.wait(delay)
