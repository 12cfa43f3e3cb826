"""Calls over RabbitMQ: one connection, one callback queue, `{correlation_id: Future}`.

The pattern is that of RabbitMQ's RPC tutorial, with many calls in flight on one server-named
exclusive queue. After a loss, all callers that wait get an error at once, and a new connection has
a new queue.
"""

import asyncio
import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from app import errors
from app.amqp.async_reconnect import run_with_reconnect
from app.amqp.connection import UNREACHABLE_DETAIL, ConnectionParameters
from app.amqp.rpc_connection import BLOCKED_DETAIL, QueueCount, RpcConnection, open_rpc_connection
from app.concurrency import fail
from app.observability import tracing
from app.observability.messaging_spans import send_span
from app.observability.traceparent import Traceparent
from app.producer.rpc.replies import read_reply
from app.protocol.replies import Reply
from app.protocol.types import JSON_MEDIA_TYPE

log = logging.getLogger(__name__)

_Reply = asyncio.Future[bytes]


class RpcClient:
    """Calls the consumers; belongs to one event loop, where `start` is called.

    While the broker cannot be reached, its methods raise `errors.BrokerUnavailable` at once.
    """

    def __init__(self, parameters: ConnectionParameters) -> None:
        """Create the client without connecting."""
        self._parameters = parameters
        self._connection: RpcConnection | None = None
        self._replies: dict[str, _Reply] = {}
        self._supervisor: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start a task that connects, and connects again after each loss."""
        never = asyncio.Event()  # `stop` cancels the task, because opening may take long
        supervise = run_with_reconnect("the RPC client", self._open, self._serve, never)
        self._supervisor = asyncio.create_task(supervise, name="rpc")

    async def stop(self) -> None:
        """Close the connection; callers that still wait get an error."""
        if self._supervisor:
            self._supervisor.cancel()
            await asyncio.wait([self._supervisor])

    @property
    def in_flight(self) -> int:
        """The number of calls and jobs that wait for a reply."""
        return len(self._replies)

    def check(self) -> RpcConnection:
        """Return the connection. Raises `errors.BrokerUnavailable` without a usable one."""
        if self._connection is None:
            raise errors.BrokerUnavailable(UNREACHABLE_DETAIL)
        if self._connection.blocked:
            raise errors.BrokerUnavailable(BLOCKED_DETAIL)
        return self._connection

    async def call(
        self,
        queue: str,
        body: bytes,
        deadline: float,
        content_type: str = JSON_MEDIA_TYPE,
        traceparents: Sequence[Traceparent] | None = None,
    ) -> bytes:
        """Publish a request that expires after `deadline` seconds; return the unparsed reply.

        `traceparents` name the spans of the calls that it joins. Raises
        `errors.DeadlineExceeded`, `Unroutable` or `BrokerUnavailable`.
        """
        connection = self.check()
        with self._expecting() as (correlation_id, reply):
            if tracing.is_on():
                with send_span(
                    *(connection.exchange, queue),
                    conversation_id=correlation_id,
                    parents=traceparents,
                ):
                    connection.publish_call(queue, body, correlation_id, content_type, deadline)
            else:
                connection.publish_call(queue, body, correlation_id, content_type, deadline)
            try:
                async with asyncio.timeout(deadline):
                    return await reply
            except TimeoutError:
                raise errors.DeadlineExceeded(
                    f"no consumer answered within {deadline:g} s"
                ) from None

    async def submit(
        self, queue: str, body: bytes, job_id: str, wait: float, *, replied: bool = True
    ) -> Reply | None:
        """Publish a job, durably; return its first reply if one comes within `wait` seconds.

        Unless `replied`, return None once the broker has confirmed the job. Raises
        `errors.BrokerUnavailable` if it did not confirm in time, or the error in the reply.
        """
        connection = self.check()
        with self._expecting() as (correlation_id, reply):
            with send_span(
                *(connection.exchange, queue), conversation_id=correlation_id, message_id=job_id
            ):
                confirm = connection.publish_job(
                    queue, body, correlation_id, job_id, replied=replied
                )
            try:
                async with asyncio.timeout(wait):
                    await confirm
                    if not replied and not reply.done():  # an unroutable message is back by now
                        return None
                    return read_reply(await reply)
            except TimeoutError:
                if confirm.cancelled():
                    raise errors.BrokerUnavailable(f"no confirm within {wait:g} s") from None
                return None
            except errors.Unroutable:
                raise
            except errors.BrokerUnavailable:
                if not confirm.done() or confirm.exception():
                    raise
                return None  # the broker has the job; only the reply is lost

    async def count(self, queue: str) -> QueueCount:
        """Count what a queue has. Raises `errors.Unroutable` without the queue."""
        return await self.check().count(queue)

    @contextmanager
    def _expecting(self) -> Iterator[tuple[str, _Reply]]:
        """Yield a correlation id and the future of its reply, which is expected for the block."""
        correlation_id = uuid.uuid4().hex
        reply: _Reply = asyncio.get_running_loop().create_future()
        self._replies[correlation_id] = reply
        try:
            yield correlation_id, reply
        finally:
            del self._replies[correlation_id]
            if not reply.cancel() and not reply.cancelled():
                reply.exception()  # retrieved, so that the loop does not log it

    def _on_reply(self, correlation_id: str | None, body: bytes) -> None:
        reply = self._replies.get(correlation_id or "")
        if reply is None or reply.done():
            log.debug("a late reply to %s", correlation_id)
        else:
            reply.set_result(body)

    def _on_return(self, correlation_id: str | None, queue: str) -> None:
        if reply := self._replies.get(correlation_id):  # type: ignore[arg-type]
            fail(reply, errors.Unroutable(f"queue {queue} does not exist: is a consumer up?"))

    def _fail_replies(self, detail: str) -> None:
        for reply in self._replies.values():
            fail(reply, errors.BrokerUnavailable(detail))

    async def _open(self) -> RpcConnection:
        return await open_rpc_connection(
            self._parameters,
            self._on_reply,
            self._on_return,
            lambda: self._fail_replies(BLOCKED_DETAIL),
        )

    async def _serve(self, connection: RpcConnection) -> None:
        log.info("connected to RabbitMQ")
        self._connection = connection
        try:
            await asyncio.wait([connection.lost])  # unlike `await`, it does not cancel the future
        finally:
            self._connection = None
            connection.fail_confirms("RabbitMQ was lost before it confirmed the job")
            self._fail_replies("RabbitMQ was lost during the call")
