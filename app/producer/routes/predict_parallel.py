"""`POST /predict/parallel`: many models in one call."""

import asyncio
import json
import logging
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from fastapi import APIRouter, Request, Response

from app import errors
from app.auth.identity import Scope
from app.auth.names import qualified
from app.auth.shown_names import shown_error, shown_reply
from app.concurrency import run_in_thread
from app.inference.ensemble import check_labels, combine, named_labels
from app.models.manifest import OnnxManifest
from app.models.record import TrainedSpec
from app.observability import logs
from app.producer.callers.access import owner_in
from app.producer.callers.row_count import count_rows
from app.producer.parallel_call import ParallelCall, prepare_call, qualified_models
from app.producer.routing.body import call_with_body, parse_body, read_json_body
from app.producer.routing.raw_route import RawRoute, body_schema, document_body
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import problem_responses
from app.producer.rpc.replies import read_prediction
from app.producer.schemas.requests import ParallelBody
from app.producer.schemas.responses import ParallelAnswer
from app.producer.services import Services, services_of
from app.protocol.label_keys import label_keys
from app.protocol.replies import with_model
from app.protocol.types import JSON_MEDIA_TYPE, JobStatus
from app.protocol.wire_errors import error_from_wire

log = logging.getLogger(__name__)

router = APIRouter(route_class=RawRoute, tags=["predictions"])


@dataclass(frozen=True)
class _Branch:
    """The outcome of one model: its reply, unparsed, or an error."""

    owner: str
    model_id: str
    elapsed_ms: float
    reply: bytes | errors.WarrenError

    def error(self) -> dict[str, Any]:
        """Return the answer of a failed branch."""
        assert isinstance(self.reply, errors.WarrenError)
        return {
            "status": JobStatus.ERROR,
            "model_id": self.model_id,
            "elapsed_ms": self.elapsed_ms,
            "error": shown_error(self.owner, self.reply.to_wire()),
        }

    def encode(self) -> bytes:
        """Return the answer as JSON."""
        if isinstance(self.reply, bytes):  # not parsed, because it may be megabytes
            return b'{"elapsed_ms":%.1f,' % self.elapsed_ms + self.reply.lstrip()[1:]
        return json.dumps(self.error()).encode()


@router.post(
    "/predict/parallel",
    response_model=ParallelAnswer,
    responses=problem_responses(404, 408, 409, 410, 413, 415, 422, 429, 502, 503, 504),
    openapi_extra=document_body((JSON_MEDIA_TYPE, body_schema(ParallelBody))),
)
@allow(Scope.PREDICT)
async def parallel(request: Request) -> Response:
    """Predict with many models at once, and combine their answers on request.

    A model that fails or is too slow has an `error` among the `answers`. If all models fail, the
    response is the problem of the first one. `combine` uses the successful answers: `mean` of
    numbers or probabilities, `vote` of labels, `max_proba` for the most certain answer. Models that
    have no label in common are not combined. An uploaded model with more than 100 labels reports
    only the five most probable ones; the others count as 0.
    """
    services = services_of(request)
    owner, began = owner_in(request), perf_counter()
    with ExitStack() as held:
        take = held.enter_context(services.in_flight.admit())
        body = await read_json_body(request)
        asked = await parse_body(ParallelBody, body)
        models, dataset_id = await qualified_models(services, owner, asked)
        prepare = partial(prepare_call, services, asked, len(body), owner, models, dataset_id)
        call = await call_with_body(body, prepare)
        del asked, prepare  # the request is ten times as large as the messages
        del body
        count_rows(request.scope, (call.count or 1) * len(call.bodies))
        take(sum(map(len, call.bodies.values())))
        for _ in range(1, len(call.bodies)):
            held.enter_context(services.in_flight.admit())
        with logs.log_task(log, call.job_id, f"parallel models={len(call.bodies)}"):
            async with asyncio.TaskGroup() as group:
                tasks = {
                    name: group.create_task(_ask(services, call, name)) for name in call.models
                }
            branches = [tasks[name].result() for name in call.model_ids]
            good = [each.reply for each in branches if isinstance(each.reply, bytes)]
            if not good:
                raise _all_failed(branches, call.job_id)
            combined = await _combined(services, call, good) if call.combine else b""
    elapsed = (perf_counter() - began) * 1000
    return Response(
        b'{"message":{"status":"%s","job_id":"%s","elapsed_ms":%.1f,"answers":[%s]%s}}'
        % (
            JobStatus.COMPLETED.encode(),
            call.job_id.encode(),
            elapsed,
            b",".join(each.encode() for each in branches),
            combined and b',"combined":' + combined,
        ),
        media_type=JSON_MEDIA_TYPE,
    )


async def _ask(services: Services, call: ParallelCall, name: str) -> _Branch:
    """Call one model. Its error is returned, because raising it would cancel the other calls."""
    began = perf_counter()
    reply: bytes | errors.WarrenError
    model = call.models[name]
    try:
        if isinstance(model, errors.FieldError):
            raise model
        asked = (model.model_id, call.dataset_id)
        answer = await services.predictions.predict(asked, call.bodies[name], call.seconds)
        reply = with_model(shown_reply(call.owner, answer), model.label(call.owner))
    except errors.WarrenError as error:
        log.info("model %s: %s: %s", name, error.type, error.detail)
        reply = error
    except Exception:
        log.exception("model %s", name)
        reply = errors.WarrenError()
    return _Branch(call.owner, name, round((perf_counter() - began) * 1000, 1), reply)


def _all_failed(branches: list[_Branch], job_id: str) -> errors.WarrenError:
    """Return the error of the first model, with all answers."""
    answers = [each.error() for each in branches]
    first = answers[0]["error"]
    return error_from_wire({**first, "job_id": job_id, "answers": answers})


async def _combined(services: Services, call: ParallelCall, replies: list[bytes]) -> bytes:
    """Return the combination of replies as JSON; it holds the error if they cannot be combined."""
    assert call.combine is not None
    how = call.combine
    head = {"status": JobStatus.COMPLETED, "combine": how, "of": len(replies)}

    def work() -> bytes:
        predicted = [read_prediction(reply) for reply in replies]
        answers = [{**each.members(), "model_id": each.model_id} for each in predicted]
        check_labels(_labels(services, call.owner, answers))
        whole = {**head, **combine(how, answers, call.count)}
        return json.dumps(whole, allow_nan=False).encode()

    try:
        return await run_in_thread(work)  # megabytes of replies would block the event loop
    except errors.WarrenError as error:
        return json.dumps({**head, "status": JobStatus.ERROR, "error": error.to_wire()}).encode()


def _labels(services: Services, owner: str, answers: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the keys of the labels of each model that has labels, as far as they are known.

    Those of an endpoint are not known. While the database cannot be reached, none are.
    """
    labels: dict[str, list[str]] = {}
    for answer in answers:
        model_id = answer["model_id"]
        try:
            spec = services.models.get(qualified(owner, model_id)).spec
        except errors.WarrenError as error:
            log.info("the labels of model %s are not known: %s", model_id, error)
            break  # because an unreachable database takes seconds for each
        match spec:
            case OnnxManifest() if spec.labels:
                labels[model_id] = label_keys(spec.labels)
            case TrainedSpec() if named := named_labels(answer):  # each answer names all of them
                labels[model_id] = named
    return labels
