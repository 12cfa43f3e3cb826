"""What is done with a message of `queue.model.invoke`."""

import asyncio
import logging
from time import monotonic

from app import errors, log, queues
from app.consumer.aside import aside
from app.consumer.call import Call
from app.consumer.delivery import encode, refuse
from app.consumer.endpoints import Endpoints
from app.consumer.specs import Specs
from app.endpoint import Endpoint
from app.messages import PredictRequest, Reply, Status, decode

logger = logging.getLogger(__name__)

_BEGUN = "it may have been carried out, and is not sent a second time"


class Invoke:
    """The handler of `queue.model.invoke`: calls of remote models."""

    def __init__(self, specs: Specs, endpoints: Endpoints) -> None:
        """Nothing is under way."""
        self._specs = specs
        self._endpoints = endpoints
        self._under_way: dict[tuple[str, str], Call] = {}

    async def __call__(self, call: Call) -> None:
        """Answer a call; nobody answers what nobody waits for any more."""
        if call.expired:
            return
        if call.lines:
            detail = f"body: {queues.INVOKE} takes one request a message, and no lines"
            refuse(call, errors.Invalid(detail, field="body"))
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

    async def _answer(self, call: Call) -> None:
        try:
            request = await aside(len(call.body), lambda: decode(PredictRequest, call.body))
        except errors.WarrenError as error:
            refuse(call, error)
            return
        if not request.job_id:
            await self._reply(call, request)
            return
        with log.task(logger, request.job_id, f"invoke model={request.model_id}") as task:
            task.status = await self._reply(call, request)

    async def _reply(self, call: Call, request: PredictRequest) -> Status:
        if (reply := await self._ask(call, request)) is None:
            return Status.QUEUED
        encoded = await aside(len(call.body), lambda: encode(reply))
        call.send(*encoded)
        return reply.status

    async def _ask(self, call: Call, request: PredictRequest) -> Reply | None:
        """Return the reply; none where the call is handed back."""
        model_id = request.model_id
        spec: Endpoint | None = None
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
            return Reply(Status.COMPLETED, model_id, answer)
        except errors.Interrupted:
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
