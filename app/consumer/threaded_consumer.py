"""A threaded consumer: one thread owns a connection, another one handles its messages.

Long work therefore delays no heartbeat. The connection's thread handles fast messages itself,
because passing them to the other thread would take as long again. After a loss (of the connection,
the channel or the consumer), it reconnects with a backoff.
"""

import logging
import threading
from collections.abc import Callable
from time import monotonic, thread_time

from app import errors
from app.amqp.channel_session import ChannelSession, open_session
from app.amqp.connection import BlockingConnection, ConnectionParameters, run_with_reconnect
from app.amqp.message import IncomingMessage
from app.amqp.outgoing_message import OutgoingMessage
from app.amqp.reply_publisher import DirectReplyPublisher
from app.amqp.reply_to import DIRECT_REPLY_PREFIX
from app.consumer.handlers import Handler
from app.consumer.health_file import LastServed
from app.consumer.worker_thread import WorkerThread

log = logging.getLogger(__name__)

FAST_BYTES = 100_000  # of the fast messages that arrived together; the worker thread gets the rest
# A small message is not fast with every model: after such a batch, the worker thread handles all
# messages for a while.
SLOW_SECONDS = 0.2  # of processor time, because on a busy machine every batch takes long
LATE_SECONDS = 5.0  # of any time; heartbeats have waited meanwhile
SLOW_FOR_SECONDS = 60.0


class ThreadedConsumer(threading.Thread):
    """Consumes one queue and passes the messages to `handler` in batches."""

    def __init__(
        self,
        name: str,
        parameters: ConnectionParameters,
        handler: Handler,
        *,
        direct_replies: DirectReplyPublisher | None = None,
        fast_bytes: int = FAST_BYTES,
        clock: Callable[[], float] = monotonic,
        computed: Callable[[], float] = thread_time,
    ) -> None:
        """Create the consumer; `start` connects it.

        `clock` returns monotonic seconds, `computed` the processor seconds of the calling thread.
        """
        super().__init__(name=name, daemon=True)
        self.session: ChannelSession | None = None  # of the newest connection
        self._parameters = parameters
        self._handler = handler
        self._fast_bytes = fast_bytes
        self._clock = clock
        self._computed = computed
        self._fast_from = 0.0
        self.last_served = LastServed()
        self._stopping = threading.Event()
        self._direct_replies = direct_replies or DirectReplyPublisher(parameters)
        self.worker = WorkerThread(name, handler, at_end=self._direct_replies.close)

    @property
    def healthy(self) -> bool:
        """Whether both threads are running."""
        return self.is_alive() and self.worker.is_alive()

    @property
    def unacknowledged(self) -> dict[str, int]:
        """The deliveries in hand and in the prefetch, by queue."""
        session = self.session
        return {self._handler.queue: session.unsettled if session else 0}

    def start(self) -> None:
        """Start both threads."""
        self.worker.start()
        super().start()

    def stop(self) -> None:
        """Finish the arrived messages, requeue later ones, and end; `join` waits for it."""
        self._stopping.set()
        self.worker.stop()

    def run(self) -> None:
        """Run the main loop of the connection's thread."""
        name = f"the consumer of {self._handler.queue}"
        run_with_reconnect(self._parameters, name, self._stopping, self._serve)
        self.worker.join()

    def publish(self, message: OutgoingMessage) -> None:
        """Publish a reply on the newest connection, or by direct reply-to on a separate one.

        Only the worker thread may publish by direct reply-to, so a handler's `is_fast` is false
        for messages that ask for it.
        """
        if message.queue.startswith(DIRECT_REPLY_PREFIX):
            self._direct_replies.publish(message)
        else:
            assert self.session is not None
            self.session.publish(message)

    def dispatch(self, session: ChannelSession, messages: list[IncomingMessage]) -> None:
        """Handle fast messages at once and give the others to the worker thread."""
        fast: list[IncomingMessage] = []
        size, begun, computed = 0, self._clock(), self._computed()
        for each in messages:
            # A redelivered message may have blocked this thread before, so that heartbeats failed.
            is_fast = begun >= self._fast_from and not each.redelivered
            if is_fast and size < self._fast_bytes and self._handler.is_fast(each):
                fast.append(each)
                size += len(each.body)
            else:
                self.worker.put(each)
        if fast:
            with session.gathered():
                self.worker.handle(fast)
                now = self._clock()
                if self._computed() - computed > SLOW_SECONDS or now - begun > LATE_SECONDS:
                    self._fast_from = now + SLOW_FOR_SECONDS

    def _serve(self, connection: BlockingConnection) -> None:
        """Serve a connection until it is lost, or `stop` is called and all messages are done."""
        session, before = open_session(connection, self._handler.prefetch), self.session
        self.session = session
        while before and before.unsent:
            session.publish(before.unsent.popleft())
        arrived: list[IncomingMessage] = []
        while not self._stopping.is_set():
            # Work continues after a loss. Until it ends, other consumers get the messages.
            if not session.consuming and self.worker.idle.is_set():
                session.consume(self._handler.queue, arrived.append, self)
                log.info("consuming %s", self._handler.queue)
            session.process_events(0.5)
            self.dispatch(session, arrived)
            arrived.clear()
            self.last_served.note()
            if not session.alive:
                what = "consumer cancelled" if session.cancelled else "channel closed"
                raise errors.BrokerUnavailable(f"{what} by the broker")
        session.cancel()
        while self.worker.is_alive() and session.alive:
            session.process_events(0.1)
        session.flush()
