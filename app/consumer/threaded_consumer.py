"""A worker: one thread that owns a connection and pumps it, and one that does the work.

Heartbeats therefore wait for no work but what takes milliseconds; the first thread does that itself
as to hand it over would take as long again. Only `add_callback_threadsafe` crosses between the two
(pika's rule). Whatever takes the channel away (connection lost, channel closed, consumer cancelled)
is answered alike: a new connection with everything on it made anew, after a backoff.
"""

import logging
import queue
import threading
from collections.abc import Callable
from itertools import chain
from time import monotonic
from typing import Any

import pika
from pika.exceptions import AMQPError

from app import errors
from app.amqp.connection import run_with_reconnect
from app.amqp.message import BatchHandler, ChannelSession, Deferred, IncomingMessage, deadline_of
from app.amqp.reply_publisher import DirectReplyPublisher
from app.amqp.topology import declare_topology
from app.protocol.replies import Reply
from app.protocol.types import NDJSON_MEDIA_TYPE

log = logging.getLogger(__name__)

BATCH_BYTES = 1_000_000  # what came behind so much waits for the next batch
FAST_BYTES = 100_000  # what came behind so much is the hands', be it quick or not
# Small is not quick with every model: after such a batch all are the hands' for a while.
SLOW_SECONDS = 0.2
SLOW_FOR_SECONDS = 60.0


