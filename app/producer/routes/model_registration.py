"""`PUT /models/{id}`: register an ONNX file or an endpoint."""

import hashlib
import json
from contextlib import suppress
from typing import IO, Annotated

import anyio.to_thread
from fastapi import APIRouter, Path, Request, Response
from starlette.datastructures import FormData
from starlette.responses import JSONResponse

from app import errors
from app.concurrency import run_in_thread
from app.inference.inspection_process import inspect
from app.models.endpoint import EndpointSpec
from app.models.manifest import OnnxManifest
from app.models.record import Spec
from app.producer.http.body import media_type, parse_body
from app.producer.http.examples import example
from app.producer.http.location import location
from app.producer.http.model_form import FORM, HOW, form_parts, read_form
from app.producer.http.strict_route import StrictRoute, problem_responses
from app.producer.schemas.models import REGISTRATION, Registered
from app.producer.services import Services, ServicesDep
from app.protocol.types import JSON_MEDIA_TYPE, LATEST, Id, JobKind, ModelKind

router = APIRouter(route_class=StrictRoute, tags=["catalogue"])


@router.put(
    "/models/{model_id}",
    status_code=201,
    response_model=Registered,
    responses={
        200: {"model": Registered, "description": "It had been registered before"},
        201: {"description": "It is registered, and can be asked"},
        **problem_responses(408, 409, 413, 415, 422, 503, 507),
    },
    openapi_extra={"requestBody": REGISTRATION},
)
async def put_model(
    model_id: Annotated[
        Id, Path(description="The id of the new model.", openapi_examples=example("iris"))
    ],
    request: Request,
    services: ServicesDep,
) -> Response:
    """Register a model that was not trained here: an ONNX file, or an endpoint to be called.

    An ONNX file comes as `multipart/form-data` with its `manifest`; it is loaded and tried before
    it is accepted. An endpoint is described by JSON; its host has to be among `INVOKE_HOSTS`. A
    model never changes. The same model again gets a 200, another one with the same id a 409.
    """
    if model_id == LATEST:
        raise errors.Invalid("model_id", f"{LATEST} always means the newest model")
    await run_in_thread(services.disks.check)
    sent = media_type(request)
    if sent == FORM:
        async with services.upload_place(), read_form(request, services.settings.max_body) as form:
            known = await _put_onnx(services, model_id, form)
        kind = ModelKind.ONNX
    elif sent == JSON_MEDIA_TYPE:
        known = await _put_endpoint(services, model_id, request)
        kind = ModelKind.ENDPOINT
    else:
        raise errors.Invalid(
            "body",
            f"send an ONNX file with its manifest as {FORM} ({HOW}), or an endpoint as "
            f"{JSON_MEDIA_TYPE}, and name it in Content-Type",
        )
    return JSONResponse(
        {"model_id": model_id, "kind": kind},
        200 if known else 201,
        headers=location(request, f"/models/{model_id}"),
    )


async def _put_endpoint(services: Services, model_id: str, request: Request) -> bool:
    """Register a remote model; return whether it was known. Only consumers need its secrets."""
    spec = await parse_body(EndpointSpec, await request.body())
    spec.check_host(services.settings.invoke_hosts)
    known = not await run_in_thread(services.models.register, model_id, spec)
    if known:
        await _is_registered(services, model_id, spec, None)
    services.predictions.remember(model_id, spec.seconds)
    return known


async def _put_onnx(services: Services, model_id: str, form: FormData) -> bool:
    """Check, store and register an ONNX file; return whether it was known."""
    spec, file = await form_parts(form, services.settings.max_body)
    sha256 = await anyio.to_thread.run_sync(_sha256, file)
    if await _is_registered(services, model_id, spec, sha256):
        return True
    async with services.inspections:
        await inspect(file, spec)
    file.seek(0)
    put = services.model_files.put_uploaded
    stored = await anyio.to_thread.run_sync(put, model_id, spec, file, sha256)
    if await run_in_thread(services.models.register, model_id, spec, stored):
        return False
    with suppress(errors.Unavailable):  # the sweeper deletes them later
        await run_in_thread(services.model_files.delete, stored.key)
    return await _is_registered(services, model_id, spec, sha256)


async def _is_registered(
    services: Services, model_id: str, spec: OnnxManifest | EndpointSpec, sha256: str | None
) -> bool:
    """Return whether this model is registered. Raises `errors.Conflict` if the id is taken."""
    try:
        record = await run_in_thread(services.models.get, model_id)
    except (errors.NotFound, errors.NotReady):
        if job := await run_in_thread(services.jobs.get, model_id):
            raise _taken(model_id, job.kind) from None
        return False
    same_file = (record.file and record.file.sha256) == sha256
    if not same_file or _canonical(record.spec) != _canonical(spec):
        raise _taken(model_id, record.kind)
    return True


def _taken(model_id: str, kind: JobKind | ModelKind) -> errors.Conflict:
    return errors.Conflict(
        "model_id",
        f"{model_id} is taken, by another {kind}; models never change, so choose another id",
    )


def _canonical(spec: Spec) -> str:
    """Return JSON to compare specs by, because Python takes False and 0 for equal."""
    return json.dumps(spec.model_dump(mode="json"), sort_keys=True)


def _sha256(file: IO[bytes]) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
