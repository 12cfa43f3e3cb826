"""The invoker: a thread whose event loop has many calls under way, on one connection.

Whatever takes the connection away (it is lost, the channel is closed, the consumer cancelled) is
answered alike: a new one with everything on it made anew, after a backoff. Calls under way go on;
their replies leave by the new connection.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial

import pika
import uvloop
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import AMQPError

from app import errors
from app.amqp import async_connection
from app.amqp.async_message import AsyncMessage, OutgoingMessage
from app.amqp.connection import connection_parameters
from app.amqp.message import MAX_UNSENT, deadline_of
from app.amqp.reply_publisher import DIRECT_REPLY_PREFIX, DirectReplyPublisher
from app.protocol.replies import Reply
from app.protocol.types import NDJSON_MEDIA_TYPE
from app.remote.client import RemoteModelClient
from app.retry import ReconnectBackoff
from app.settings import Settings

log = logging.getLogger(__name__)

AsyncHandler = Callable[[AsyncMessage], Awaitable[None]]


class AsyncConsumer(threading.Thread):
    """Consumes queues for ever, handing each message to its handler, in a task of its own."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        endpoints: RemoteModelClient,
        handlers: Mapping[str, tuple[int, AsyncHandler]],
    ) -> None:
        """`handlers` has for each queue how many messages may be in hand, and what takes them.

        `endpoints`, and handlers that are async context managers, are entered on the thread's loop.
        """
        super().__init__(name="invoke", daemon=True)
        self._settings = settings
        self._connection_name = name
        self._endpoints = endpoints
        self._handlers = handlers
        self._link: async_connection.AsyncConnection | None = None
        self._unsent: deque[OutgoingMessage] = deque(maxlen=MAX_UNSENT)
        self._tasks: set[asyncio.Task[None]] = set()
        self._direct = DirectReplyPublisher(connection_parameters(settings, f"{name} replies"))
        self._direct_thread = ThreadPoolExecutor(1, "invoke-replies")
        # A loop is needed by none of these before it is waited for.
        self._stopping = asyncio.Event()
        self._giving_up = asyncio.Event()
        self._loop = uvloop.new_event_loop()

    @property
    def healthy(self) -> bool:
        """Whether the thread lives."""
        return self.is_alive()

    def stop(self) -> None:
        """Take nothing more, finish what is under way, end. Does not wait: `join` does."""
        self._signal(self._stopping)

    def give_up(self) -> None:
        """Finish nothing more: cancel what is under way. Does not wait: `join` does."""
        self._signal(self._giving_up)

    def _signal(self, event: asyncio.Event) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(event.set)

    def run(self) -> None:
        """Be the thread."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    def send(self, message: OutgoingMessage) -> Future[None] | None:
        """Publish a reply soon, by the connection there will be if there is none."""
        if message.queue.startswith(DIRECT_REPLY_PREFIX):
            properties = pika.BasicProperties(
                content_type=message.content_type,
                correlation_id=message.correlation_id,
                type=message.status,
            )
            send = self._direct.send
            return self._direct_thread.submit(send, message.queue, message.body, properties)
        if self._link and self._link.alive:
            self._link.publish(message)
        else:
            self._unsent.append(message)
        return None

    async def _main(self) -> None:
        async with AsyncExitStack() as stack:
            stack.callback(self._direct_thread.shutdown)
            stack.callback(self._direct_thread.submit, self._direct.close)
            await stack.enter_async_context(self._endpoints)
            for _, handler in self._handlers.values():
                if isinstance(handler, AbstractAsyncContextManager):
                    await stack.enter_async_context(handler)
            await self._keep()

    async def _keep(self) -> None:
        """Connect and consume, again after each loss, until told to stop and all is done."""
        delays = ReconnectBackoff()
        while not self._stopping.is_set():
            delays.begin()
            try:
                await self._serve()
            except (AMQPError, OSError, RuntimeError) as error:  # aiormq raises all of these
                delay = delays.next()
                log.warning(
                    "lost %s (%r); again in %.1f s", ", ".join(self._handlers), error, delay
                )
                await _either(asyncio.sleep(delay), self._stopping.wait())
        await self._drain()

    async def _serve(self) -> None:
        """Consume until the connection is lost, or until told to stop. Raises an `AMQPError`."""
        opening = async_connection.open_connection(self._settings, self._connection_name)
        current = await async_connection.wait_for_broker(opening)
        try:
            for queue, (prefetch, handler) in self._handlers.items():
                arrived = partial(self._arrived, current, queue, handler)
                await current.consume(queue, prefetch, arrived)
                log.info("waiting on %s", queue)
            self._link = current
            while self._unsent:
                current.publish(self._unsent.popleft())
            await _either(asyncio.shield(current.lost), self._stopping.wait())
            if not current.alive:
                raise async_connection.ConnectionLost(current.lost.result())
            await current.cancel()
            await self._drain()
        finally:
            await current.close()

    async def _drain(self) -> None:
        """Finish what is under way; when told to give up, cancel it."""
        self._endpoints.shut()
        if self._tasks:
            await _either(asyncio.wait(self._tasks), self._giving_up.wait())
        for each in self._tasks:
            each.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _arrived(
        self,
        came_by: async_connection.AsyncConnection,
        queue: str,
        handler: AsyncHandler,
        message: DeliveredMessage,
    ) -> None:
        of = message.header.properties
        assert message.delivery_tag is not None
        call = AsyncMessage(
            message.body,
            of.reply_to if isinstance(of.reply_to, str) else None,
            of.correlation_id,
            of.message_id if isinstance(of.message_id, str) else None,
            bool(message.redelivered),
            queue,
            message.delivery_tag,
            came_by,
            self,
            of.content_type == NDJSON_MEDIA_TYPE,
            deadline_of(of.expiration),
        )
        task = self._loop.create_task(self._run_handler(handler, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_handler(self, handler: AsyncHandler, call: AsyncMessage) -> None:
        if self._stopping.is_set():
            call.hand_back()
        else:
            try:
                await handler(call)
            except asyncio.CancelledError:
                call.requeue()
            except Exception:  # a bug in a handler must not end the thread
                log.exception("a handler failed; its message goes to the dead letters")
                call.reply(Reply.error(errors.WarrenError()))
                call.reject()
        if call.sending:  # acked before, it might be lost between the two
            await asyncio.wrap_future(call.sending)
        call.settle()


async def _either(*waits: Awaitable[object]) -> None:
    """Return when one of these is done; end the others."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in tasks:
            each.cancel()
