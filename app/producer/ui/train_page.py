"""`/ui/train`: the form of a training, empty, for a data set, or with what a job asked for."""

import uuid
from functools import partial

from fastapi import APIRouter, Request, Response

from app import errors
from app.auth.identity import Scope
from app.auth.shown_names import shown_members
from app.concurrency import run_in_thread
from app.producer.callers.access import OwnerDep
from app.producer.routes.train import train
from app.producer.routing.body import call_with_body
from app.producer.routing.route_scopes import allow
from app.producer.schemas.requests import TrainBody
from app.producer.services import Services, ServicesDep
from app.producer.ui.forms import Form, first, read_form
from app.producer.ui.page_route import PageRoute
from app.producer.ui.rendering import page, redirect
from app.producer.ui.train_form import fields_of, request_of
from app.producer.ui.training_job import read_training
from app.protocol.estimators import ESTIMATORS
from app.protocol.types import QualifiedId
from app.protocol.validation import validate

_MOST_COLUMNS = 1_000  # with a box each

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/train")
@allow(Scope.TRAIN)
async def train_page(
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    dataset_id: QualifiedId | None = None,
    job_id: QualifiedId | None = None,
) -> Response:
    """Show the form, with the request of a job if one is named."""
    fields: Form = {}
    if job_id:
        job = await read_training(services, owner, job_id)
        fields = fields_of(shown_members(owner, job.request, ("dataset_id",)))
    if dataset_id:
        fields["dataset_id"] = [dataset_id]
    fields["key"] = [uuid.uuid4().hex]
    return await _page(request, services, owner, fields)


@router.post("/ui/train")
@allow(Scope.TRAIN)
async def start_training(request: Request, services: ServicesDep, owner: OwnerDep) -> Response:
    """Accept the training of the form and show its job, or the form with what is wrong.

    The form has an idempotency key, so that one that is sent twice is one job.
    """
    fields = await read_form(request)
    try:
        sent = await request.body()
        body = await call_with_body(sent, lambda: validate(TrainBody, request_of(fields)))
        key = first(fields, "key")
        answer = await train(body, request, services, owner, key and f"form-{key[:64]}")
    except errors.FieldError as error:
        return await _page(request, services, owner, fields, error.detail)
    path = answer.headers["location"].removeprefix(request.scope.get("root_path", ""))
    return redirect(request, f"/ui{path}")


async def _page(
    request: Request, services: Services, owner: str, fields: Form, wrong: str | None = None
) -> Response:
    dataset_id = (first(fields, "dataset_id") or "").strip()
    columns = await _columns(services, owner, dataset_id) if dataset_id else []
    return await run_in_thread(  # because a form of many columns takes some 10 ms
        page,
        request,
        "train.html",
        422 if wrong else 200,
        fields=fields,
        columns=columns[:_MOST_COLUMNS],
        wrong=wrong,
        estimators=ESTIMATORS,
    )


async def _columns(services: Services, owner: str, dataset_id: str) -> list[str]:
    """Return the columns of a data set, if they are known."""
    try:
        name = await services.access.dataset(owner, dataset_id)
        found = await run_in_thread(partial(services.datasets.pin, name, None))
    except errors.FieldError:  # the form says so when it is sent
        return []
    return found.columns or []
