"""The handler of `queue.model.invoke`: predictions of remote models."""

import asyncio
import logging
from functools import partial
from time import monotonic
from typing import ClassVar

from app import errors
from app.amqp.message import (
    IncomingMessage,
    decode_or_reject,
    reject_with_error,
)
from app.amqp.topology import INVOKE_QUEUE
from app.auth.grants import Grants
from app.auth.names import is_latest
from app.concurrency import offload_if_large, run_in_pool
from app.consumer.message_identity import is_of_service
from app.consumer.message_owner import asked_model, owner_of_message
from app.consumer.read_prediction import read_prediction, refuse_unread
from app.consumer.versioned_request import versioned
from app.models.endpoint import EndpointSpec
from app.models.exact import Exact
from app.models.references import ModelReferences
from app.models.registry import CachedModelRegistry
from app.observability import logs
from app.observability.metrics import catalogue
from app.protocol.oip.reply import infer_reply
from app.protocol.oip.rows import InferPrediction
from app.protocol.replies import Failed, Predicted, Reply
from app.protocol.requests import PredictRequest
from app.protocol.types import JobStatus, ModelKind
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
        grants: Grants | None = None,
        references: ModelReferences | None = None,
    ) -> None:
        """Create the handler; the consumer opens `endpoints`.

        Calls that would put more than `max_bytes` in flight get an `Overloaded` error.
        `grants` tell which models of others a client may ask, and `references` what names of models
        mean.
        """
        self.prefetch = prefetch
        self._registry = registry
        self._endpoints = endpoints
        self._grants = grants
        self._references = references
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
            request = await offload_if_large(len(message.body), lambda: read_prediction(message))
        except errors.WarrenError as error:
            refuse_unread(message, error)
            return
        if not request.job_id:
            await self._reply(message, request)
            return
        with logs.log_task(log, request.job_id, f"invoke model={request.model_id}") as task:
            task.status = await self._reply(message, request)

    async def _reply(self, message: IncomingMessage, request: PredictRequest) -> JobStatus:
        if (answered := await self._call(message, request)) is None:
            return JobStatus.QUEUED
        reply, model = answered
        outcome = str(reply.error["type"]) if isinstance(reply, Failed) else "completed"
        catalogue.PREDICTIONS.add(ModelKind.ENDPOINT.value, outcome)
        encoded = await offload_if_large(
            len(message.body), lambda: message.encode(versioned(_in_form(request, reply), model))
        )
        message.send(*encoded)
        return reply.status

    async def _call(
        self, message: IncomingMessage, request: PredictRequest
    ) -> tuple[Reply, str | None] | None:
        """Return the reply, and the version that was asked by a name.

        None means that the message returns to its queue.
        """
        model_id = request.model_id
        spec: EndpointSpec | None = None
        try:
            asked = partial(asked_model, message, request, self._grants)
            # A client's name may have to be looked up.
            names = asked() if is_of_service(message) else await run_in_pool(None, asked)
            exact = Exact(names[0])
            if self._references and not is_latest(names[0]):
                exact = await self._references.find(names[0], request.split_key)
            model_id = exact.model_id if exact.name else model_id
            record = await self._registry.find(exact.model_id, names[1])
            spec = record.require_endpoint()
            if message.redelivered and not spec.idempotent:
                raise _lost_call()
            seconds = spec.seconds
            if message.deadline is not None:
                seconds = min(seconds, message.deadline - monotonic())
            answer = await self._endpoints.predict(
                record.model_id, spec, request, seconds, size=len(message.body)
            )
            return Predicted(model_id, **answer), exact.label(owner_of_message(message))
        except errors.ShuttingDown:
            message.republish()
            return None
        except errors.WarrenError as error:
            return Failed.of(error, model_id), None
        except asyncio.CancelledError:  # the time to drain is over
            if spec is None or spec.idempotent:
                message.requeue()
                return None
            stopped = errors.EndpointFailed(f"the consumer of this call was stopped: {_BEGUN}")
            return Failed.of(stopped, model_id), None


def _in_form(request: PredictRequest, reply: Reply) -> Reply:
    return infer_reply(request, reply) if isinstance(request, InferPrediction) else reply


def _lost_call() -> errors.EndpointFailed:
    return errors.EndpointFailed(f"the consumer of this call was lost: {_BEGUN}")


def _asked(message: IncomingMessage) -> tuple[object, ...]:
    sender = message.user_id, message.exchange
    ids = message.message_id, message.reply_to, message.correlation_id
    return *sender, *ids, message.infer, message.body
