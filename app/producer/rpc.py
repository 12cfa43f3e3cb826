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
from pika.exceptions import AMQPError

from app import errors
from app.broker import backoff
from app.messages import Reply, Status
from app.producer import amqp

log = logging.getLogger(__name__)

CONFIRM_SECONDS = 5.0  # how long the broker may take to confirm a job, a quorum's fsync included
CLOSE_SECONDS = 2.0  # how long it may take to say goodbye

_Future = asyncio.Future[Any]


class RpcClient:
    """A client of the consumers' queues. It lives on one event loop; `start` it there.

    While the broker is away its methods raise `errors.BrokerUnavailable`, at once.
    """

    def __init__(self, parameters: pika.ConnectionParameters) -> None:
        """Nothing is connected yet."""
        self._parameters = parameters
        self._session: amqp.Session | None = None
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

    def check(self) -> amqp.Session:
        """Return the connection, or raise when calls cannot be made now."""
        if self._session is None:
            raise errors.BrokerUnavailable("RabbitMQ cannot be reached; trying again")
        if self._session.blocked:
            raise errors.BrokerUnavailable("RabbitMQ is out of memory or disk, and takes nothing")
        return self._session

    async def call(self, queue: str, body: bytes, deadline: float) -> Reply:
        """Publish a request that expires after `deadline` seconds; return the reply to it.

        Raises `errors.DeadlineExceeded`, `Unroutable`, or the error that the reply tells of.
        """
        session = self.check()
        with self._expecting() as (correlation_id, reply):
            expiration = str(int(deadline * 1000))
            self._publish(session.calls, queue, body, correlation_id, expiration=expiration)
            try:
                async with asyncio.timeout(deadline):
                    return _checked(await reply)
            except TimeoutError:
                raise errors.DeadlineExceeded(
                    f"no consumer answered within {deadline:g} s"
                ) from None

    async def submit(self, queue: str, body: bytes, job_id: str, wait: float) -> Reply | None:
        """Publish a job, durably; return the first reply to it if one comes within `wait` seconds.

        Once this returns the broker has the job. Raises `errors.Unroutable`, or the error that the
        reply tells of.
        """
        session = self.check()
        with self._expecting() as (correlation_id, reply):
            self._publish(
                session.jobs, queue, body, correlation_id, message_id=job_id, delivery_mode=2
            )
            session.published += 1
            confirm = asyncio.get_running_loop().create_future()
            session.confirms[session.published] = confirm
            try:
                async with asyncio.timeout(CONFIRM_SECONDS):
                    await confirm
            except TimeoutError:
                raise errors.BrokerUnavailable("RabbitMQ did not confirm the job") from None
            done, _ = await asyncio.wait([reply], timeout=wait)
            if not done or type(reply.exception()) is errors.BrokerUnavailable:
                return None  # lost after the confirm: the job is safe, only the news of it is not
            return _checked(reply.result())

    async def consumers(self, queue: str) -> int:
        """Return how many consumers a queue has. Raises `errors.Unroutable` without the queue."""
        session = self.check()
        # A passive declare of what is not there closes its channel, so it has one of its own.
        channel = await amqp.open_channel(session.connection, session.lost)
        closed: _Future = asyncio.get_running_loop().create_future()
        channel.add_on_close_callback(lambda _, error: closed.set_result(error))
        try:
            frame = await amqp.until(
                lambda done: channel.queue_declare(queue, passive=True, callback=done), closed
            )
        except errors.BrokerUnavailable as error:
            raise errors.Unroutable(f"queue {queue} does not exist") from error
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

    def _publish(
        self, channel: Channel, queue: str, body: bytes, correlation_id: str, **properties: Any
    ) -> None:
        assert self._session is not None
        properties |= {
            "content_type": "application/json",
            "correlation_id": correlation_id,
            "reply_to": self._session.callback_queue,
            "timestamp": int(time.time()),
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
            return
        try:
            reply.set_result(Reply.decode(body))
        except errors.Malformed as error:
            reply.set_exception(errors.WarrenError(f"a consumer sent no valid reply: {error}"))

    def _on_return(self, _channel: Channel, method: Any, properties: Any, _body: bytes) -> None:
        if reply := self._replies.get(properties.correlation_id):
            error = errors.Unroutable(
                f"queue {method.routing_key} does not exist: is a consumer up?"
            )
            amqp.fail(reply, error)

    async def _supervise(self) -> None:
        """Keep a connection for ever."""
        delays = backoff()
        while True:
            session = None
            try:
                session = await amqp.connect(self._parameters, self._on_reply, self._on_return)
                log.info("connected to RabbitMQ")
                self._session, delays = session, backoff()
                await asyncio.wait([session.lost])  # which a cancelled `await` would cancel
                cause = repr(session.lost.result())
            except errors.BrokerUnavailable as error:
                cause = error.detail
            finally:
                self._session = None
                if session:
                    session.close()
                for reply in self._replies.values():
                    amqp.fail(reply, errors.BrokerUnavailable("RabbitMQ was lost during the call"))
            delay = next(delays)
            log.warning("%s; again in %.1f s", cause, delay)
            await asyncio.sleep(delay)


def _checked(reply: Reply) -> Reply:
    if reply.status is Status.ERROR:
        raise errors.from_wire(reply.fields.get("error", {}))
    return reply
