"""Requests of prediction messages: what they take, how they are split, and how they end."""

import logging
from collections.abc import Iterator
from itertools import groupby

from app import errors
from app.amqp.message import IncomingMessage, Replyable
from app.consumer.model_lines import JOINED_BYTES, JOINED_MESSAGES
from app.consumer.request_log import LoggedRequest
from app.observability.metrics import catalogue
from app.protocol.replies import Failed
from app.protocol.requests import PredictRequest
from app.protocol.types import JobStatus

log = logging.getLogger(__name__)

NO_RUNTIME = "none"  # of requests that reach no model
PARSED = 10  # bytes of memory that a byte of rows takes when it is parsed

Asked = tuple[Replyable, PredictRequest]


def messages_of(requests: list[Asked]) -> list[IncomingMessage]:
    """Return the messages of requests, each once."""
    return list(dict.fromkeys(part.message for part, _ in requests))


def memory_of(requests: list[Asked]) -> int:
    """Return about how many bytes requests take while they wait."""
    return sum(len(part.body) * (1 if asked.images else PARSED) for part, asked in requests)


def split(requests: list[Asked]) -> Iterator[list[Asked]]:
    """Split requests into parts that may run together; those of a message stay together."""
    joined: list[Asked] = []
    messages = size = 0
    for _, group in groupby(requests, lambda asked: asked[0].message):
        own = list(group)
        more = memory_of(own)
        if joined and (messages == JOINED_MESSAGES or size + more > JOINED_BYTES):
            yield joined
            joined, messages, size = [], 0, 0
        joined += own
        messages, size = messages + 1, size + more
    if joined:
        yield joined


def reply_error(requests: list[Asked], error: Exception) -> None:
    """Tell the senders of requests why they have failed; a bug makes them dead letters."""
    told = error if isinstance(error, errors.WarrenError) else errors.WarrenError()
    if told is not error:
        log.error("predictions failed; their requests are dead-lettered", exc_info=error)
    catalogue.PREDICTIONS.add(NO_RUNTIME, told.type, by=len(requests))
    error.__traceback__ = None  # the cache keeps the error, but must not keep the requests
    for part, request in requests:
        part.reply(Failed.of(told, request.model_id))
        if told is not error:
            part.reject()


def drop(part: Replyable) -> None:
    """Count a request whose sender has stopped waiting, and log its end."""
    catalogue.PREDICTIONS.add(NO_RUNTIME, "dropped")
    if isinstance(part, LoggedRequest):
        part.end(JobStatus.ERROR, "dropped")
