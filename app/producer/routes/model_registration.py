"""`PUT /models/{id}`: register an ONNX file or an endpoint."""

import hashlib
import json
from contextlib import suppress
from typing import IO, Annotated

import anyio.to_thread
from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import JSONResponse

from app import errors
from app.auth.actor import Actor
from app.auth.identity import Scope
from app.auth.names import new_name, owner_of
from app.concurrency import run_in_thread
from app.inference.inspection_process import inspect
from app.mlflow.import_folder import extracted, read_folder
from app.models.endpoint import EndpointSpec
from app.models.manifest import OnnxManifest
from app.models.record import Spec, StoredFile
from app.models.versions import version_of
from app.producer.answers.location import location
from app.producer.callers.access import OwnerDep
from app.producer.callers.caller import ActorDep
from app.producer.routing.body import media_type, parse_body
from app.producer.routing.examples import example
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import StrictRoute, problem_responses
from app.producer.schemas.models import REGISTRATION, NamedEndpoint, Registered
from app.producer.services import Services, ServicesDep
from app.producer.uploads.model_form import HOW, form_parts, read_form
from app.producer.uploads.spooled_body import spooled
from app.protocol.references import ModelName
from app.protocol.types import (
    JSON_MEDIA_TYPE,
    LATEST,
    MULTIPART_MEDIA_TYPE,
    ZIP_MEDIA_TYPE,
    Id,
    JobKind,
    ModelKind,
)

_NameOfFolder = Annotated[
    ModelName | None,
    Query(
        alias="name",
        description="Of an MLflow model folder: the name of which it becomes the next version.",
        examples=[None],
    ),
]

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
@allow(Scope.MODELS)
async def put_model(
    model_id: Annotated[
        Id, Path(description="The id of the new model.", openapi_examples=example("iris"))
    ],
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    by: ActorDep,
    of_folder: _NameOfFolder = None,
) -> Response:
    """Register a model that was not trained here: an ONNX file, or an endpoint to be called.

    An ONNX file comes as `multipart/form-data` with its `manifest`, or in the zip of an MLflow
    model folder; it is loaded and tried before it is accepted. An endpoint is described by JSON;
    its host has to be among `INVOKE_HOSTS`. A model never changes. The same model again gets a 200,
    another one with the same id a 409. With a `name` the model becomes the next version of that
    name; of a folder it is a parameter, of the others a member of what describes them.
    """
    if model_id == LATEST:
        raise errors.Invalid("model_id", f"{LATEST} always means the newest model")
    name = new_name(owner, model_id, "model_id")
    await run_in_thread(services.disks.check)
    sent = media_type(request)
    if of_folder and sent in (MULTIPART_MEDIA_TYPE, JSON_MEDIA_TYPE):
        where = "the manifest" if sent == MULTIPART_MEDIA_TYPE else "the body"
        raise errors.Invalid("name", f"put it into {where}; only a folder has it as a parameter")
    if sent == MULTIPART_MEDIA_TYPE:
        async with services.upload_place(), read_form(request, services.settings.max_body) as form:
            manifest, file = await form_parts(form, services.settings.max_body)
            spec = OnnxManifest.model_validate(manifest.spec)
            called = _name(name, manifest.name)
            known = await _put_onnx(services, name, spec, file, by, called)
        kind = ModelKind.ONNX
    elif sent == ZIP_MEDIA_TYPE:
        async with services.upload_place(), spooled(request) as archive:
            called = _name(name, of_folder)
            known = await _put_folder(services, name, archive, by, called)
        kind = ModelKind.ONNX
    elif sent == JSON_MEDIA_TYPE:
        known = await _put_endpoint(services, name, request, by)
        kind = ModelKind.ENDPOINT
    else:
        raise errors.Unsupported(
            "body",
            f"send an ONNX file with its manifest as {MULTIPART_MEDIA_TYPE} ({HOW}), an MLflow "
            f"model folder as {ZIP_MEDIA_TYPE}, or an endpoint as {JSON_MEDIA_TYPE}, and name it "
            "in Content-Type",
            media_types=", ".join((MULTIPART_MEDIA_TYPE, ZIP_MEDIA_TYPE, JSON_MEDIA_TYPE)),
        )
    return JSONResponse(
        {"model_id": model_id, "kind": kind},
        200 if known else 201,
        headers=location(request, f"/models/{model_id}"),
    )


