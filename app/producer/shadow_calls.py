"""Send a share of the calls of an alias to its shadow once more, and compare the answers."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic
from typing import Any

from app import errors
from app.concurrency import offload_if_large
from app.models.exact import Exact
from app.models.feature_counts import ComparedRow
from app.models.shadow_counts import Counts, Pair
from app.producer.admission import AdmissionControl
from app.producer.middleware.gcra import Gcra
from app.producer.rpc.router import PredictionRouter
from app.producer.shadow_comparison import compare, counted
from app.producer.shadow_rows import compared_rows
from app.producer.shadow_tally import ShadowTally
from app.protocol import strict_json
from app.protocol.orients import inputs_of_split, to_rows

log = logging.getLogger(__name__)

MAX_CALLS = 4  # in flight at a time
RATE = 10.0  # calls a second of all shadows, and so many at once; others wait meanwhile
MAX_BODY = 64_000  # bytes of a request
MAX_ANSWER = 256_000  # bytes of an answer that is compared
SECONDS = 5.0  # in which a shadow answers
_ALL = "shadows"
_NOT_SENT = ("model_id", "dataset_id", "split_key", "job_id")  # the logs have the caller's job once


class ShadowCalls:
    """The mirrored calls of a producer. It belongs to one event loop.

    No caller waits for them, and none sees whether they fail.
    """

    def __init__(
        self,
        predictions: PredictionRouter,
        callers: AdmissionControl,
        tally: ShadowTally,
        features: Callable[[str], Awaitable[frozenset[str] | None]],
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Send none while `callers` are at more than half of their limit.

        `features` returns those of a model, None if they are not known. `chance` returns a number
        from 0 to less than 1: those below the share are sent. `clock` returns monotonic seconds.
        """
        self._predictions = predictions
        self._callers = callers
        self._tally = tally
        self._features = features
        self._chance = chance
        self._rate = Gcra("calls of shadows", RATE, clock)
        self._tasks: set[asyncio.Task[None]] = set()

    def offer(self, exact: Exact, body: bytes, answer: bytes) -> None:
        """Send an answered call once more, if its version has a shadow and there is room."""
        shadow = exact.shadow
        if shadow is None or self._chance() >= shadow.share:
            return
        pair = Pair(exact.name or "", shadow.base_version, shadow.version)
        if len(body) > MAX_BODY or len(answer) > MAX_ANSWER or not self._has_room():
            self._tally.drop(pair)
            return
        self._rate.take(_ALL)
        models = exact.model_id, shadow.model_id
        task = asyncio.create_task(self._call(pair, models, body, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Give up the calls in flight, and write the counts."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._tally.stop()

    def _has_room(self) -> bool:
        is_busy = len(self._tasks) >= MAX_CALLS or self._callers.is_half_full
        return not is_busy and self._rate.left(_ALL)[0] > 0

    async def _call(self, pair: Pair, models: tuple[str, str], body: bytes, answer: bytes) -> None:
        try:
            counts, rows = await self._compared(models, body, answer)
        except Exception as error:
            counts, rows = Counts(failed=1), []
            if isinstance(error, errors.WarrenError):
                log.debug("the shadow %s:%d: %s", pair.name, pair.version, error)
            else:
                log.exception("the call of the shadow %s:%d failed", pair.name, pair.version)
        self._tally.add(pair, counts, rows)

    async def _compared(
        self, models: tuple[str, str], body: bytes, answer: bytes
    ) -> tuple[Counts, list[ComparedRow]]:
        asked = inputs_of_split(strict_json.loads(body))
        inputs = {name: each for name, each in asked.items() if name not in _NOT_SENT}
        inputs["extra"] = "ignore"  # the shadow may know fewer features than the version
        message = strict_json.dumps({"model_id": models[1], **inputs})
        reply = await self._predictions.predict((models[1], None), message, SECONDS)
        if len(reply) > MAX_ANSWER:
            return Counts(dropped=1), []
        known = await self._known(models) if asked.get("extra") == "ignore" else None
        compared = partial(_compared, asked, answer, reply, known)
        return await offload_if_large(len(body) + len(answer) + len(reply), compared)

    async def _known(self, models: tuple[str, str]) -> frozenset[str] | None:
        """Return the features of both models, None if they are not known; none if S3 is away."""
        try:
            found = [await self._features(each) for each in models]
        except errors.WarrenError as error:
            log.debug("the features of a shadow are not counted: %s", error)
            return frozenset()
        known = [each for each in found if each is not None]
        return frozenset().union(*known) if len(known) == len(found) else None


def _compared(
    asked: dict[str, Any], answer: bytes, reply: bytes, known: frozenset[str] | None
) -> tuple[Counts, list[ComparedRow]]:
    inputs = to_rows(asked.get("input_data") or asked.get("image_data"))
    outcomes = compare(answer, reply, many=isinstance(inputs, list))
    return counted(outcomes), compared_rows(inputs, outcomes, known)
