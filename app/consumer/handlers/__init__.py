"""The protocols of handlers. Each queue has one module and one class."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from app.amqp.message import IncomingMessage


@dataclass(frozen=True, eq=False)
class Deferred:
    """Work that a handler defers: `then` is called when `until` is done.

    `then` gets the messages whose connection is still alive. A message is settled after
    the last of its deferred work.
    """

    until: Future[Any]
    messages: list[IncomingMessage]  # each once
    then: Callable[[list[IncomingMessage]], "list[Deferred] | None"]


class Handler(Protocol):
    """Handles the messages of one queue, in a thread of a `ThreadedConsumer`."""

    @property
    def queue(self) -> str:
        """The queue to consume."""

    @property
    def prefetch(self) -> int:
        """How many messages are unsettled at a time, and the most in a batch."""

    def __call__(self, messages: list[IncomingMessage], /) -> list[Deferred] | None:
        """Handle a batch. Messages that are not deferred are settled afterwards.

        If it raises, the batch is rejected and its senders get an internal error.
        """

    def is_fast(self, message: IncomingMessage, /) -> bool:
        """Tell whether a message takes milliseconds, so that the connection's thread handles it."""


class AsyncHandler(Protocol):
    """Handles the messages of one queue, each in a task of an `AsyncConsumer`.

    If it is an async context manager, the consumer enters it on its loop.
    """

    @property
    def queue(self) -> str:
        """The queue to consume."""

    @property
    def prefetch(self) -> int:
        """How many messages are unsettled at a time."""

    async def __call__(self, message: IncomingMessage, /) -> None:
        """Handle a message, which is settled afterwards.

        If it raises, the message is rejected and its sender gets an internal error. If it is
        cancelled, the message is requeued.
        """
