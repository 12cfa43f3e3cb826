"""Connect to RabbitMQ with pika, and reconnect in a thread."""

import copy
import logging
import ssl
import threading
from collections.abc import Callable, Sequence

import pika
from pika import BlockingConnection as BlockingConnection
from pika import ConnectionParameters as ConnectionParameters
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPConnectionError, AMQPError

from app import errors
from app.amqp.pika_decoding import install_lenient_pika_decoding
from app.amqp.tls import client_context, reason
from app.backoff import ReconnectBackoff
from app.settings import Settings

log = logging.getLogger(__name__)

SHORT_BLOCKED_TIMEOUT_SECONDS = 3.0
UNREACHABLE_DETAIL = "RabbitMQ cannot be reached; trying again"
BLOCKED_TIMEOUT_SECONDS = 30  # pika's default waits for ever while the broker is out of memory


class _Certificate(pika.credentials.ExternalCredentials):
    """A login by the client certificate. pika does not know whose it is."""

    def __init__(self, username: str) -> None:
        super().__init__()
        self.username = username


class _Tls(pika.SSLOptions):
    """Marks an encrypted connection. `with_tls` gives it a context that trusts somebody."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        self.settings = settings


def connection_parameters(settings: Settings, name: str) -> pika.ConnectionParameters:
    """Return connection parameters; the management UI shows `name` for the connection.

    Also makes pika's decoding lenient, so that no message's headers can end a connection. `connect`
    and `with_tls` read the files of certificates.
    """
    install_lenient_pika_decoding()
    user, password = settings.rabbitmq_user, settings.rabbitmq_password.get_secret_value()
    external = settings.rabbitmq_external
    return pika.ConnectionParameters(
        host=settings.rabbitmq_host,
        port=settings.rabbitmq_port,
        virtual_host=settings.rabbitmq_vhost,
        credentials=_Certificate(user) if external else pika.PlainCredentials(user, password),
        ssl_options=_Tls(settings) if settings.rabbitmq_tls == "on" else None,
        heartbeat=settings.rabbitmq_heartbeat,
        blocked_connection_timeout=BLOCKED_TIMEOUT_SECONDS,
        socket_timeout=5,
        stack_timeout=10,
        client_properties={"connection_name": name},
    )


def login_of(parameters: pika.ConnectionParameters) -> str | None:
    """Return the user of a connection."""
    credentials = parameters.credentials
    if isinstance(credentials, pika.PlainCredentials | _Certificate):
        return credentials.username
    return None


def with_tls(parameters: pika.ConnectionParameters) -> pika.ConnectionParameters:
    """Return the parameters for one connection, with the certificates that the files have now.

    Raises `errors.BrokerUnavailable` for a file that is no good.
    """
    options = parameters.ssl_options
    context = client_context(options.settings) if isinstance(options, _Tls) else None
    if context is None:
        return parameters
    made = copy.copy(parameters)
    made.ssl_options = pika.SSLOptions(context, parameters.host)
    return made


def with_short_blocked_timeout(parameters: pika.ConnectionParameters) -> pika.ConnectionParameters:
    """Copy the parameters for a connection that ends soon after the broker blocks it."""
    changed = copy.copy(parameters)
    changed.blocked_connection_timeout = SHORT_BLOCKED_TIMEOUT_SECONDS
    return changed


def unreachable(error: AMQPError) -> errors.BrokerUnavailable:
    """Log an error of a call of pika's; return the error that users see instead."""
    log.warning("RabbitMQ cannot be reached: %s", reason(error))
    return errors.BrokerUnavailable(UNREACHABLE_DETAIL)


class _JoinedFrames(pika.connection.Connection):
    """Sends a message's frames together, because pika would wake the broker three times."""

    def _output_marshaled_frames(self, marshaled_frames: Sequence[bytes]) -> None:
        super()._output_marshaled_frames([b"".join(marshaled_frames)])  # type: ignore[misc]


class PikaConnection(_JoinedFrames, AsyncioConnection):
    """A connection on an asyncio event loop."""


class SelectConnection(_JoinedFrames, pika.SelectConnection):
    """The connection inside a BlockingConnection."""


def connect(parameters: pika.ConnectionParameters) -> pika.BlockingConnection:
    """Connect. Raises an `AMQPError`, or `OSError` for a name that does not resolve.

    Raises `errors.BrokerUnavailable` for a file of a certificate that is no good.
    """
    made = with_tls(parameters)
    try:
        return pika.BlockingConnection(made, _impl_class=SelectConnection)  # type: ignore[arg-type]
    except (AMQPConnectorException, ValueError) as error:
        # The peer is silent or closes the connection.
        raise AMQPConnectionError(str(error)) from error


def run_with_reconnect(
    parameters: pika.ConnectionParameters,
    name: str,
    stopping: threading.Event,
    serve: Callable[[pika.BlockingConnection], None],
    backoff: ReconnectBackoff | None = None,
) -> None:
    """Connect and `serve`, and repeat this after each loss until `stopping` is set.

    `serve` may raise pika's errors or `errors.BrokerUnavailable`. The log line about a
    loss begins with `name`. `async_reconnect` does the same on an event loop.
    """
    backoff = backoff or ReconnectBackoff()
    while not stopping.is_set():
        backoff.begin()
        try:
            with connect(parameters) as connection:
                serve(connection)
        except (AMQPError, OSError, errors.BrokerUnavailable) as error:
            delay = backoff.next()
            log.warning("%s lost RabbitMQ (%s); again in %.1f s", name, reason(error), delay)
            stopping.wait(delay)
