"""Models that were not trained here: registered by `PUT /models/{id}`."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import IO, Annotated, Any, TypeVar

import anyio.to_thread
from fastapi import APIRouter, Path, Request, Response
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from app import errors, registry, strictjson
from app.endpoint import Endpoint
from app.manifest import Strict, Uploaded
from app.messages import JSON, LATEST, Id, check
from app.producer import bare, modelschema
from app.producer.inspecting import inspect
from app.producer.services import Needed, Services, threaded
from app.producer.strict import StrictRoute, problems
from app.settings import Settings

FORM = "multipart/form-data"
_PARTS = ("manifest", "model")

SpecT = TypeVar("SpecT", bound=Strict)

router = APIRouter(route_class=StrictRoute, tags=["catalogue"])


@router.put(
    "/models/{model_id}",
    status_code=201,
    response_model=modelschema.Registered,
    responses={
        200: {"model": modelschema.Registered, "description": "It had been registered before"},
        201: {"description": "It is registered, and can be asked"},
        **problems(408, 409, 413, 422, 503),
    },
    openapi_extra={"requestBody": modelschema.REGISTRATION},
)
async def put_model(
    model_id: Annotated[Id, Path(examples=["iris"])], request: Request, services: Needed
) -> Response:
    """Register a model that was not trained here: an ONNX file, or an endpoint to be called.

    An ONNX file comes as `multipart/form-data` with its `manifest`; it is loaded and tried before
    it is taken. An endpoint is described by JSON; its host has to be among `INVOKE_HOSTS`. A model
    never changes: the same again is a 200, another by the same id a 409.
    """
    if model_id == LATEST:
        raise errors.Invalid(f"model_id: {LATEST} always means the newest model", field="model_id")
    kind = bare.media_type(request)
    if kind == FORM:
        async with services.uploads, _form(request, services.settings.max_body) as form:
            known = await _put_onnx(services, model_id, form)
        kind = "onnx"
    elif kind == JSON:
        known = await _put_endpoint(services, model_id, request)
        kind = "endpoint"
    else:
        raise errors.Invalid(f"body: send {FORM} or {JSON}, and say which", field="body")
    return JSONResponse(
        {"model_id": model_id, "kind": kind},
        200 if known else 201,
        headers={"Location": f"/models/{model_id}"},
    )


async def _put_endpoint(services: Services, model_id: str, request: Request) -> bool:
    """Register a remote model; return whether it was known. The secrets are the consumers'."""
    spec = _checked(Endpoint, strictjson.loads(await _body(request, services.settings)))
    spec.check_host(services.settings.invoke_hosts)
    known = not await _register(services, model_id, spec)
    services.predictions.remember(model_id, spec.seconds)
    return known


async def _put_onnx(services: Services, model_id: str, form: FormData) -> bool:
    """Check, store and register an ONNX file; return whether it was known."""
    spec, file = await _parts(form, services.settings.max_body)
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
            await threaded(services.storage.delete_folder, key)
        raise


async def _register(
    services: Services, model_id: str, spec: Uploaded | Endpoint, **file: str
) -> bool:
    """Write the row; False if it was there. Raises `errors.Conflict` for that of another model."""
    row = spec.model_dump(mode="json")
    if await threaded(registry.register, services.jobs, model_id, spec.kind, row, **file):
        return True
    await _known(services, model_id, spec, file.get("result_sha256"))
    return False


async def _known(
    services: Services, model_id: str, spec: Uploaded | Endpoint, sha256: str | None
) -> bool:
    """Tell whether this very model is registered. Raises `errors.Conflict` if another one is."""
    job = await threaded(services.jobs.get, model_id)
    if job is None:
        return False
    same = job.kind == spec.kind and job.result_sha256 == sha256
    if not same or _written(type(spec).model_validate(job.request)) != _written(spec):
        raise errors.Conflict(
            f"model_id: {model_id} is taken, by another {job.kind}; models never change, so choose "
            "another id",
            field="model_id",
        )
    return True


def _written(spec: Uploaded | Endpoint) -> str:
    """Return what tells two apart: False from 0, too, which Python takes for the same."""
    return json.dumps(spec.model_dump(mode="json"), sort_keys=True)


@asynccontextmanager
async def _form(request: Request, limit: int) -> AsyncIterator[FormData]:
    """Read a form into memory and, of its files, onto the disk. Raises `errors.Invalid`."""
    _check_charset(request.headers.get("content-type", ""))
    parts = len(_PARTS)
    try:
        form = await request.form(max_files=parts, max_fields=parts, max_part_size=limit)
    except HTTPException as error:
        if error.status_code != 400:
            raise
        raise errors.Invalid(f"body: {error.detail}", field="body") from None
    except (ValueError, LookupError) as error:
        raise errors.Invalid(f"body: not a readable form: {error}", field="body") from None
    except OSError as error:
        raise errors.Unavailable(f"the upload cannot be kept: {error.strerror}") from error
    try:
        yield form
    finally:
        await form.close()


def _check_charset(content_type: str) -> None:
    """Refuse all but UTF-8: another codec may take a minute, and the event loop with it.

    The type is read as it will be for the form. What a part names is not heeded there.
    """
    _, options = parse_options_header(content_type)
    charset = options.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in ("utf-8", "utf8"):
        raise errors.Invalid(
            f"body: the form has to be in UTF-8, and its charset is {charset[:80]!r}", field="body"
        )


async def _parts(form: FormData, limit: int) -> tuple[Uploaded, IO[bytes]]:
    """Return the manifest and the file of a form. Raises `errors.Invalid` or `TooLarge`."""
    names = [name for name, _ in form.multi_items()]
    for name in [*names, *_PARTS]:
        if name not in _PARTS or names.count(name) != 1:
            raise errors.Invalid(
                f"body: {names.count(name)} parts are named {name[:80]!r}; send two, "
                f"{' and '.join(_PARTS)}",
                field="body",
            )
    manifest, model = form["manifest"], form["model"]
    if not isinstance(model, UploadFile):
        raise errors.Invalid("model: send it as a file, with a file name", field="model")
    if isinstance(manifest, UploadFile):
        written = await manifest.read(limit + 1)
        if len(written) > limit:
            raise errors.TooLarge(f"manifest: over the limit of {limit} bytes", field="manifest")
    else:
        written = manifest.encode()
    try:
        spec = _checked(Uploaded, strictjson.loads(written), "manifest")
    except errors.Malformed as error:
        said = error.detail.removeprefix("body: ")
        raise errors.Malformed(f"manifest: {said}", field="manifest") from None
    return spec, model.file


def _checked(kind: type[SpecT], value: Any, within: str = "") -> SpecT:
    """Check what was parsed; its fields are called `within.field`. Raises `errors.Invalid`."""
    try:
        return check(kind, value)
    except errors.Invalid as error:
        if not within:
            raise
        field = error.extra["field"]
        said = error.detail.removeprefix(f"{field}: ")
        field = within if field == "body" else f"{within}.{field}"
        raise errors.Invalid(f"{field}: {said}", field=field) from None


async def _body(request: Request, settings: Settings) -> bytes:
    """Return a body that is not a file. Raises `errors.TooLarge`, and HTTP's 408."""
    left = settings.max_body

    def take(size: int) -> None:
        nonlocal left
        left -= size
        if left < 0:
            limit = settings.max_body
            raise errors.TooLarge(f"body: over the limit of {limit} bytes", field="body")

    return await bare.read(request, take, settings.predict_timeout)


def _sha256(file: IO[bytes]) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
