"""What is done with a message of `queue.model.invoke`."""

import asyncio
import logging
from time import monotonic

from app import errors
from app.amqp.async_message import AsyncMessage
from app.amqp.message import encode_reply, reject_with_error
from app.amqp.topology import INVOKE_QUEUE
from app.concurrency import offload_if_large
from app.models.endpoint import EndpointSpec
from app.models.endpoint_cache import EndpointCache
from app.observability import logs
from app.protocol.replies import Reply
from app.protocol.requests import PredictRequest
from app.protocol.types import JobStatus
from app.protocol.validation import parse_request
from app.remote.client import RemoteModelClient

logger = logging.getLogger(__name__)

_BEGUN = "it may have been carried out, and is not sent a second time"


class RemotePredictHandler:
    """The handler of `queue.model.invoke`: calls of remote models."""

    def __init__(self, specs: EndpointCache, endpoints: RemoteModelClient) -> None:
        """Nothing is under way."""
        self._specs = specs
        self._endpoints = endpoints
        self._under_way: dict[tuple[str, str], AsyncMessage] = {}

    async def __call__(self, call: AsyncMessage) -> None:
        """Answer a call; nobody answers what nobody waits for any more."""
        if call.expired:
            return
        if call.lines:
            error = errors.Invalid("body", f"{INVOKE_QUEUE} takes one request a message, no NDJSON")
            reject_with_error(call, error)
            return
        if not (call.reply_to and call.correlation_id):
            await self._answer(call)
            return
        key = call.reply_to, call.correlation_id
        before = self._under_way.get(key)
        if before and call.redelivered and before.body == call.body:
            before.become(call)  # its connection was lost, and the work goes on
            return
        self._under_way[key] = call
        try:
            await self._answer(call)
        finally:
            if self._under_way.get(key) is call:
                del self._under_way[key]

    async def _answer(self, call: AsyncMessage) -> None:
        try:
            request = await offload_if_large(
                len(call.body), lambda: parse_request(PredictRequest, call.body)
            )
        except errors.WarrenError as error:
            reject_with_error(call, error)
            return
        if not request.job_id:
            await self._reply(call, request)
            return
        with logs.log_task(logger, request.job_id, f"invoke model={request.model_id}") as task:
            task.status = await self._reply(call, request)

    async def _reply(self, call: AsyncMessage, request: PredictRequest) -> JobStatus:
        if (reply := await self._ask(call, request)) is None:
            return JobStatus.QUEUED
        encoded = await offload_if_large(len(call.body), lambda: encode_reply(reply))
        call.send(*encoded)
        return reply.status

    async def _ask(self, call: AsyncMessage, request: PredictRequest) -> Reply | None:
        """Return the reply; none where the call is handed back."""
        model_id = request.model_id
        spec: EndpointSpec | None = None
        try:
            spec = await self._specs.get(model_id, request.dataset_id)
            if call.redelivered and not spec.idempotent:
                raise errors.EndpointFailed(f"a consumer was lost that had this call: {_BEGUN}")
            seconds = spec.seconds
            if call.deadline is not None:
                seconds = min(seconds, call.deadline - monotonic())
            answer = await self._endpoints.ask(
                model_id, spec, request, seconds, size=len(call.body)
            )
            return Reply(JobStatus.COMPLETED, model_id, answer)
        except errors.ShuttingDown:
            call.hand_back()
            return None
        except errors.WarrenError as error:
            return Reply.error(error, model_id)
        except asyncio.CancelledError:  # the time to drain is over
            if spec is None or spec.idempotent:
                call.requeue()
                return None
            stopped = errors.EndpointFailed(f"the consumer of this call was stopped: {_BEGUN}")
            return Reply.error(stopped, model_id)
