"""`PUT /datasets/{id}`: store a data set."""

from functools import partial
from io import BufferedReader
from typing import Annotated

import anyio
import anyio.to_thread
from fastapi import APIRouter, Path, Request, Response
from pydantic import BeforeValidator
from starlette.routing import Match
from starlette.types import Scope as AsgiScope

from app.auth.identity import Scope
from app.auth.names import new_name
from app.concurrency import run_in_thread
from app.datasets.version import DatasetVersion
from app.producer.callers.access import OwnerDep
from app.producer.callers.caller import ActorDep
from app.producer.conditions.dataset_conditions import CONDITIONS, DatasetConditions
from app.producer.routing.conditional_route import ConditionalRoute
from app.producer.routing.examples import example
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import problem_responses
from app.producer.schemas.responses import Stored
from app.producer.schemas.tables import TABLE_BODY
from app.producer.services import ServicesDep
from app.producer.uploads.table_body import TableBody
from app.producer.uploads.table_options import TableOptions
from app.producer.uploads.table_type import RequestTable
from app.protocol.types import Id

_READ_BYTES = 1_000_000
# The path has the rest of the URL, so that an id with a slash in it is named as the error.
_DatasetId = Annotated[
    Id,
    BeforeValidator(lambda path: path.rstrip("/")),
    Path(description="The data set to store.", openapi_examples=example("colours")),
]


class UploadRoute(ConditionalRoute):
    """A route for the rest of the path, but for that of a grant with a slash at the end."""

    def matches(self, scope: AsgiScope) -> tuple[Match, AsgiScope]:
        """Leave a grant to `Fallback`, which removes the slash."""
        path = scope.get("path", "")
        grant = path.endswith("/") and "/grants/" in path
        return (Match.NONE, {}) if grant else super().matches(scope)


router = APIRouter(route_class=UploadRoute, tags=["catalogue"])


@router.put(
    "/datasets/{dataset_id:path}",
    response_model=Stored,
    responses={
        200: {"description": "It replaces one of the same id"},
        201: {"model": Stored, "description": "It is new"},
        **problem_responses(408, 409, 412, 413, 415, 422, 503, 507),
    },
    openapi_extra={
        "parameters": CONDITIONS,
        "requestBody": TABLE_BODY,
    },
)
@allow(Scope.DATA)
async def put_dataset(
    dataset_id: _DatasetId,
    request: Request,
    response: Response,
    services: ServicesDep,
    owner: OwnerDep,
    options: TableOptions,
    by: ActorDep,
) -> Stored:
    """Store a data set: a CSV with a header, Parquet or Arrow. It replaces one of the same id.

    How a CSV is written is found out from its first bytes, and answered as `dialect`; the query
    may say it. gzip, UTF-16 and UTF-8 are recognised. The body is the file, or a form with one part
    that is the file. A file that a training could not read is refused, and the data set stays as
    it was. With `If-None-Match: *` it replaces none: the answer is 412 if there is one. With
    `If-Match: *` it stores no new one: the answer is 412 if there is none. With
    `If-Match: "<version>"` it only replaces that version, which nobody replaced meanwhile.
    """
    name = new_name(owner, dataset_id, "dataset_id")
    table = RequestTable.of(request)
    await run_in_thread(services.disks.check)
    conditions = DatasetConditions.of(request)

    def check() -> DatasetVersion | None:
        return conditions.check(name, services.datasets.current)

    await run_in_thread(check)
    body = TableBody(table, options, services.settings.max_dataset, services.inspect_table)

    async with services.upload_place():
        with body:
            stored, is_new = await anyio.to_thread.run_sync(
                partial(services.datasets.put, check=check, by=by),
                name,
                BufferedReader(body, _READ_BYTES),
                body.facts,
                limiter=anyio.CapacityLimiter(1),  # of its own: the place limits the threads
            )
    if is_new:
        response.status_code = 201
    return Stored(
        dataset_id=dataset_id,
        version=stored.version,
        columns=body.columns,
        rows=body.rows,
        size=body.size,
        format=body.format.kind,
        dialect=body.format.dialect,
        warnings=body.warnings,
    )
