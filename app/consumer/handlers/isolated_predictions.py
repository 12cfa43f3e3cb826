"""Predict with models that run in child processes, without delay for the requests of others."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from app import errors
from app.amqp.message import IncomingMessage, encode_reply
from app.consumer.handlers import Deferred
from app.consumer.handlers.asked import Asked, drop, memory_of, messages_of, reply_error, split
from app.consumer.handlers.joint_runs import answer_together
from app.consumer.held_bytes import HeldBytes
from app.consumer.model_lines import SLOW_SECONDS, Key, ModelLines, Piece
from app.inference.predictor import Predictor
from app.protocol.replies import Failed, Reply

LOAD_SECONDS = 20.0  # how long a thread waits for a model that has to be loaded again

FindModel = Callable[[str, bool], Future[Predictor]]
_Queued = tuple[Asked, Future[Predictor]]
_Piece = Piece[_Queued, Reply | None]


class IsolatedPredictions:
    """Puts requests into the lines of their models, and sends the replies."""

    def __init__(
        self,
        find: FindModel,
        held: HeldBytes,
        run_bytes: int,
        *,
        slow_seconds: float = SLOW_SECONDS,
    ) -> None:
        """Create the lines; `find` is that of `PredictHandler`."""
        self._find = find
        self._run_bytes = run_bytes
        self._lines: ModelLines[_Queued, Reply | None]
        self._lines = ModelLines(self._answer, held, slow_seconds=slow_seconds)

    def defer(self, key: Key, requests: list[Asked], found: Future[Predictor]) -> list[Deferred]:
        """Have a loaded model answer requests later; refuse those that are too many to wait."""
        deferred = []
        for asked in split(requests):
            queued = [(each, found) for each in asked]
            piece: _Piece = Piece(queued, messages_of(asked), memory_of(asked))
            try:
                self._lines.put(key, piece)
            except errors.Overloaded as error:
                reply_error(asked, error)
            else:
                then = partial(_send, piece)
                deferred.append(Deferred(piece.replies, piece.messages, then))
        return deferred

    def _answer(self, key: Key, queued: list[_Queued]) -> list[Reply | None]:
        """Return the replies, on a thread of the lines; None where nobody waits any more."""
        awaited = [n for n, (asked, _) in enumerate(queued) if _is_awaited(asked)]
        found = queued[-1][1]

        def find() -> Predictor:
            """Return the model; load it again if its process has ended."""
            nonlocal found
            if not found.result().alive:
                found = self._find(*key)
            try:
                return found.result(LOAD_SECONDS)
            except TimeoutError:
                detail = f"model {key[0]} took longer than {LOAD_SECONDS:g} s to load"
                raise errors.Unavailable(detail) from None

        replies: list[Reply | None] = [None] * len(queued)

        def tell(place: int, reply: Reply) -> None:
            replies[awaited[place]] = _encoded(reply)

        if awaited:
            requests = [queued[n][0] for n in awaited]
            answer_together(requests, find(), find, self._run_bytes, tell)
        return replies


@dataclass(frozen=True)
class _Encoded(Reply):
    """A reply as JSON, which takes a tenth of what its numbers take as objects."""

    body: bytes = b""

    def encode(self) -> bytes:
        """Return the JSON."""
        return self.body


def _encoded(reply: Reply) -> Reply:
    if isinstance(reply, Failed):  # its error is logged
        return reply
    body, status = encode_reply(reply)
    return _Encoded(status, reply.model_id, body)


def _is_awaited(asked: Asked) -> bool:
    message = asked[0].message
    return message.alive and not message.expired


def _send(piece: _Piece, messages: list[IncomingMessage]) -> None:
    """Send the replies to the requests of `messages`, on the worker thread."""
    alive = set(messages)
    try:
        replies = piece.replies.result()
    except Exception as error:  # noqa: BLE001  also a bug
        reply_error([asked for asked, _ in piece.requests if asked[0].message in alive], error)
        return
    for ((part, _), _), reply in zip(piece.requests, replies, strict=True):
        if reply is not None and part.message in alive:
            part.reply(reply)
        else:
            drop(part)
