"""An async consumer: a thread whose event loop handles many messages at a time on one connection.

After a loss (of the connection, the channel or a consumer), it reconnects with a backoff. Work on
messages in flight continues, and the new connection publishes their replies.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial

import uvloop

from app import errors
from app.amqp.async_connection import AsyncConnection, open_connection
from app.amqp.async_reconnect import run_with_reconnect, wait_for_first
from app.amqp.connection import connection_parameters
from app.amqp.message import MAX_UNSENT, IncomingMessage
from app.amqp.message_span import span_of
from app.amqp.outgoing_message import OutgoingMessage
from app.amqp.reply_publisher import DirectReplyPublisher
from app.amqp.reply_to import DIRECT_REPLY_PREFIX
from app.consumer.handlers import AsyncHandler
from app.consumer.health_file import LastServed
from app.protocol.replies import Failed
from app.remote.client import RemoteModelClient
from app.settings import Settings

log = logging.getLogger(__name__)


class AsyncConsumer(threading.Thread):
    """Consumes the queues of its handlers and handles each message in a task of its own."""

    def __init__(
        self,
        settings: Settings,
        name: str,
        endpoints: RemoteModelClient,
        handlers: Sequence[AsyncHandler],
        *,
        admit: Callable[[IncomingMessage], bool] = lambda _: True,
    ) -> None:
        """Create the consumer; `start` connects it, and the management UI shows `name`.

        `endpoints` and handlers that are async context managers are entered on the thread's loop.
        `admit` tells whether a message may be handled; if not, it has sent the reply.
        """
        super().__init__(name="invoke", daemon=True)
        self.connection: AsyncConnection | None = None  # the newest one
        self._settings = settings
        self._connection_name = name
        self.last_served = LastServed()
        self._endpoints = endpoints
        self._handlers = handlers
        self._admit = admit
        self._unsent: deque[OutgoingMessage] = deque(maxlen=MAX_UNSENT)
        self._tasks: dict[asyncio.Task[None], IncomingMessage] = {}
        self._direct_replies = DirectReplyPublisher(
            connection_parameters(settings, f"{name} replies")
        )
        self._direct_thread = ThreadPoolExecutor(1, "invoke-replies")
        # These need no running loop before they are awaited.
        self._stopping = asyncio.Event()
        self._giving_up = asyncio.Event()
        self._loop = uvloop.new_event_loop()

    @property
    def healthy(self) -> bool:
        """Whether the thread is running."""
        return self.is_alive()

    @property
    def in_flight(self) -> int:
        """How many messages are being handled."""
        return len(self._tasks)

    @property
    def unacknowledged(self) -> dict[str, int]:
        """The deliveries in hand, by queue; those of a lost connection are the broker's again."""
        found = {handler.queue: 0 for handler in self._handlers}
        for message in list(self._tasks.values()):
            found[message.queue] += message.alive
        return found

    def stop(self) -> None:
        """Finish the messages in flight, take no more, and end; `join` waits for it."""
        self._signal(self._stopping)

    def give_up(self) -> None:
        """Cancel the messages in flight; `join` waits for it."""
        self._signal(self._giving_up)

    def _signal(self, event: asyncio.Event) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(event.set)

    def run(self) -> None:
        """Run the thread's main loop."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    def publish(self, message: OutgoingMessage) -> Future[None] | None:
        """Publish a reply on the newest connection, or on the next one if there is none.

        Publishing by direct reply-to blocks, so a separate thread does it, and this method returns
        its future.
        """
        if message.queue.startswith(DIRECT_REPLY_PREFIX):
            return self._direct_thread.submit(self._direct_replies.publish, message)
        if self.connection and self.connection.alive:
            self.connection.publish(message)
        else:
            self._unsent.append(message)
        return None

    async def _main(self) -> None:
        async with AsyncExitStack() as stack:
            stack.callback(self._direct_thread.shutdown)
            stack.callback(self._direct_thread.submit, self._direct_replies.close)
            await stack.enter_async_context(self._endpoints)
            for handler in self._handlers:
                if isinstance(handler, AbstractAsyncContextManager):
                    await stack.enter_async_context(handler)
            queues = ", ".join(handler.queue for handler in self._handlers)
            open_ = partial(open_connection, self._settings, self._connection_name)
            name = f"the consumer of {queues}"
            await run_with_reconnect(name, open_, self._serve, self._stopping)
            await self._drain()

    async def _serve(self, connection: AsyncConnection) -> None:
        """Consume until the connection is lost, or `stop` is called and all messages are done."""
        for handler in self._handlers:
            arrived = partial(self._arrived, handler)
            await connection.consume(handler.queue, handler.prefetch, arrived, self)
            log.info("waiting on %s", handler.queue)
        self.connection = connection
        while self._unsent:
            connection.publish(self._unsent.popleft())
        lost = asyncio.shield(connection.lost)
        await wait_for_first(lost, self._stopping.wait(), self._note_serving())
        if connection.alive:
            await connection.cancel()
            await self._drain()

    async def _note_serving(self) -> None:
        while True:
            self.last_served.note()
            await asyncio.sleep(1.0)

    async def _drain(self) -> None:
        """Finish the messages in flight; cancel them on `give_up`."""
        self._endpoints.stop()
        if self._tasks:
            await wait_for_first(asyncio.wait(self._tasks), self._giving_up.wait())
        for each in self._tasks:
            each.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _arrived(self, handler: AsyncHandler, message: IncomingMessage) -> None:
        task = self._loop.create_task(self._run_handler(handler, message))
        self._tasks[task] = message
        task.add_done_callback(self._tasks.pop)

    async def _run_handler(self, handler: AsyncHandler, message: IncomingMessage) -> None:
        if not self._admit(message):
            log.debug("a message is not admitted")
        elif self._stopping.is_set():
            message.republish()
        else:
            try:
                with span_of((message,)):
                    await handler(message)
            except asyncio.CancelledError:
                message.requeue()
            except Exception:  # a bug in a handler must not end the thread
                log.exception("a handler failed; its message is dead-lettered")
                message.reply(Failed.of(errors.WarrenError()))
                message.reject()
        if message.sending:  # after an ack, a crash would lose the reply
            await asyncio.wrap_future(message.sending)
        message.settle()