class ThreadedConsumer(threading.Thread):
    """Consumes one queue for ever, handing what has arrived to `handler` in batches."""

    def __init__(
        self,
        name: str,
        parameters: pika.ConnectionParameters,
        queue_name: str,
        prefetch: int,
        handler: BatchHandler,
        quick: Callable[[IncomingMessage], bool] = lambda _: False,
    ) -> None:
        """`prefetch` is also the most messages in a batch.

        Of what is `quick` to handle the connection's thread takes care itself.
        """
        super().__init__(name=name, daemon=True)
        self._parameters = parameters
        self._queue = queue_name
        self._prefetch = prefetch
        self._handler = handler
        self._quick = quick
        self._quick_from = 0.0
        self._arrived: list[IncomingMessage] = []
        self._inbox: queue.SimpleQueue[IncomingMessage | Deferred | None] = queue.SimpleQueue()
        self._waiting: set[Deferred] = set()
        self._hands = threading.Thread(target=self._work, name=name, daemon=True)
        self._stopping = threading.Event()
        self._free = threading.Event()
        self._session: ChannelSession | None = None
        self._direct = DirectReplyPublisher(parameters)

    @property
    def healthy(self) -> bool:
        """Whether both threads live."""
        return self.is_alive() and self._hands.is_alive()

    def start(self) -> None:
        """Start both threads."""
        self._hands.start()
        super().start()

    def stop(self) -> None:
        """Finish what has arrived, hand back what comes now, end. Does not wait: `join` does."""
        self._stopping.set()
        self._inbox.put(None)

    def run(self) -> None:
        """Be the connection's thread."""
        run_with_reconnect(self._parameters, self._stopping, self._serve, self._lost)
        self._hands.join()

    def _serve(self, connection: pika.BlockingConnection) -> None:
        self._pump(self._open(connection))

    def _lost(self, error: Exception, delay: float) -> None:
        log.warning("lost %s (%r); again in %.1f s", self._queue, error, delay)

    def _open(self, connection: pika.BlockingConnection) -> ChannelSession:
        # A declare that fails closes its channel, so it has one of its own.
        with connection.channel() as channel:
            declare_topology(channel)
        channel = connection.channel()
        session, before = ChannelSession(connection, channel), self._session
        self._session = session
        channel.basic_qos(prefetch_count=self._prefetch)
        channel.add_on_cancel_callback(lambda _: setattr(session, "cancelled", True))
        for reply in before.unsent if before else ():
            session.publish(*reply)
        return session

    def _consume(self, session: ChannelSession) -> None:
        def arrived(_: object, method: Any, properties: pika.BasicProperties, body: bytes) -> None:
            session.came(method.delivery_tag)
            self._arrived.append(
                IncomingMessage(
                    body,
                    properties.reply_to if isinstance(properties.reply_to, str) else None,
                    properties.correlation_id,
                    properties.message_id if isinstance(properties.message_id, str) else None,
                    method.redelivered,
                    method.delivery_tag,
                    session,
                    lambda: self._session or session,
                    self._direct,
                    properties.content_type == NDJSON_MEDIA_TYPE,
                    deadline_of(properties.expiration),
                )
            )

        self._arrived = []
        session.channel.basic_consume(self._queue, arrived)
        log.info("consuming %s", self._queue)

    def _pump(self, session: ChannelSession) -> None:
        """Serve the connection until it is lost, or until told to stop and all is done."""
        while not self._stopping.is_set():
            # Work goes on when a connection is lost: what came meanwhile is for others to take.
            if not session.channel.consumer_tags and self._free.is_set():
                self._consume(session)
            session.connection.process_data_events(time_limit=0.5)
            self._share_out(session)
            if not session.alive:
                what = "consumer cancelled" if session.cancelled else "channel closed"
                raise AMQPError(f"{what} by the broker")
        for tag in session.channel.consumer_tags:
            session.channel.basic_cancel(tag)
        while self._hands.is_alive() and session.alive:
            session.connection.process_data_events(time_limit=0.1)
        session.flush()

    def _share_out(self, session: ChannelSession) -> None:
        """Handle at once what is quick, and give the rest to the hands."""
        arrived, self._arrived = self._arrived, []
        now: list[IncomingMessage] = []
        size, begun = 0, monotonic()
        for each in arrived:
            # What came before may have held this thread for so long that the connection was lost.
            quick = not each.redelivered and begun >= self._quick_from and self._quick(each)
            if quick and size < FAST_BYTES:
                now.append(each)
                size += len(each.body)
            else:
                self._inbox.put(each)
        if now:
            with session.gathered():
                self._run_handler(self._handler, now)
                if monotonic() - begun > SLOW_SECONDS:
                    self._quick_from = monotonic() + SLOW_FOR_SECONDS

    def _work(self) -> None:
        """Be the working thread: take what has arrived, handle it, settle it."""
        while batch := self._take():
            self._run_handler(self._handler, batch)
        self._direct.close()

    def _run_handler(self, handler: BatchHandler, batch: list[IncomingMessage]) -> None:
        current = [each for each in batch if each.session.alive]
        if not current:
            return
        held: list[Deferred] = []
        try:
            held = handler(current) or []
        except Exception:  # a bug in a handler must not end the thread
            log.exception("a handler failed; its messages go to the dead letters")
            for each in current:
                each.reply(Reply.error(errors.WarrenError()))
                each.reject()
        for each in chain.from_iterable(later.deliveries for later in held):
            each.holds += 1
        done = [each for each in current if not each.holds]
        for later in held:  # from here on, its deliveries may be the hands'
            self._hold(later)
        for session in {each.session for each in done}:
            session.settle([each for each in done if each.session is session])

    def _hold(self, later: Deferred) -> None:
        self._waiting.add(later)
        once = [later]  # a Future keeps its callbacks, but is not to keep our messages
        later.until.add_done_callback(lambda _: self._inbox.put(once.pop()))

    def _resume(self, later: Deferred) -> None:
        self._waiting.discard(later)
        for each in later.deliveries:
            each.holds -= 1
        self._run_handler(later.then, later.deliveries)

    def _take(self) -> list[IncomingMessage]:
        """Wait for a delivery and take those behind it; empty when the worker ends.

        What was left for later is done on the way: its messages came before those of the batch.
        """
        batch: list[IncomingMessage] = []
        size = 0
        while len(batch) < self._prefetch and size < BATCH_BYTES:
            if not batch and self._inbox.empty():
                if self._stopping.is_set() and not self._waiting:
                    break
                self._free.set()
            try:
                came = self._inbox.get(block=not batch)
            except queue.Empty:
                break
            self._free.clear()
            if isinstance(came, Deferred):
                self._resume(came)
            elif came:  # or it says that the worker is stopping
                batch.append(came)
                size += len(came.body)
        return batch
