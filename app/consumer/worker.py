"""A worker: one thread that owns a connection and only pumps it, and one that does the work.

Heartbeats therefore never wait for work, and nothing but `add_callback_threadsafe` crosses between
the two (pika's rule). Whatever takes the channel away (connection lost, channel closed, consumer
cancelled) is answered alike: a new connection with everything on it made anew, after a backoff.
"""

import logging
import queue
import threading
from collections.abc import Callable

import pika
from pika.exceptions import AMQPError

from app import errors, queues
from app.broker import keep
from app.consumer.delivery import Delivery, Session
from app.consumer.direct import DirectReplies
from app.messages import Reply

log = logging.getLogger(__name__)


Handler = Callable[[list[Delivery]], None]


class Worker(threading.Thread):
    """Consumes one queue for ever, handing what has arrived to `handler` in batches."""

    def __init__(
        self,
        name: str,
        parameters: pika.ConnectionParameters,
        queue_name: str,
        prefetch: int,
        handler: Handler,
    ) -> None:
        """`prefetch` is also the size of the largest batch."""
        super().__init__(name=name, daemon=True)
        self._parameters = parameters
        self._queue = queue_name
        self._prefetch = prefetch
        self._handler = handler
        self._inbox: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._hands = threading.Thread(target=self._work, name=name, daemon=True)
        self._stopping = threading.Event()
        self._free = threading.Event()
        self._session: Session | None = None
        self._direct = DirectReplies(parameters)

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
        keep(self._parameters, self._stopping, self._serve, self._lost)
        self._hands.join()

    def _serve(self, connection: pika.BlockingConnection) -> None:
        self._pump(self._open(connection))

    def _lost(self, error: Exception, delay: float) -> None:
        log.warning("lost %s (%r); again in %.1f s", self._queue, error, delay)

    def _open(self, connection: pika.BlockingConnection) -> Session:
        # A declare that fails closes its channel, so it has one of its own.
        with connection.channel() as channel:
            queues.declare(channel)
        channel = connection.channel()
        session, before = Session(connection, channel), self._session
        self._session = session
        channel.basic_qos(prefetch_count=self._prefetch)
        channel.add_on_cancel_callback(lambda _: setattr(session, "cancelled", True))
        for reply in before.unsent if before else ():
            session.publish(*reply)
        return session

    def _consume(self, session: Session) -> None:
        session.channel.basic_consume(
            self._queue,
            lambda _, method, properties, body: self._inbox.put(
                Delivery(
                    body,
                    properties.reply_to if isinstance(properties.reply_to, str) else None,
                    properties.correlation_id,
                    properties.message_id if isinstance(properties.message_id, str) else None,
                    method.redelivered,
                    method.delivery_tag or 0,
                    session,
                    lambda: self._session or session,
                    self._direct,
                )
            ),
        )
        log.info("consuming %s", self._queue)

    def _pump(self, session: Session) -> None:
        """Serve the connection until it is lost, or until told to stop and all is done."""
        while not self._stopping.is_set():
            # Work goes on when a connection is lost: what came meanwhile is for others to take.
            if not session.channel.consumer_tags and self._free.is_set():
                self._consume(session)
            session.connection.process_data_events(time_limit=0.5)
            if not session.alive:
                raise AMQPError("channel closed or consumer cancelled by the broker")
        for tag in session.channel.consumer_tags:
            session.channel.basic_cancel(tag)
        while self._hands.is_alive() and session.alive:
            session.connection.process_data_events(time_limit=0.1)
        session.flush()

    def _work(self) -> None:
        """Be the working thread: take what has arrived, handle it, settle it."""
        while batch := self._take():
            current = [each for each in batch if each.session.alive]
            if not current:
                continue
            try:
                self._handler(current)
            except Exception:  # a bug in a handler must not end the thread
                log.exception("a handler failed; its messages go to the dead letters")
                for each in current:
                    each.reply(Reply.error(errors.WarrenError()))
                    each.reject()
            for session in {each.session for each in current}:
                settled = [each for each in current if each.session is session]
                session.settle(settled)
        self._direct.close()

    def _take(self) -> list[Delivery]:
        """Wait for a delivery and take those behind it; empty when the worker ends."""
        batch: list[Delivery] = []
        while len(batch) < self._prefetch:
            if not batch and self._inbox.empty():
                self._free.set()
            try:
                delivery = self._inbox.get(block=not batch)
            except queue.Empty:
                break
            self._free.clear()
            if delivery is None:
                self._inbox.put(None)  # the end, for the next call to find
                break
            batch.append(delivery)
        return batch
