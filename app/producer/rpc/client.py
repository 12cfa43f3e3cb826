"""Calls over RabbitMQ: one connection, one callback queue, `{correlation_id: Future}`.

The pattern is RabbitMQ's RPC tutorial, with many calls in flight on one server-named exclusive
queue. After a loss everything is made anew, and whoever waited is told at once.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pika
from pika.channel import Channel
from pika.exceptions import AMQPError, ChannelClosedByBroker

from app import errors
from app.amqp import rpc_connection
from app.protocol.replies import Reply
from app.protocol.types import JSON_MEDIA_TYPE, JobStatus
from app.retry import ReconnectBackoff

log = logging.getLogger(__name__)

CLOSE_SECONDS = 2.0  # how long it may take to say goodbye

_COMPLETED = b'{"status":"%s",' % JobStatus.COMPLETED.encode()

_Future = asyncio.Future[Any]


class RpcClient:
    """A client of the consumers' queues. It lives on one event loop; `start` it there.

    While the broker is away its methods raise `errors.BrokerUnavailable`, at once.
    """

    def __init__(self, parameters: pika.ConnectionParameters) -> None:
        """Nothing is connected yet."""
        self._parameters = parameters
        self._session: rpc_connection.RpcConnection | None = None
        self._replies: dict[str, _Future] = {}
        self._supervisor: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to connect, and to connect again after each loss; returns at once."""
        self._supervisor = asyncio.create_task(self._supervise(), name="rpc")

    async def stop(self) -> None:
        """Close the connection; callers that still wait are told."""
        session = self._session
        if self._supervisor:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])
        if session:
            await asyncio.wait([session.closed], timeout=CLOSE_SECONDS)

    def check(self) -> rpc_connection.RpcConnection:
        """Return the connection, or raise when calls cannot be made now."""
        if self._session is None:
            raise errors.BrokerUnavailable("RabbitMQ cannot be reached; trying again")
        if self._session.blocked:
            raise errors.BrokerUnavailable(rpc_connection.BLOCKED_DETAIL)
        return self._session

    async def call(
        self, queue: str, body: bytes, deadline: float, content_type: str = JSON_MEDIA_TYPE
    ) -> bytes:
        """Publish a request that expires after `deadline` seconds; return the reply, unread.

        Raises `errors.DeadlineExceeded`, `Unroutable` or `BrokerUnavailable`.
        """
        session = self.check()
        with self._expecting() as (correlation_id, reply):
            properties = {
                "expiration": str(int(deadline * 1000)),
                "content_type": content_type,
            }
            self._publish(session, session.calls, queue, body, correlation_id, **properties)
            try:
                async with asyncio.timeout(deadline):
                    answer: bytes = await reply
                    return answer
            except TimeoutError:
                raise errors.DeadlineExceeded(
                    f"no consumer answered within {deadline:g} s"
                ) from None

    async def submit(
        self, queue: str, body: bytes, job_id: str, wait: float, *, replied: bool = True
    ) -> Reply | None:
        """Publish a job, durably; return the first reply to it if one comes within `wait` seconds.

        What is not `replied` to is done with when the broker has it. Raises
        `errors.BrokerUnavailable` when the broker has not taken it, as far as can be told in that
        time, or the error that the reply tells of.
        """
        session = self.check()
        with self._expecting() as (correlation_id, reply):
            properties = {"message_id": job_id, "delivery_mode": 2, "content_type": JSON_MEDIA_TYPE}
            properties |= {} if replied else {"reply_to": None}
            self._publish(session, session.jobs, queue, body, correlation_id, **properties)
            session.published += 1
            confirm = asyncio.get_running_loop().create_future()
            session.confirms[session.published] = confirm
            try:
                async with asyncio.timeout(wait):
                    await confirm
                    if not replied and not reply.done():  # what no queue took has come back by now
                        return None
                    return parse_reply(await reply)
            except TimeoutError:
                if confirm.cancelled():
                    raise errors.BrokerUnavailable(f"no confirm within {wait:g} s") from None
                return None
            except errors.Unroutable:
                raise
            except errors.BrokerUnavailable:
                if not confirm.done() or confirm.exception():
                    raise
                return None  # the job is safe, only the news of it is not

    async def consumers(self, queue: str) -> int:
        """Return how many consumers a queue has. Raises `errors.Unroutable` without the queue."""
        session = self.check()
        # A passive declare of what is not there closes its channel, so it has one of its own.
        channel = await rpc_connection.open_channel(session.connection, session.lost)
        closed: _Future = asyncio.get_running_loop().create_future()
        channel.add_on_close_callback(lambda _, error: rpc_connection.succeed(closed, error))
        try:
            frame = await rpc_connection.wait_for_callback(
                lambda done: channel.queue_declare(queue, passive=True, callback=done), closed
            )
        except errors.BrokerUnavailable as error:
            if closed.done() and isinstance(closed.result(), ChannelClosedByBroker):
                raise errors.Unroutable(f"queue {queue} does not exist") from error
            raise
        finally:
            if channel.is_open:
                channel.close()
        count: int = frame.method.consumer_count
        return count

    @contextmanager
    def _expecting(self) -> Iterator[tuple[str, _Future]]:
        """Listen before the request leaves; forget when the caller does."""
        correlation_id = uuid.uuid4().hex
        reply: _Future = asyncio.get_running_loop().create_future()
        self._replies[correlation_id] = reply
        try:
            yield correlation_id, reply
        finally:
            del self._replies[correlation_id]
            if not reply.cancel() and not reply.cancelled():
                reply.exception()  # looked at, so that the loop does not complain of it

    @staticmethod
    def _publish(
        session: rpc_connection.RpcConnection,
        channel: Channel,
        queue: str,
        body: bytes,
        correlation_id: str,
        **properties: Any,
    ) -> None:
        properties = {
            "correlation_id": correlation_id,
            "reply_to": session.callback_queue,
            "timestamp": int(time.time()),
            **properties,
        }
        try:
            channel.basic_publish(
                "", queue, body, pika.BasicProperties(**properties), mandatory=True
            )
        except AMQPError as error:
            raise errors.BrokerUnavailable(f"RabbitMQ cannot be reached: {error!r}") from error

    def _on_reply(self, _channel: Channel, _method: Any, properties: Any, body: bytes) -> None:
        reply = self._replies.get(properties.correlation_id)
        if reply is None or reply.done():
            log.debug("a late reply to %s", properties.correlation_id)
        else:
            reply.set_result(body)

    def _on_return(self, _channel: Channel, method: Any, properties: Any, _body: bytes) -> None:
        if reply := self._replies.get(properties.correlation_id):
            error = errors.Unroutable(
                f"queue {method.routing_key} does not exist: is a consumer up?"
            )
            rpc_connection.fail(reply, error)

    def _give_up(self, why: str) -> None:
        """Tell all who wait that nothing will come."""
        for reply in self._replies.values():
            rpc_connection.fail(reply, errors.BrokerUnavailable(why))

    async def _supervise(self) -> None:
        """Keep a connection for ever."""
        delays = ReconnectBackoff()
        while True:
            session = None
            delays.begin()
            try:
                session = await rpc_connection.connect(
                    self._parameters,
                    self._on_reply,
                    self._on_return,
                    lambda: self._give_up(rpc_connection.BLOCKED_DETAIL),
                )
                log.info("connected to RabbitMQ")
                self._session = session
                await asyncio.wait([session.lost])  # which a cancelled `await` would cancel
                cause = repr(session.lost.result())
            except errors.BrokerUnavailable as error:
                cause = error.detail
            except Exception as error:  # a bug must not leave the producer without a connection
                log.exception("the connection failed")
                cause = repr(error)
            finally:
                self._session = None
                if session:
                    session.close()
                self._give_up("RabbitMQ was lost during the call")
            delay = delays.next()
            log.warning("%s; again in %.1f s", cause, delay)
            await asyncio.sleep(delay)


def ensure_success(body: bytes) -> bytes:
    """Return a reply as it came, unread if it begins like a success. Raises what `read` does."""
    if not body.startswith(_COMPLETED):
        parse_reply(body)
    return body


def parse_reply(body: bytes) -> Reply:
    """Return the reply that a body holds. Raises the error that it tells of, if it does."""
    try:
        reply = Reply.decode(body)
    except errors.Malformed as error:
        raise errors.WarrenError(f"a consumer sent no valid reply: {error}") from None
    if reply.status is JobStatus.ERROR:
        raise errors.from_wire(reply.fields["error"])
    return reply
