"""Predictions, by whichever queue their model answers.

Nobody here asks the database which one that is. Every model is looked for behind
`queue.model.predict`; where its consumers say that it answers elsewhere, that is remembered.
"""

import asyncio
import re
from time import monotonic

from cachetools import LRUCache

from app import errors
from app.amqp.topology import INVOKE_QUEUE, PREDICT_QUEUE
from app.producer.rpc.client import RpcClient, ensure_success
from app.producer.rpc.coalescer import Coalescer
from app.producer.rpc.usage import ModelUsageTracker
from app.protocol.types import LATEST

MAX_REMEMBERED = 10_000
MAX_SECONDS = 3600.0  # longer than any model may take

_NAMED = re.compile(rb'\{"status":"[A-Z_]+","model_id":"([^"\\]+)"')


class PredictionRouter:
    """Asks the consumers for predictions. It lives on one event loop."""

    def __init__(self, rpc: RpcClient, deadline: float) -> None:
        """Give a model `deadline` seconds to answer, or those it was registered with if more."""
        self.usage = ModelUsageTracker()
        self._rpc = rpc
        self._deadline = deadline
        self._here = Coalescer(rpc, PREDICT_QUEUE, deadline)
        self._elsewhere: LRUCache[str, float] = LRUCache(MAX_REMEMBERED)

    def remember(self, model_id: str, seconds: float) -> None:
        """Ask this model by `queue.model.invoke` from now on; it answers within `seconds`."""
        self._elsewhere[model_id] = max(self._deadline, seconds)

    def invokes(self, model_id: str) -> bool:
        """Tell whether a model is known to answer by `queue.model.invoke`."""
        return model_id in self._elsewhere

    async def ask(
        self, model: tuple[str, str | None], body: bytes, seconds: float | None = None
    ) -> bytes:
        """Return the reply to a JSON request of `model`, its id and data set, as it came.

        It is given up after `seconds`, if that is before the model's own deadline. Raises what
        `RpcClient.call` does, or the error that the reply tells of.
        """
        name = model[0]
        began = monotonic()
        try:
            reply = await self._asked(model, body, seconds)
        except errors.WarrenError as error:
            hurried = seconds is not None and seconds < self._elsewhere.get(name, self._deadline)
            self.usage.failed(name, began, error, hurried=hurried)
            raise
        if name != LATEST:
            self.usage.answered(name, began)
        elif named := _NAMED.match(reply):
            self.usage.answered(named[1].decode(), began)
        return reply

    async def _asked(
        self, model: tuple[str, str | None], body: bytes, seconds: float | None
    ) -> bytes:
        if model[0] not in self._elsewhere:
            began = monotonic()
            try:
                if seconds is None or seconds >= self._deadline:
                    return await self._here.ask(model, body)
                return await self._here_within(model, body, seconds)
            except errors.WrongQueue as error:
                self.remember(model[0], _believed(error))
                if seconds is not None:
                    seconds = max(0.0, seconds - (monotonic() - began))
        deadline = self._elsewhere[model[0]]
        deadline = deadline if seconds is None else min(deadline, seconds)
        return ensure_success(await self._rpc.call(INVOKE_QUEUE, body, deadline))

    async def _here_within(
        self, model: tuple[str, str | None], body: bytes, seconds: float
    ) -> bytes:
        try:
            async with asyncio.timeout(seconds):
                return await self._here.ask(model, body)
        except TimeoutError:
            raise errors.DeadlineExceeded(f"no consumer answered within {seconds:g} s") from None


def _believed(error: errors.WrongQueue) -> float:
    """Return how many seconds the model may take. Raises `errors.WarrenError` for nonsense."""
    queue, seconds = error.extra.get("queue"), error.extra.get("seconds")
    # A consumer must not choose the queue that clients write to.
    if queue != INVOKE_QUEUE or not isinstance(seconds, int | float):
        raise errors.WarrenError(f"a consumer sends to the queue {queue} for {seconds} s")
    if not 0 < seconds <= MAX_SECONDS:
        raise errors.WarrenError(f"a consumer names {seconds} s as a model's deadline")
    return float(seconds)
