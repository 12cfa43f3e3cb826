"""The handler of `queue.model.invoke`: predictions of remote models."""

import asyncio
import logging
from time import monotonic
from typing import ClassVar

from app import errors
from app.amqp.message import (
    IncomingMessage,
    decode_or_reject,
    encode_reply,
    reject_with_error,
)
from app.amqp.topology import INVOKE_QUEUE
from app.concurrency import offload_if_large, run_in_pool
from app.models.endpoint import EndpointSpec
from app.models.registry import CachedModelRegistry
from app.observability import logs
from app.protocol.replies import Failed, Predicted, Reply
from app.protocol.requests import PredictRequest
from app.protocol.types import JobStatus
from app.protocol.validation import parse_request
from app.remote.client import RemoteModelClient

log = logging.getLogger(__name__)

IN_FLIGHT_BYTES = 128_000_000  # of decoded bodies, because 16 kB may decode to 4 MB
DECODING = 4  # bodies that are decoded at a time, and are not counted yet

_BEGUN = "it may have been carried out, and is not sent a second time"


class RemotePredictHandler:
    """Handles `queue.model.invoke`: calls remote models, `prefetch` at a time."""

    queue: ClassVar[str] = INVOKE_QUEUE

    def __init__(
        self,
        registry: CachedModelRegistry,
        endpoints: RemoteModelClient,
        prefetch: int = 1000,
        max_bytes: int = IN_FLIGHT_BYTES,
    ) -> None:
        """Create the handler; the consumer opens `endpoints`.

        Calls that would put more than `max_bytes` in flight get an `Overloaded` error.
        """
        self.prefetch = prefetch
        self._registry = registry
        self._endpoints = endpoints
        self._in_flight: set[IncomingMessage] = set()
        self._max_bytes = max_bytes
        self._bytes = 0
        self._decoding = asyncio.Semaphore(DECODING)

    @property
    def in_flight(self) -> list[IncomingMessage]:
        """The messages in flight."""
        return list(self._in_flight)

    async def __call__(self, message: IncomingMessage) -> None:
        """Call the model and reply, unless the sender has stopped waiting."""
        if message.expired:
            return
        if message.is_ndjson:
            error = errors.Invalid(
                "body", f"{INVOKE_QUEUE} accepts one request per message, not NDJSON"
            )
            reject_with_error(message, error)
            return
        if message.encoding is not None:
            async with self._decoding:
                if not await run_in_pool(None, lambda: decode_or_reject(message)):
                    return
        if message.redelivered and (lost := self._lost_twin(message)):
            lost.continue_as(message)  # its connection was lost, but the call continues
            return
        size = len(message.body)
        if self._bytes + size > self._max_bytes:
            self._refuse(message)
            return
        self._in_flight.add(message)
        self._bytes += size
        try:
            await self._handle(message)
        finally:
            self._in_flight.discard(message)
            self._bytes -= size

    def _refuse(self, message: IncomingMessage) -> None:
        detail = f"the calls in flight have {self._bytes} bytes: ask again in a moment"
        message.reply(Failed.of(_lost_call() if message.redelivered else errors.Overloaded(detail)))

    def _lost_twin(self, message: IncomingMessage) -> IncomingMessage | None:
        """Return the message in flight that is delivered again by this one.

        It lost its connection, and is the same in all that a reply depends on. If there are more of
        them, each is delivered again, so any of them will do.
        """
        for each in self._in_flight:
            if not each.alive and _asked(each) == _asked(message):
                return each
        return None

    async def _handle(self, message: IncomingMessage) -> None:
        try:
            request = await offload_if_large(
                len(message.body), lambda: parse_request(PredictRequest, message.body)
            )
        except errors.WarrenError as error:
            reject_with_error(message, error)
            return
        if not request.job_id:
            await self._reply(message, request)
            return
        with logs.log_task(log, request.job_id, f"invoke model={request.model_id}") as task:
            task.status = await self._reply(message, request)

    async def _reply(self, message: IncomingMessage, request: PredictRequest) -> JobStatus:
        if (reply := await self._call(message, request)) is None:
            return JobStatus.QUEUED
        encoded = await offload_if_large(len(message.body), lambda: encode_reply(reply))
        message.send(*encoded)
        return reply.status

    async def _call(self, message: IncomingMessage, request: PredictRequest) -> Reply | None:
        """Return the reply, or None if the message returns to its queue."""
        model_id = request.model_id
        spec: EndpointSpec | None = None
        try:
            record = await self._registry.find(model_id, request.dataset_id)
            spec = record.require_endpoint()
            if message.redelivered and not spec.idempotent:
                raise _lost_call()
            seconds = spec.seconds
            if message.deadline is not None:
                seconds = min(seconds, message.deadline - monotonic())
            answer = await self._endpoints.predict(
                model_id, spec, request, seconds, size=len(message.body)
            )
            return Predicted(model_id, **answer)
        except errors.ShuttingDown:
            message.republish()
            return None
        except errors.WarrenError as error:
            return Failed.of(error, model_id)
        except asyncio.CancelledError:  # the time to drain is over
            if spec is None or spec.idempotent:
                message.requeue()
                return None
            stopped = errors.EndpointFailed(f"the consumer of this call was stopped: {_BEGUN}")
            return Failed.of(stopped, model_id)


def _lost_call() -> errors.EndpointFailed:
    return errors.EndpointFailed(f"the consumer of this call was lost: {_BEGUN}")


def _asked(message: IncomingMessage) -> tuple[object, ...]:
    return message.message_id, message.reply_to, message.correlation_id, message.body
