"""Run isolated models on threads of their own; the requests for each model wait in a line.

A run in a child process may take many seconds. A thread of a connection would delay the
requests for all other models meanwhile. Messages that wait are unsettled, and the broker delivers
only so many of them, so few may wait for a model that is slow.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from time import monotonic
from typing import Generic, TypeVar

from cachetools import LRUCache, TTLCache

from app import errors
from app.amqp.message import IncomingMessage
from app.consumer.held_bytes import HeldBytes
from app.inference.run_deadline import watchdog

BRIEF_SECONDS = 0.002  # a caller waits so long, because to be called back takes as long
THREADS = 16  # models that run at a time
SLOW_THREADS = 4  # slow models that run at a time, beside the others
SLOW_SECONDS = 1.0  # a model of which a run takes longer is slow
SLOW_FOR_SECONDS = 60.0
SLOW_MESSAGES = 8  # that wait for one slow model
ALL_SLOW_MESSAGES = 64  # that wait for all slow models, half of a prefetch
JOINED_MESSAGES = 32  # in one run, because all wait for the slowest of their requests
JOINED_BYTES = 1_000_000

RequestT = TypeVar("RequestT")
ReplyT = TypeVar("ReplyT")
Key = tuple[str, bool]  # the model's id, and whether a trained model must run isolated


@dataclass(eq=False)
class Piece(Generic[RequestT, ReplyT]):
    """Requests of a few messages for one model, which take `size` bytes while they wait."""

    requests: list[RequestT]
    messages: list[IncomingMessage]  # each once
    size: int
    replies: Future[list[ReplyT]] = field(default_factory=Future)  # one to each request


@dataclass(eq=False)
class _Line(Generic[RequestT, ReplyT]):
    """The pieces that wait for a model; `slow` tells of the model as `ModelLines` does."""

    key: Key
    waiting: deque[Piece[RequestT, ReplyT]] = field(default_factory=deque)
    slow: bool = False

    @property
    def messages(self) -> int:
        return sum(len(each.messages) for each in self.waiting)

    def take(self) -> list[Piece[RequestT, ReplyT]]:
        """Take the pieces that run next: of a slow model one, of another one as many as fit."""
        taken, messages, size = [self.waiting.popleft()], 0, 0
        while self.waiting and not self.slow:
            messages += len(taken[-1].messages)
            size += taken[-1].size
            following = self.waiting[0]
            if messages + len(following.messages) > JOINED_MESSAGES:
                break
            if size + following.size > JOINED_BYTES:
                break
            taken.append(self.waiting.popleft())
        return taken

    def shed(self) -> list[Piece[RequestT, ReplyT]]:
        """Take out the newest pieces that are too many for a slow model."""
        shed = []
        while self.messages > SLOW_MESSAGES:
            shed.append(self.waiting.pop())
        return shed


class ModelLines(Generic[RequestT, ReplyT]):
    """Has requests answered by threads, those for one model in turn."""

    def __init__(
        self,
        answer: Callable[[Key, list[RequestT]], list[ReplyT]],
        held: HeldBytes,
        *,
        threads: int = THREADS,
        slow_threads: int = SLOW_THREADS,
        slow_seconds: float = SLOW_SECONDS,
        brief_seconds: float = BRIEF_SECONDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Create the lines; `answer` returns a reply to each request, in their order.

        Slow models have threads of their own, so that they do not occupy those of the others.
        """
        self._answer = answer
        self._held = held
        self._slow_seconds = slow_seconds
        self._brief_seconds = brief_seconds
        self._clock = clock
        self._lines: dict[Key, _Line[RequestT, ReplyT]] = {}
        self._slow: TTLCache[Key, bool] = TTLCache(1024, SLOW_FOR_SECONDS)
        self._brief: LRUCache[Key, bool] = LRUCache(1024)  # whether the last run was
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(threads, "isolated")
        self._slow_threads = ThreadPoolExecutor(slow_threads, "isolated-slow")

    def __len__(self) -> int:
        """Return the number of models that run or for which requests wait."""
        return len(self._lines)

    def put(self, key: Key, piece: Piece[RequestT, ReplyT]) -> None:
        """Have a piece answered soon; its `replies` tell. Raises `errors.Overloaded`.

        If nothing else waits for the model and its last run was brief, the replies are awaited for
        a moment.
        """
        self._held.take(piece.size)
        try:
            with self._lock:
                is_next = self._admit(key, piece)
                brief = self._brief.get(key, False)
        except errors.Overloaded:
            self._held.give(piece.size)
            raise
        piece.replies.add_done_callback(partial(_give, self._held, piece.size))
        if is_next and brief:
            wait([piece.replies], self._brief_seconds)

    def _admit(self, key: Key, piece: Piece[RequestT, ReplyT]) -> bool:
        """Put a piece into its line; tell whether it is the next. Raises `errors.Overloaded`."""
        known = self._lines.get(key)
        line = known or _Line(key, slow=key in self._slow)
        if line.slow and self._full(line):
            raise _too_slow(key)
        line.waiting.append(piece)
        if known is None:
            self._lines[key] = line
            self._submit(line)
        return known is None

    def _full(self, line: _Line[RequestT, ReplyT]) -> bool:
        """Tell whether no more messages may wait for this slow model, or for all slow ones."""
        every = sum(each.messages for each in self._lines.values() if each.slow)
        return line.messages >= SLOW_MESSAGES or every >= ALL_SLOW_MESSAGES

    def _submit(self, line: _Line[RequestT, ReplyT]) -> None:
        threads = self._slow_threads if line.slow else self._threads
        threads.submit(self._run, line)

    def _run(self, line: _Line[RequestT, ReplyT]) -> None:
        """Answer the next pieces of a line."""
        with self._lock:
            taken = line.take()
        begun = self._clock()
        late = _Late(partial(self._slow_down, line))
        try:
            requests = [request for piece in taken for request in piece.requests]
            with watchdog().deadline(late, self._slow_seconds):
                replies = iter(self._answer(line.key, requests))
        except BaseException as error:  # noqa: BLE001  whoever waits gets it
            for piece in taken:
                piece.replies.set_exception(error)
        else:
            for piece in taken:
                piece.replies.set_result(list(islice(replies, len(piece.requests))))
        seconds = self._clock() - begun
        with self._lock:
            self._brief[line.key] = seconds < self._brief_seconds
            if line.slow and seconds < self._slow_seconds:
                line.slow = False
                self._slow.pop(line.key, None)
            if line.waiting:
                self._submit(line)
            else:
                del self._lines[line.key]

    def _slow_down(self, line: _Line[RequestT, ReplyT]) -> None:
        """Note that a model is slow, and refuse the requests that are too many for it."""
        with self._lock:
            line.slow = self._slow[line.key] = True
            shed = line.shed()
        for piece in shed:
            piece.replies.set_exception(_too_slow(line.key))


class _Late:
    """What the watchdog tells that a run is late; it does not end the run."""

    def __init__(self, late: Callable[[], None]) -> None:
        self._late = late
        self._told = False

    @property
    def terminate(self) -> bool:
        return False

    @terminate.setter
    def terminate(self, _: bool) -> None:
        if not self._told:
            self._told = True
            self._late()


def _give(held: HeldBytes, size: int, _: object) -> None:
    held.give(size)


def _too_slow(key: Key) -> errors.Overloaded:
    detail = f"model {key[0]} takes long, and too many requests wait for it; try again later"
    return errors.Overloaded(detail)
