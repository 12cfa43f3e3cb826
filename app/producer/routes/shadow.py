"""The shadow of a name: `/models/{name}/shadow`."""

from typing import Any

from fastapi import APIRouter, Response

from app.auth.identity import Scope
from app.auth.names import owner_of
from app.auth.shown_names import shown_members
from app.concurrency import run_in_thread
from app.models.feature_counts import Rows
from app.models.feature_ranges import FeatureDisagreement, by_feature
from app.models.shadow_counts import Compared, read_counts
from app.models.shadow_features import read_features
from app.models.shadows import WantedShadow, delete_shadow, read_shadow, write_shadow
from app.producer.callers.access import OwnerDep, own
from app.producer.callers.caller import ActorDep
from app.producer.routing.conditional_route import NOT_MODIFIED, ConditionalRoute
from app.producer.routing.parameters import NameInPath
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import problem_responses
from app.producer.schemas.shadow import ShadowBody, ShadowView
from app.producer.services import Services, ServicesDep

router = APIRouter(route_class=ConditionalRoute, tags=["names"])


@router.put(
    "/models/{name}/shadow",
    response_model=ShadowView,
    responses={
        200: {"description": "It replaces the one before"},
        201: {"model": ShadowView, "description": "It is new"},
        **problem_responses(404, 410, 422, 503),
    },
)
@allow(Scope.MODELS)
async def put_shadow(
    name: NameInPath,
    body: ShadowBody,
    response: Response,
    services: ServicesDep,
    owner: OwnerDep,
    by: ActorDep,
) -> dict[str, Any]:
    """Send a share of an alias's calls to another version once more, and compare the answers.

    Nobody waits for the answers of the shadow or sees them. Those calls of /predict count that ask
    for the alias, or for the name alone where that is the same version; seen everywhere within 2
    seconds. Calls are dropped, and counted, if there are too many of them.
    """
    full, engine = own(owner, name, "name", "name"), services.jobs.engine
    wanted = WantedShadow(body.alias, body.version, body.share)
    if await run_in_thread(write_shadow, engine, full, wanted, by):
        response.status_code = 201
    services.access.references.forget()
    return await _shown(services, owner, full)


@router.get(
    "/models/{name}/shadow",
    response_model=ShadowView,
    responses=NOT_MODIFIED | problem_responses(404, 422, 503),
)
@allow(Scope.MODELS, Scope.TRAIN, Scope.PREDICT)
async def shadow(name: NameInPath, services: ServicesDep, owner: OwnerDep) -> dict[str, Any]:
    """Tell the shadow of a name, and how its answers compare. Counts are up to 5 seconds late."""
    return await _shown(services, owner, await services.access.name(owner, name, "name"))


@router.delete(
    "/models/{name}/shadow",
    status_code=204,
    response_class=Response,
    responses=problem_responses(404, 422, 503),
)
@allow(Scope.MODELS)
async def end_shadow(
    name: NameInPath, services: ServicesDep, owner: OwnerDep, by: ActorDep
) -> None:
    """Delete the shadow of a name and what was compared, or do nothing if there is none."""
    full = own(owner, name, "name", "name")
    await run_in_thread(delete_shadow, services.jobs.engine, full, by)
    services.access.references.forget()


async def _shown(services: Services, owner: str, name: str) -> dict[str, Any]:
    engine = services.jobs.engine
    found = vars(await run_in_thread(read_shadow, engine, name))
    pairs = await run_in_thread(read_counts, engine, name)
    compared = [_counts(each) for each in pairs]
    if pairs and owner_of(name) == owner:  # others may not see values of the owner's calls
        features = await run_in_thread(read_features, engine, pairs[0].pair)
        compared[0]["features"] = [_feature(each) for each in by_feature(features or {})]
    return {**shown_members(owner, found, ("name", "model_id")), "compared": compared}


def _counts(compared: Compared) -> dict[str, Any]:
    pair, counts = compared.pair, compared.counts
    return {
        "base_version": pair.base_version,
        "version": pair.version,
        **vars(counts),
        "difference_mean": counts.difference_mean,
        "difference_max": counts.difference_max if counts.numbers else None,
        "features": None,
        "created_at": compared.created_at,
        "updated_at": compared.updated_at,
    }


def _feature(found: FeatureDisagreement) -> dict[str, Any]:
    return {
        "feature": found.feature,
        "ranges": [
            {"low": each.low, "high": each.high, **_rows(each.counts)} for each in found.ranges
        ],
        "texts": [{"value": each.value, **_rows(each.counts)} for each in found.texts],
        "other": _rows(found.other),
        "missing": _rows(found.missing),
        "unevenness": found.unevenness,
    }


def _rows(counts: Rows) -> dict[str, Any]:
    return {
        "rows": counts.rows,
        "disagreed": counts.disagreed,
        "rate": counts.rate,
        "difference_mean": counts.difference_mean,
    }
