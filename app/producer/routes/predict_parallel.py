"""`POST /predict/parallel`: many models in one call."""

import asyncio
import json
import logging
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Any

from fastapi import APIRouter, Request, Response

from app import errors
from app.concurrency import run_in_thread
from app.inference import ensemble
from app.inference.ensemble import check_labels, combine, named_labels
from app.models.manifest import OnnxManifest
from app.models.record import TrainedSpec
from app.observability import logs
from app.producer.http.body import call_with_body, encode_message, read_json_body
from app.producer.http.raw_route import RawRoute, body_schema, document_body
from app.producer.http.row_count import count_rows
from app.producer.http.strict_route import problem_responses
from app.producer.rpc.replies import read_prediction
from app.producer.schemas.requests import ParallelBody
from app.producer.schemas.responses import ParallelAnswer
from app.producer.services import Services
from app.protocol.label_keys import label_keys
from app.protocol.types import JSON_MEDIA_TYPE, JobStatus
from app.protocol.validation import parse_request
from app.protocol.wire_errors import error_from_wire

log = logging.getLogger(__name__)

router = APIRouter(route_class=RawRoute, tags=["predictions"])


_HEAD = 1000  # bytes, more than a message has besides the inputs


@dataclass(frozen=True)
class _Call:
    """A request, with a message for each model; `count` is the length of a list of inputs."""

    bodies: dict[str, bytes]
    model_ids: list[str]
    job_id: str
    dataset_id: str | None
    seconds: float | None
    combine: ensemble.CombineMethod | None
    count: int | None


@dataclass(frozen=True)
class _Branch:
    """The outcome of one model: its reply, unparsed, or an error."""

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
            "error": self.reply.to_wire(),
        }

    def encode(self) -> bytes:
        """Return the answer as JSON."""
        if isinstance(self.reply, bytes):  # not parsed, because it may be megabytes
            return b'{"elapsed_ms":%.1f,' % self.elapsed_ms + self.reply.lstrip()[1:]
        return json.dumps(self.error()).encode()


@router.post(
    "/predict/parallel",
    response_model=ParallelAnswer,
    responses=problem_responses(404, 408, 409, 413, 415, 422, 429, 502, 503, 504),
    openapi_extra=document_body((JSON_MEDIA_TYPE, body_schema(ParallelBody))),
)
async def parallel(request: Request) -> Response:
    """Predict with many models at once, and combine their answers on request.

    A model that fails or is too slow has an `error` among the `answers`. If all models fail, the
    response is the problem of the first one. `combine` uses the successful answers: `mean` of
    numbers or probabilities, `vote` of labels, `max_proba` for the most certain answer. Models that
    have no label in common are not combined. An uploaded model with more than 100 labels reports
    only the five most probable ones; the others count as 0.
    """
    services: Services = request.app.state.services
    began = perf_counter()
    with ExitStack() as held:
        take = held.enter_context(services.in_flight.admit())
        body = await read_json_body(request)
        call = await call_with_body(body, partial(_prepared, services, body))
        del body
        count_rows(request.scope, (call.count or 1) * len(call.bodies))
        take(sum(map(len, call.bodies.values())))
        for _ in range(1, len(call.bodies)):
            held.enter_context(services.in_flight.admit())
        with logs.log_task(log, call.job_id, f"parallel models={len(call.bodies)}"):
            async with asyncio.TaskGroup() as group:
                tasks = {
                    name: group.create_task(_ask(services, call, name)) for name in call.bodies
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


def _prepared(services: Services, body: bytes) -> _Call:
    """Parse a body and encode the message for each model. Raises `errors.Invalid` or `TooLarge`.

    The parsed request is ten times as large as the messages, and is freed before they wait.
    """
    asked = parse_request(ParallelBody, body)
    names = list(dict.fromkeys(asked.model_ids))
    encoded = asked.encode_inputs().encode()
    _check_size(services, len(names), len(body) + len(names) * (len(encoded) + _HEAD))
    job_id = asked.job_id or uuid.uuid4().hex
    head = {"dataset_id": asked.dataset_id, "job_id": job_id}
    return _Call(
        bodies={name: encode_message(encoded, model_id=name, **head) for name in names},
        model_ids=asked.model_ids,
        job_id=job_id,
        dataset_id=asked.dataset_id,
        seconds=asked.seconds,
        combine=asked.combine,
        count=len(asked.rows or asked.images) if asked.many else None,
    )


def _check_size(services: Services, models: int, size: int) -> None:
    """Raise `errors.TooLarge` for a request that would exceed the limits on its own."""
    most = services.settings.max_in_flight
    if models > most:
        raise errors.TooLarge("model_ids", f"at most {most} at a time", limit=most)
    limit = services.settings.max_in_flight_bytes
    if size > limit:
        raise errors.TooLarge(
            "body",
            f"for {models} models it becomes {size} bytes, but at most {limit} may be in flight; "
            "use fewer models or fewer inputs at a time",
            limit=limit,
        )


async def _ask(services: Services, call: _Call, name: str) -> _Branch:
    """Call one model. Its error is returned, because raising it would cancel the other calls."""
    began = perf_counter()
    reply: bytes | errors.WarrenError
    try:
        model = (name, call.dataset_id)
        reply = await services.predictions.predict(model, call.bodies[name], call.seconds)
    except errors.WarrenError as error:
        log.info("model %s: %s: %s", name, error.type, error.detail)
        reply = error
    except Exception:
        log.exception("model %s", name)
        reply = errors.WarrenError()
    return _Branch(name, round((perf_counter() - began) * 1000, 1), reply)


def _all_failed(branches: list[_Branch], job_id: str) -> errors.WarrenError:
    """Return the error of the first model, with all answers."""
    answers = [each.error() for each in branches]
    first = answers[0]["error"]
    return error_from_wire({**first, "job_id": job_id, "answers": answers})


async def _combined(services: Services, call: _Call, replies: list[bytes]) -> bytes:
    """Return the combination of replies as JSON; it holds the error if they cannot be combined."""
    assert call.combine is not None
    how = call.combine
    head = {"status": JobStatus.COMPLETED, "combine": how, "of": len(replies)}

    def work() -> bytes:
        predicted = [read_prediction(reply) for reply in replies]
        answers = [{**each.members(), "model_id": each.model_id} for each in predicted]
        check_labels(_labels(services, answers))
        whole = {**head, **combine(how, answers, call.count)}
        return json.dumps(whole, allow_nan=False).encode()

    try:
        return await run_in_thread(work)  # megabytes of replies would block the event loop
    except errors.WarrenError as error:
        return json.dumps({**head, "status": JobStatus.ERROR, "error": error.to_wire()}).encode()


def _labels(services: Services, answers: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the keys of the labels of each model that has labels, as far as they are known.

    Those of an endpoint are not known. While the database cannot be reached, none are.
    """
    labels: dict[str, list[str]] = {}
    for answer in answers:
        model_id = answer["model_id"]
        try:
            spec = services.models.get(model_id).spec
        except errors.WarrenError as error:
            log.info("the labels of model %s are not known: %s", model_id, error)
            break  # because an unreachable database takes seconds for each
        match spec:
            case OnnxManifest() if spec.labels:
                labels[model_id] = label_keys(spec.labels)
            case TrainedSpec() if named := named_labels(answer):  # each answer names all of them
                labels[model_id] = named
    return labels
