"""`POST /predict/batch`: score a whole table in the background."""

import json
import uuid
from functools import partial
from io import BufferedReader
from typing import Annotated, Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, Query, Request, Response

from app import errors
from app.auth.identity import Scope
from app.auth.names import qualified
from app.concurrency import run_in_thread
from app.datasets.loose_files import add_loose_file
from app.inference.table_layout import TableLayout
from app.producer.batch_acceptance import (
    answer_again,
    create_batch,
    delete_upload,
    digest_of,
    job_of_key,
    publish_batch,
)
from app.producer.callers.access import OwnerDep, owner_in
from app.producer.jobs.batch_checks import checked_layout
from app.producer.jobs.idempotency import IdempotencyKey, qualified_key
from app.producer.routing.body import media_type, parse_body
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import StrictRoute, problem_responses
from app.producer.schemas.batch import (
    BatchAnswer,
    BatchBody,
    batch_request_body,
    named_columns,
)
from app.producer.services import Services, ServicesDep
from app.producer.uploads.table_body import TableBody
from app.producer.uploads.table_options import TableOptions
from app.producer.uploads.table_type import RequestTable
from app.protocol.batch_request import BatchOptions, BatchRequest
from app.protocol.types import JSON_MEDIA_TYPE, LATEST
from app.protocol.validation import validate
from app.tables.dialect import DialectOptions

_READ_BYTES = 1_000_000
_OF_TABLES = "Of a table in the body; JSON has a member of this name."

router = APIRouter(route_class=StrictRoute, tags=["predictions"])


@router.post(
    "/predict/batch",
    status_code=202,
    response_model=BatchAnswer,
    responses=problem_responses(404, 408, 409, 410, 413, 415, 422, 429, 503, 507),
    openapi_extra={"requestBody": batch_request_body()},
)
@allow(Scope.PREDICT)
async def predict_batch(
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    table_options: TableOptions,
    model_id: Annotated[
        str | None, Query(description=f"The model, or `latest`. {_OF_TABLES}", examples=[LATEST])
    ] = None,
    columns: Annotated[
        str | None,
        Query(
            description="The columns of the table that the result has, too, separated by commas as "
            f"in a CSV. {_OF_TABLES}",
            examples=["age"],
        ),
    ] = None,
    format: Annotated[  # noqa: A002  the name on the wire
        str | None, Query(description=f"`csv` or `parquet`. {_OF_TABLES}", examples=["csv"])
    ] = None,
    probabilities: Annotated[
        bool | None,
        Query(
            description="Whether the result has a column with the probability of each label. "
            f"{_OF_TABLES}",
            examples=[True],
        ),
    ] = None,
    split_key: Annotated[
        str | None,
        Query(
            description="What chooses the version of a name whose calls are split, for the whole "
            f"table. {_OF_TABLES}",
            examples=["customer-4711"],
        ),
    ] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Score all rows of a table in the background; the file will be at `/jobs/{id}/result`.

    The table is a data set, which JSON names, or the body itself: a CSV, Parquet or Arrow file,
    or a form with one. Consumers score parts of it at the same time. The result has a row for each
    row of the table, in their order: the chosen `columns`, `prediction`, and of a classifier the
    probability of each label. A row that cannot be scored has no prediction, and the job's `result`
    tells why. An accepted job survives the loss of any process.
    """
    said = {
        "model_id": model_id,
        "columns": None if columns is None else named_columns(columns),
        "format": format,
        "probabilities": probabilities,
        "split_key": split_key,
    }
    key = qualified_key(owner, idempotency_key)
    given = {name: value for name, value in said.items() if value is not None}
    if media_type(request) == JSON_MEDIA_TYPE:
        if named := [*given, *table_options.model_dump(exclude_defaults=True)]:
            raise errors.Invalid(named[0], "it is of a table in the body; write it into the JSON")
        body = await parse_body(BatchBody, await request.body())
        return await _of_dataset(request, services, body, key)
    return await _of_table(request, services, given, table_options, key)


async def _of_dataset(
    request: Request, services: Services, body: BatchBody, key: str | None
) -> Response:
    owner, digest = owner_in(request), digest_of(body.told())
    if known := await job_of_key(services, key):
        return answer_again(request, known, digest)
    exact, layout = await _checked(services, owner, body)
    dataset_id = await services.access.dataset(owner, body.dataset_id)
    await run_in_thread(services.disks.check)
    pinned = await run_in_thread(services.datasets.pin, dataset_id, body.dataset_version)
    if pinned.columns is not None:
        layout.places(pinned.columns)
    fields = body.model_dump(exclude={"dataset_version", "split_key"})
    asked = BatchRequest(**{**fields, **exact, "dataset_id": dataset_id})
    job_id = qualified(owner, uuid.uuid4().hex)
    version = {"dataset_version": pinned.version}
    if known := await create_batch(request, services, job_id, asked, digest, key, **version):
        return answer_again(request, known, digest)
    return await publish_batch(request, services, job_id, asked)


async def _of_table(
    request: Request,
    services: Services,
    given: dict[str, Any],
    table_options: DialectOptions,
    key: str | None,
) -> Response:
    """Accept the job of a table in the body, which is stored before its columns are known."""
    owner, table = owner_in(request), RequestTable.of(request)
    options = validate(BatchOptions, given)
    known = await job_of_key(services, key)
    checked = None if known else await _checked(services, owner, options)
    await run_in_thread(services.disks.check)
    job_id = qualified(owner, uuid.uuid4().hex)
    upload = services.batch_files.upload_key(job_id)  # nothing is left if this process is killed
    await run_in_thread(add_loose_file, services.jobs.engine, upload)
    content = TableBody(table, table_options, services.settings.max_dataset, services.inspect_table)
    async with services.upload_place():
        with content:
            sha256 = await anyio.to_thread.run_sync(
                partial(services.batch_files.put_upload, job_id),
                BufferedReader(content, _READ_BYTES),
                limiter=anyio.CapacityLimiter(1),  # of its own: the place limits the threads
            )
    table_format = content.format.model_dump(mode="json")
    digest = digest_of(options.told(), json.dumps(table_format), sha256)
    try:
        if checked:
            exact, layout = checked
            layout.places(list(content.columns))
            chosen = options.model_dump(exclude={"split_key"})
            asked = BatchRequest(**{**chosen, **exact}, table_format=table_format)
            known = await create_batch(request, services, job_id, asked, digest, key)
    except errors.WarrenError as error:
        if not isinstance(error, errors.DatabaseUnavailable):  # else the job may exist
            await delete_upload(services, job_id)
        raise
    if known:
        await delete_upload(services, job_id)
        return answer_again(request, known, digest)
    return await publish_batch(request, services, job_id, asked)


async def _checked(
    services: Services, owner: str, options: BatchOptions
) -> tuple[dict[str, str], TableLayout]:
    """Return the members of a row that tell the exact model, and its layout.

    Raises `errors.Invalid`, `NotFound` or `NotReady`.
    """
    asked = await services.access.exact(owner, options.model_id, key=options.split_key)
    model = await run_in_thread(services.models.get, asked.model_id)
    layout = await run_in_thread(checked_layout, model, services.model_files, options)
    return {"model_id": model.model_id, **asked.told()}, layout
