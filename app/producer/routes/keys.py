"""API keys: `/keys`, for administrators."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from app.auth import store
from app.auth.api_key import ApiKey, NewKey, in_order
from app.auth.identity import Scope
from app.concurrency import run_in_thread
from app.producer.callers.caller import ActorDep
from app.producer.routing.examples import example
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import StrictRoute, problem_responses
from app.producer.schemas.keys import KeyMade, Keys, KeyView, Rotation
from app.producer.services import Services, ServicesDep
from app.protocol.examples import REVOKED_KEY_ID, ROTATED_KEY_ID
from app.protocol.types import Id

_HOUR_SECONDS = 3600
_RotatedId = Annotated[
    Id, Path(description="The key to replace.", openapi_examples=example(ROTATED_KEY_ID))
]
_RevokedId = Annotated[
    Id, Path(description="The key to revoke.", openapi_examples=example(REVOKED_KEY_ID))
]

router = APIRouter(route_class=StrictRoute, tags=["keys"])


@router.post(
    "/keys", status_code=201, response_model=KeyMade, responses=problem_responses(422, 503)
)
@allow(Scope.ADMIN)
async def create_key(
    new: NewKey, services: ServicesDep, response: Response, by: ActorDep
) -> dict[str, Any]:
    """Make a key. The answer has its text in `key`, which nobody can read again.

    It works here at once, and on other producers within 2 seconds.
    """
    made, text = await run_in_thread(store.create_key, services.jobs.engine, new, by)
    await _refresh(services)
    return _shown_once(made, text, response)


@router.get("/keys", response_model=Keys, responses=problem_responses(422, 503))
@allow(Scope.ADMIN)
async def keys(services: ServicesDep) -> dict[str, Any]:
    """List all keys, the newest first, revoked and expired ones too, without their secrets.

    `last_used_at` is exact to a minute.
    """
    found = await run_in_thread(store.list_keys, services.jobs.engine)
    return {"keys": [_view(each) for each in found]}


@router.post(
    "/keys/{key_id}/rotate",
    status_code=201,
    response_model=KeyMade,
    responses=problem_responses(404, 409, 422, 503),
)
@allow(Scope.ADMIN)
async def rotate_key(
    key_id: _RotatedId, body: Rotation, services: ServicesDep, response: Response, by: ActorDep
) -> dict[str, Any]:
    """Make a key with the name, owner, scopes and limits of another, which expires after a while.

    The new key lives as long as the old one was meant to. Its text is in `key`.
    """
    seconds = body.overlap_hours * _HOUR_SECONDS
    made, text = await run_in_thread(store.rotate_key, services.jobs.engine, key_id, seconds, by)
    await _refresh(services)
    return _shown_once(made, text, response)


@router.delete("/keys/{key_id}", response_model=KeyView, responses=problem_responses(404, 422, 503))
@allow(Scope.ADMIN)
async def revoke_key(key_id: _RevokedId, services: ServicesDep, by: ActorDep) -> dict[str, Any]:
    """Revoke a key for good. Every producer refuses it within 2 seconds; its logins end, too."""
    revoked = await run_in_thread(store.revoke_key, services.jobs.engine, key_id, by)
    await _refresh(services)
    return _view(revoked)


async def _refresh(services: Services) -> None:
    """Let this producer know of a change at once; the others read it soon."""
    if services.keys:
        await run_in_thread(services.keys.refresh)


def _view(key: ApiKey) -> dict[str, Any]:
    return vars(key) | {"scopes": in_order(key.scopes)}


def _shown_once(key: ApiKey, text: str, response: Response) -> dict[str, Any]:
    """Return a new key with its text, which no cache may keep."""
    response.headers["Cache-Control"] = "no-store"
    return _view(key) | {"key": text}
