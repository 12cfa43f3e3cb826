"""Stored files: `GET /models/{id}/file` and `GET /datasets/{id}/file`."""

from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from app import errors
from app.auth.identity import Scope
from app.auth.names import shown
from app.concurrency import run_in_thread
from app.producer.answers.download import download
from app.producer.callers.access import OwnerDep
from app.producer.routing.conditional_route import NOT_MODIFIED
from app.producer.routing.parameters import (
    DatasetInPath,
    DatasetOfLatest,
    ModelInPath,
    VersionOfDataset,
    check_latest,
)
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import StrictRoute, problem_responses
from app.producer.services import ServicesDep
from app.protocol.types import (
    ARROW_MEDIA_TYPE,
    BINARY_MEDIA_TYPE,
    CSV_MEDIA_TYPE,
    PARQUET_MEDIA_TYPE,
    ModelKind,
)
from app.storage.model_files import FILES

_SUFFIX = {"csv": ".csv", "parquet": ".parquet", "arrow": ".arrow"}
_MEDIA_TYPES = {"csv": CSV_MEDIA_TYPE, "parquet": PARQUET_MEDIA_TYPE, "arrow": ARROW_MEDIA_TYPE}

router = APIRouter(route_class=StrictRoute, tags=["catalogue"])


def _content(*media_types: str) -> dict[int | str, dict[str, Any]]:
    schema = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"content": dict.fromkeys(media_types, schema)}}


@router.get(
    "/models/{model_id}/file",
    response_class=Response,
    responses=_content(BINARY_MEDIA_TYPE)
    | NOT_MODIFIED
    | problem_responses(404, 409, 410, 422, 503),
)
@allow(Scope.MODELS)
async def model_file(
    model_id: ModelInPath,
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    dataset_id: DatasetOfLatest = None,
) -> Response:
    """Download the file of a model: ONNX, or a skops file if its runtime is scikit-learn.

    Its `ETag` is the sha256 of the file. An endpoint has no file.
    """
    check_latest(model_id, dataset_id)
    asked = await services.access.model_of(owner, model_id, dataset_id)
    record = await run_in_thread(services.models.get, *asked)
    if record.kind is ModelKind.ENDPOINT or record.file is None:
        detail = f"model {record.model_id} is an {record.kind}, which has no file"
        raise errors.NotFound("model_id", detail)
    runtime = (record.fit_summary or {}).get("runtime", "onnx")
    suffix = FILES[runtime].rpartition(".")[2]
    return download(
        request,
        services.download_place,
        partial(services.model_files.open, record.file, runtime),
        name=f"{shown(owner, record.model_id)}.{suffix}",
        media_type=BINARY_MEDIA_TYPE,
        tag=record.file.sha256,
    )


@router.get(
    "/datasets/{dataset_id}/file",
    response_class=Response,
    responses=_content(*_MEDIA_TYPES.values(), BINARY_MEDIA_TYPE)
    | NOT_MODIFIED
    | problem_responses(404, 422, 503),
)
@allow(Scope.DATA)
async def dataset_file(
    dataset_id: DatasetInPath,
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    version: VersionOfDataset = None,
) -> Response:
    """Download a data set, or an older version of it, as it was stored.

    Its `ETag` is the version.
    """
    name = await services.access.dataset(owner, dataset_id)
    found = await run_in_thread(partial(services.datasets.pin, name, version, field="version"))
    table = found.table_format or {}
    kind = str(table.get("kind", "csv"))
    packed = table.get("compression") not in (None, "none")
    return download(
        request,
        services.download_place,
        partial(services.datasets.files.open, found.file_key),
        name=f"{dataset_id}{_SUFFIX.get(kind, '')}{'.gz' if packed else ''}",
        media_type=BINARY_MEDIA_TYPE if packed else _MEDIA_TYPES.get(kind, BINARY_MEDIA_TYPE),
        tag=found.version,
    )
