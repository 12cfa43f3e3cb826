"""Models that were not trained here: registered by `PUT /models/{id}`."""

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
from app.models.registry import register_model
from app.producer.http.body import media_type, read_body
from app.producer.http.model_form import FORM, form_parts, read_form
from app.producer.http.strict_route import StrictRoute, problem_responses
from app.producer.schemas.models import REGISTRATION, Registered
from app.producer.services import Services, ServicesDep
from app.protocol.types import JSON_MEDIA_TYPE, LATEST, Id
from app.protocol.validation import parse_request
from app.settings import Settings

router = APIRouter(route_class=StrictRoute, tags=["catalogue"])


@router.put(
    "/models/{model_id}",
    status_code=201,
    response_model=Registered,
    responses={
        200: {"model": Registered, "description": "It had been registered before"},
        201: {"description": "It is registered, and can be asked"},
        **problem_responses(408, 409, 413, 422, 503),
    },
    openapi_extra={"requestBody": REGISTRATION},
)
async def put_model(
    model_id: Annotated[Id, Path(examples=["iris"])], request: Request, services: ServicesDep
) -> Response:
    """Register a model that was not trained here: an ONNX file, or an endpoint to be called.

    An ONNX file comes as `multipart/form-data` with its `manifest`; it is loaded and tried before
    it is taken. An endpoint is described by JSON; its host has to be among `INVOKE_HOSTS`. A model
    never changes: the same again is a 200, another by the same id a 409.
    """
    if model_id == LATEST:
        raise errors.Invalid("model_id", f"{LATEST} always means the newest model")
    kind = media_type(request)
    if kind == FORM:
        async with services.uploads, read_form(request, services.settings.max_body) as form:
            known = await _put_onnx(services, model_id, form)
        kind = "onnx"
    elif kind == JSON_MEDIA_TYPE:
        known = await _put_endpoint(services, model_id, request)
        kind = "endpoint"
    else:
        raise errors.Invalid("body", f"send {FORM} or {JSON_MEDIA_TYPE}, and say which")
    return JSONResponse(
        {"model_id": model_id, "kind": kind},
        200 if known else 201,
        headers={"Location": f"/models/{model_id}"},
    )


async def _put_endpoint(services: Services, model_id: str, request: Request) -> bool:
    """Register a remote model; return whether it was known. The secrets are the consumers'."""
    spec = parse_request(EndpointSpec, await read_spec_body(request, services.settings))
    spec.check_host(services.settings.invoke_hosts)
    known = not await _register(services, model_id, spec)
    services.predictions.remember(model_id, spec.seconds)
    return known


async def _put_onnx(services: Services, model_id: str, form: FormData) -> bool:
    """Check, store and register an ONNX file; return whether it was known."""
    spec, file = await form_parts(form, services.settings.max_body)
    sha256 = await anyio.to_thread.run_sync(_sha256, file)
    if await _known(services, model_id, spec, sha256):
        return True
    async with services.inspections:
        await inspect(file, spec)
    file.seek(0)
    key = await anyio.to_thread.run_sync(services.storage.put_file, model_id, spec, file, sha256)
    try:
        stored = {"result_key": key, "result_sha256": sha256}
        return not await _register(services, model_id, spec, **stored)
    except errors.Conflict:
        with suppress(errors.Unavailable):  # then files are left behind that nobody reads
            await run_in_thread(services.storage.delete_folder, key)
        raise


async def _register(
    services: Services, model_id: str, spec: OnnxManifest | EndpointSpec, **file: str
) -> bool:
    """Write the row; False if it was there. Raises `errors.Conflict` for that of another model."""
    row = spec.model_dump(mode="json")
    if await run_in_thread(register_model, services.jobs, model_id, spec.kind, row, **file):
        return True
    await _known(services, model_id, spec, file.get("result_sha256"))
    return False


async def _known(
    services: Services, model_id: str, spec: OnnxManifest | EndpointSpec, sha256: str | None
) -> bool:
    """Tell whether this very model is registered. Raises `errors.Conflict` if another one is."""
    job = await run_in_thread(services.jobs.get, model_id)
    if job is None:
        return False
    same = job.kind == spec.kind and job.result_sha256 == sha256
    if not same or _written(type(spec).model_validate(job.request)) != _written(spec):
        raise errors.Conflict(
            "model_id",
            f"{model_id} is taken, by another {job.kind}; models never change, so choose "
            "another id",
        )
    return True


def _written(spec: OnnxManifest | EndpointSpec) -> str:
    """Return what tells two apart: False from 0, too, which Python takes for the same."""
    return json.dumps(spec.model_dump(mode="json"), sort_keys=True)


async def read_spec_body(request: Request, settings: Settings) -> bytes:
    """Return a body that is not a file. Raises `errors.TooLarge`, and HTTP's 408."""
    left = settings.max_body

    def take(size: int) -> None:
        nonlocal left
        left -= size
        if left < 0:
            limit = settings.max_body
            raise errors.TooLarge("body", f"over the limit of {limit} bytes")

    return await read_body(request, take, settings.predict_timeout)


def _sha256(file: IO[bytes]) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
