"""`GET /models/{id}/export`: a model in a form that other programs load."""

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from app import errors
from app.auth.identity import Scope
from app.auth.names import shown
from app.concurrency import run_in_thread
from app.mlflow.export import export_of
from app.mlflow.zip_stream import ZipStream
from app.models.manifest import TrainedManifest
from app.models.record import ModelRecord, StoredFile
from app.producer.answers.download import download
from app.producer.callers.access import OwnerDep
from app.producer.routing.conditional_route import NOT_MODIFIED
from app.producer.routing.parameters import DatasetOfLatest, ModelInPath, check_latest
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import StrictRoute, problem_responses
from app.producer.services import Services, ServicesDep
from app.protocol.types import BINARY_MEDIA_TYPE, ZIP_MEDIA_TYPE, ModelKind

router = APIRouter(route_class=StrictRoute, tags=["catalogue"])

_FILE = {"schema": {"type": "string", "format": "binary"}}
_Format = Annotated[
    Literal["mlflow", "onnx"],
    Query(
        description="`mlflow`: a zip of a folder for `mlflow.pyfunc.load_model`. `onnx`: the ONNX "
        "file alone.",
        examples=["mlflow"],
    ),
]


@router.get(
    "/models/{model_id}/export",
    response_class=Response,
    responses={200: {"content": {ZIP_MEDIA_TYPE: _FILE, BINARY_MEDIA_TYPE: _FILE}}}
    | NOT_MODIFIED
    | problem_responses(404, 409, 410, 422, 503),
)
@allow(Scope.MODELS)
async def export_model(
    model_id: ModelInPath,
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    format: _Format = "mlflow",  # noqa: A002  the name of the query parameter
    dataset_id: DatasetOfLatest = None,
) -> Response:
    """Download a model in a form that other programs load.

    The folder of MLflow answers as `POST /predict` does, and needs no Warren. A model of images,
    an endpoint, and as `onnx` a model that only scikit-learn answers, are a 409. The `ETag` is that
    of the content.
    """
    check_latest(model_id, dataset_id)
    asked = await services.access.model_of(owner, model_id, dataset_id)
    record = await run_in_thread(services.models.get, *asked)
    name = shown(owner, record.model_id)
    if format == "onnx":
        stored = _onnx_file(record, name)
        return download(
            request,
            services.download_place,
            partial(services.model_files.open, stored),
            name=f"{name}.onnx",
            media_type=BINARY_MEDIA_TYPE,
            tag=stored.sha256,
        )
    manifest = await _manifest(services, record)
    export = await run_in_thread(export_of, record, manifest, name)
    runtime = manifest.runtime if manifest else "onnx"

    def opened() -> ZipStream:
        content = services.model_files.open(export.stored, runtime)
        return ZipStream(export.files, export.model_name, content)

    return download(
        request,
        services.download_place,
        opened,
        name=f"{name}.zip",
        media_type=ZIP_MEDIA_TYPE,
        tag=export.tag,
    )


async def _manifest(services: Services, record: ModelRecord) -> TrainedManifest | None:
    if record.kind is not ModelKind.TRAINED:
        return None
    return await run_in_thread(services.model_files.get_manifest, record.require_file().key)


def _onnx_file(record: ModelRecord, name: str) -> StoredFile:
    """Return the ONNX file of a model. Raises `errors.Conflict` if it has none."""
    if record.file is None:
        raise errors.Conflict("model_id", f"model {name} is an endpoint, which has no file")
    if (record.fit_summary or {}).get("runtime", "onnx") != "onnx":
        raise errors.Conflict(
            "model_id",
            f"scikit-learn answers for model {name}, so it has no ONNX file; ask for format=mlflow",
        )
    return record.file
