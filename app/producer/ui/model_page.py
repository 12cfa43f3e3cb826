"""`/ui/models/{id}`: a model, its plots, a form that predicts, and its reports."""

import json
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import PlainTextResponse

from app import errors
from app.auth.identity import Scope
from app.auth.shown_names import shown_reply
from app.concurrency import run_in_thread
from app.producer.callers.access import OwnerDep
from app.producer.callers.row_count import count_inputs
from app.producer.routing.body import call_with_body, encode_message, parse_body
from app.producer.routing.route_scopes import allow
from app.producer.schemas.requests import PredictBody
from app.producer.services import Services, ServicesDep
from app.producer.ui.forms import first, read_form
from app.producer.ui.model_facts import ModelFacts, read_facts
from app.producer.ui.page_route import PageRoute
from app.producer.ui.pages import MODELS
from app.producer.ui.rendering import page, standalone, text
from app.producer.ui.row_form import field_name, has_fields, inputs_of, sample_values
from app.protocol import strict_json
from app.protocol.references import ModelReference

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/ui/models/{model_id}")
@allow(*MODELS)
async def model_page(
    model_id: ModelReference, request: Request, services: ServicesDep, owner: OwnerDep
) -> Response:
    """Show a model."""
    facts = await read_facts(services, owner, model_id)
    return await _page(request, facts, sample_values(facts.inputs))


@router.post("/ui/models/{model_id}")
@allow(Scope.PREDICT)
async def predict_page(
    model_id: ModelReference, request: Request, services: ServicesDep, owner: OwnerDep
) -> Response:
    """Predict the row of the form; show the answer, or what is wrong with the row."""
    form = await read_form(request)
    facts = await read_facts(services, owner, model_id)
    values = {**dict.fromkeys(sample_values(facts.inputs), ""), **{n: first(form, n) for n in form}}
    try:
        inputs = await call_with_body(
            await request.body(), lambda: strict_json.encode(inputs_of(facts.inputs, form)).encode()
        )
        answer = await _predict(request, services, owner, model_id, inputs)
    except errors.FieldError as error:
        return await _page(request, facts, values, status=422, wrong=error.detail)
    return await _page(request, facts, values, answer=answer)


@router.get("/ui/models/{model_id}/report.html")
@allow(*MODELS)
async def html_report(
    model_id: ModelReference, request: Request, services: ServicesDep, owner: OwnerDep
) -> Response:
    """Return all about a model as one file, which loads nothing."""
    facts = await read_facts(services, owner, model_id)
    return await run_in_thread(partial(standalone, request, "report.html", facts=facts))


@router.get("/ui/models/{model_id}/report.md")
@allow(*MODELS)
async def markdown_report(
    model_id: ModelReference, request: Request, services: ServicesDep, owner: OwnerDep
) -> Response:
    """Return the numbers of a model as Markdown, for a merge request."""
    facts = await read_facts(services, owner, model_id)
    body = await run_in_thread(partial(text, request, "report.md", facts=facts))
    return PlainTextResponse(body.encode(errors="replace"), media_type="text/markdown")


async def _predict(
    request: Request, services: Services, owner: str, model_id: str, inputs: bytes
) -> dict[str, Any]:
    """Return a model's answer, as `POST /predict` would. Raises what that does."""
    name, dataset_id = await services.access.model_of(owner, model_id, None)
    body = encode_message(inputs, model_id=name)
    with services.in_flight.admit() as take:
        take(len(body))
        count_inputs(request.scope, await parse_body(PredictBody, body))
        reply = await services.predictions.predict((name, dataset_id), body)
    answer: dict[str, Any] = json.loads(shown_reply(owner, reply))
    return answer


async def _page(
    request: Request,
    facts: ModelFacts,
    values: dict[str, Any],
    *,
    status: int = 200,
    answer: dict[str, Any] | None = None,
    wrong: str | None = None,
) -> Response:
    return await run_in_thread(
        lambda: page(
            request,
            "model.html",
            status,
            facts=facts,
            values=values,
            answer=answer,
            wrong=wrong,
            field_name=field_name,
            has_fields=has_fields(facts.inputs),
        )
    )
