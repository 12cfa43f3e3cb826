"""The answer to a request that has become a job of predictions."""

from typing import Any

from fastapi import Request, Response
from starlette.responses import JSONResponse

from app.auth.names import shown
from app.auth.shown_names import MODEL_MEMBERS, shown_members
from app.producer.answers.location import location
from app.producer.callers.access import owner_in


def accepted_prediction(
    request: Request, status: str, job_id: str, row: dict[str, Any]
) -> Response:
    """Return a 202 with the job and its exact model; `row` is the request as its row has it."""
    owner = owner_in(request)
    job_id, told = shown(owner, job_id), told_model(owner, row)
    message = {"status": status, "job_id": job_id, **told}
    return JSONResponse({"message": message}, 202, headers=location(request, f"/jobs/{job_id}"))


def told_model(owner: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return the members of a row that tell the exact model, with names as `owner` has them."""
    model = shown_members(owner, row, MODEL_MEMBERS)
    return {name: model[name] for name in MODEL_MEMBERS if name in model}
