"""Predict through the queue that a model answers on.

The producer does not query the database for this. It sends to `queue.model.predict`; if a consumer
there replies that the model answers on another queue, the router remembers it.
"""

import asyncio
import re
from collections.abc import Callable
from time import monotonic

from cachetools import LRUCache

from app import errors
from app.amqp.topology import INVOKE_QUEUE, PREDICT_QUEUE
from app.auth.names import is_latest
from app.producer.rpc.client import RpcClient
from app.producer.rpc.coalescer import Coalescer
from app.producer.rpc.replies import ensure_success
from app.producer.rpc.usage import ModelUsageTracker

MAX_REMEMBERED = 10_000
MAX_SECONDS = 3600.0  # longer than the deadline of any model

_NAMED = re.compile(rb'\{"status":"[A-Z_]+","model_id":"([^"\\]+)"')


class PredictionRouter:
    """Calls the consumers for predictions. It belongs to one event loop."""

    def __init__(
        self, rpc: RpcClient, deadline: float, clock: Callable[[], float] = monotonic
    ) -> None:
        """Give a model `deadline` seconds to answer, or the seconds it is registered with if more.

        `clock` returns monotonic seconds.
        """
        self.usage = ModelUsageTracker(clock)
        self._rpc = rpc
        self._deadline = deadline
        self._clock = clock
        self._coalescer = Coalescer(rpc, PREDICT_QUEUE, deadline)
        self._remote: LRUCache[str, float] = LRUCache(MAX_REMEMBERED)  # deadlines in seconds

    def remember(self, model_id: str, seconds: float) -> None:
        """Use `queue.model.invoke` for a model from now on; it answers within `seconds`."""
        self._remote[model_id] = max(self._deadline, seconds)

    def invokes(self, model_id: str) -> bool:
        """Tell whether a model is known to answer on `queue.model.invoke`."""
        return model_id in self._remote

    async def predict(
        self, model: tuple[str, str | None], body: bytes, seconds: float | None = None
    ) -> bytes:
        """Return the reply to a JSON request, unparsed. `model` is its id and data set.

        The caller waits `seconds` if that is less than the model's own deadline. Raises the
        errors of `RpcClient.call`, or the error in the reply.
        """
        name = model[0]
        began = self._clock()
        try:
            reply = await self._routed(model, body, seconds)
        except errors.WarrenError as error:
            hurried = seconds is not None and seconds < self._remote.get(name, self._deadline)
            self.usage.failed(name, began, error, hurried=hurried)
            raise
        if not is_latest(name):
            self.usage.answered(name, began)
        elif named := _NAMED.match(reply):
            self.usage.answered(named[1].decode(), began)
        return reply

    async def _routed(
        self, model: tuple[str, str | None], body: bytes, seconds: float | None
    ) -> bytes:
        if model[0] not in self._remote:
            began = self._clock()
            try:
                if seconds is None or seconds >= self._deadline:
                    return await self._coalescer.call(model, body)
                return await self._call_within(model, body, seconds)
            except errors.WrongQueue as error:
                self.remember(model[0], _checked_seconds(error))
                if seconds is not None:
                    seconds = max(0.0, seconds - (self._clock() - began))
        deadline = self._remote[model[0]]
        deadline = deadline if seconds is None else min(deadline, seconds)
        return ensure_success(await self._rpc.call(INVOKE_QUEUE, body, deadline))

    async def _call_within(
        self, model: tuple[str, str | None], body: bytes, seconds: float
    ) -> bytes:
        try:
            async with asyncio.timeout(seconds):
                return await self._coalescer.call(model, body)
        except TimeoutError:
            raise errors.DeadlineExceeded(f"no consumer answered within {seconds:g} s") from None


def _checked_seconds(error: errors.WrongQueue) -> float:
    """Return the model's deadline. Raises `errors.WarrenError` for another queue or no number."""
    queue, seconds = error.extra.get("queue"), error.extra.get("seconds")
    # A consumer must not choose the queue that clients write to.
    if queue != INVOKE_QUEUE or not isinstance(seconds, int | float):
        raise errors.WarrenError(f"a consumer refers to the queue {queue} for {seconds} s")
    if not 0 < seconds <= MAX_SECONDS:
        raise errors.WarrenError(f"a consumer gives a model a deadline of {seconds} s")
    return float(seconds)