async def _put_endpoint(services: Services, model_id: str, request: Request, by: Actor) -> bool:
    """Register a remote model; return whether it was known. Only consumers need its secrets."""
    body = await parse_body(NamedEndpoint, await request.body())
    body.check_host(services.settings.invoke_hosts)
    spec, name = EndpointSpec.model_validate(body.spec), _name(model_id, body.name)
    known = not await run_in_thread(services.models.register, model_id, spec, None, by, name)
    if known:
        await _is_registered(services, model_id, spec, None, name)
    services.access.references.forget()
    services.predictions.remember(model_id, spec.seconds)
    return known


async def _put_folder(
    services: Services, model_id: str, archive: IO[bytes], by: Actor, name: str | None
) -> bool:
    """Register the ONNX file of an MLflow model folder; return whether it was known."""
    limit = services.settings.max_model
    async with services.inspections:
        found = await read_folder(archive, limit)
    async with extracted(archive, found.member, limit) as file:
        try:
            return await _put_onnx(services, model_id, found.manifest, file, by, name)
        except errors.Invalid as error:  # nobody sent this manifest
            if str(error.extra["field"]).startswith("manifest"):
                raise error.renamed("model", error.message) from None
            raise


async def _put_onnx(
    services: Services,
    model_id: str,
    spec: OnnxManifest,
    file: IO[bytes],
    by: Actor,
    name: str | None = None,
) -> bool:
    """Check, store and register an ONNX file; return whether it was known."""
    sha256 = await anyio.to_thread.run_sync(_sha256, file)
    if await _is_registered(services, model_id, spec, sha256, name):
        return True
    async with services.inspections:
        await inspect(file, spec)
    file.seek(0)
    put = services.model_files.put_uploaded
    stored = await anyio.to_thread.run_sync(put, model_id, spec, file, sha256)
    try:
        if await run_in_thread(services.models.register, model_id, spec, stored, by, name):
            services.access.references.forget()
            return False
    except errors.Conflict:
        await _delete(services, stored)
        raise
    await _delete(services, stored)
    return await _is_registered(services, model_id, spec, sha256, name)


async def _delete(services: Services, stored: StoredFile) -> None:
    with suppress(errors.Unavailable):  # the sweeper deletes them later
        await run_in_thread(services.model_files.delete, stored.key)


def _name(model_id: str, name: str | None) -> str | None:
    """Return the qualified form of the name of a new model. Raises `errors.Invalid`."""
    return name and new_name(owner_of(model_id), name, "name")


async def _is_registered(
    services: Services,
    model_id: str,
    spec: OnnxManifest | EndpointSpec,
    sha256: str | None,
    name: str | None,
) -> bool:
    """Return whether this model is registered, under this name.

    Raises `errors.Conflict` if the id is taken.
    """
    try:
        record = await run_in_thread(services.models.get, model_id)
    except errors.Gone as error:
        raise errors.Conflict("model_id", error.message) from None
    except (errors.NotFound, errors.NotReady):
        if job := await run_in_thread(services.jobs.get, model_id):
            raise _taken(model_id, job.kind) from None
        return False
    same_file = (record.file and record.file.sha256) == sha256
    if not same_file or _canonical(record.spec) != _canonical(spec):
        raise _taken(model_id, record.kind)
    version = await run_in_thread(version_of, services.jobs.engine, model_id)
    if (version and version.name) != name:
        said = f"as {version.text}" if version else "without a name"
        detail = f"{model_id} was registered {said}; models never change"
        raise errors.Conflict("name", detail)
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
