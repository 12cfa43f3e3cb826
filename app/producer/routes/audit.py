"""The audit log: `/audit`, for administrators."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.auth.audit import Action, Thing
from app.auth.audit_listing import NEWEST_FIRST, OLDEST_FIRST, AuditFilter, list_audit
from app.auth.identity import Scope
from app.concurrency import run_in_thread
from app.database.paging import Page
from app.producer.routing.list_parameters import Cursor, next_link, sorted_by
from app.producer.routing.parameters import Limit, UtcTime
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import StrictRoute, problem_responses
from app.producer.schemas.audit import AuditAnswer
from app.producer.services import ServicesDep
from app.protocol.types import OwnerName

_Text = Annotated[str | None, Query(max_length=255, pattern="^[^\x00]*$")]
_Sort = Annotated[
    str,
    sorted_by(OLDEST_FIRST, metrics=False),
    Query(
        description="`-created_at` puts the newest first, `created_at` the oldest.",
        examples=[NEWEST_FIRST],
    ),
]

router = APIRouter(route_class=StrictRoute, tags=["audit"])


@router.get("/audit", response_model=AuditAnswer, responses=problem_responses(422, 503))
@allow(Scope.ADMIN)
async def audit(
    request: Request,
    response: Response,
    services: ServicesDep,
    owner: Annotated[
        OwnerName | None, Query(description="Only what was done for this owner.", examples=[None])
    ] = None,
    actor: Annotated[
        _Text, Query(description="Only what this actor did.", examples=["key x7Qm2Lp0"])
    ] = None,
    kind: Annotated[
        Thing | None, Query(description="Only what was done to this kind.", examples=["model"])
    ] = None,
    name: Annotated[
        _Text, Query(description="Only what was done to the thing of this name.", examples=[None])
    ] = None,
    action: Annotated[
        Action | None, Query(description="Only this action.", examples=["delete"])
    ] = None,
    since: Annotated[
        UtcTime | None,
        Query(description="Only from this time on.", examples=["2026-01-31T00:00:00Z"]),
    ] = None,
    until: Annotated[
        UtcTime | None, Query(description="Only before this time.", examples=[None])
    ] = None,
    sort: _Sort = NEWEST_FIRST,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> dict[str, Any]:
    """List who changed which model, data set, job, key or grant: the newest first.

    Predictions are not among them. A list that goes on has a `next`, which is the `cursor` of its
    next page; the header `Link` has the whole address of it.
    """
    which = AuditFilter(owner, actor, kind, name, action, since, until)
    page = Page(limit, sort, cursor)
    found, following = await run_in_thread(list_audit, services.jobs.engine, which, page)
    response.headers.update(next_link(request, following))
    return {"audit": found, "next": following}
