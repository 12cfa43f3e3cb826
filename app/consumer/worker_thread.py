"""The thread of a threaded consumer that handles messages, in batches."""

import logging
import queue
import threading
from collections.abc import Callable
from itertools import chain

from app import errors
from app.amqp.message import IncomingMessage
from app.amqp.message_span import span_of
from app.consumer.handlers import Deferred, Handler
from app.protocol.replies import Failed

log = logging.getLogger(__name__)

BATCH_BYTES = 1_000_000  # a batch ends with the message that reaches this size

_Handle = Callable[[list[IncomingMessage]], list[Deferred] | None]


class WorkerThread(threading.Thread):
    """Handles messages and the deferred work of its handler until `stop` is called."""

    def __init__(
        self, name: str, handler: Handler, *, at_end: Callable[[], object] = lambda: None
    ) -> None:
        """Create the thread, which calls `at_end` when it ends."""
        super().__init__(name=name, daemon=True)
        self.idle = threading.Event()  # set while the inbox is empty and nothing runs
        self._handler = handler
        self._at_end = at_end
        self._inbox: queue.SimpleQueue[IncomingMessage | Deferred | None] = queue.SimpleQueue()
        self._deferred: set[Deferred] = set()
        self._stopping = threading.Event()

    @property
    def backlog(self) -> int:
        """How many messages wait for the thread."""
        return self._inbox.qsize()

    def put(self, message: IncomingMessage) -> None:
        """Pass a message to the thread."""
        self._inbox.put(message)

    def stop(self) -> None:
        """End after the backlog and all deferred work; `join` waits for it."""
        self._stopping.set()
        self._inbox.put(None)

    def run(self) -> None:
        """Run the thread's main loop."""
        while batch := self._take():
            self.handle(batch)
        self._at_end()

    def handle(self, batch: list[IncomingMessage]) -> None:
        """Handle messages and settle them, on the calling thread.

        Messages of a lost connection are skipped, because the broker delivers them again.
        """
        self._run(self._handler, batch)

    def _run(self, handle: _Handle, batch: list[IncomingMessage]) -> None:
        current = [each for each in batch if each.alive]
        if not current:
            return
        deferred: list[Deferred] = []
        try:
            with span_of(current):
                deferred = handle(current) or []
        except Exception:  # a bug in a handler must not end the thread
            log.exception("a handler failed; its messages are dead-lettered")
            for each in current:
                each.reply(Failed.of(errors.WarrenError()))
                each.reject()
        for each in chain.from_iterable(work.messages for work in deferred):
            each.deferred += 1
        done = [each for each in current if not each.deferred]
        at_once = all(work.until.done() for work in deferred)
        for work in deferred:  # from here on, another thread may handle its messages
            if at_once:
                self._resume(work)
            else:
                self._defer(work)
        for channel in {each.channel for each in done}:
            channel.settle([each for each in done if each.channel is channel])

    def _defer(self, work: Deferred) -> None:
        self._deferred.add(work)
        once = [work]  # a Future keeps its callbacks, but must not keep the messages
        work.until.add_done_callback(lambda _: self._inbox.put(once.pop()))

    def _resume(self, work: Deferred) -> None:
        self._deferred.discard(work)
        for each in work.messages:
            each.deferred -= 1
        self._run(work.then, work.messages)

    def _take(self) -> list[IncomingMessage]:
        """Wait for a message and take those behind it; return none when the thread must end.

        Deferred work that has become ready is done first, because its messages came first.
        """
        batch: list[IncomingMessage] = []
        size = 0
        while len(batch) < self._handler.prefetch and size < BATCH_BYTES:
            if not batch and self._inbox.empty():
                if self._stopping.is_set() and not self._deferred:
                    break
                self.idle.set()
            try:
                item = self._inbox.get(block=not batch)
            except queue.Empty:
                break
            self.idle.clear()
            if isinstance(item, Deferred):
                self._resume(item)
            elif item:  # None wakes the thread to stop
                batch.append(item)
                # The size of a body that is still encoded is not known.
                size += len(item.body) if item.encoding is None else BATCH_BYTES
        return batch
