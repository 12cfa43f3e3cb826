"""Routes whose JSON is parsed the way a message's is, and what their problems look like."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from app import errors, strict_json
from app.producer.schemas.responses import Problem


class _StrictRequest(Request):
    """A request whose JSON is parsed the way a message's is."""

    async def json(self) -> Any:
        try:
            return strict_json.loads(await self.body())
        except errors.Malformed as error:
            raise HTTPException(422, error.detail) from None  # FastAPI lets only this one through


class StrictRoute(APIRoute):
    """A route that reads its body strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, wrapped."""
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(_StrictRequest(request.scope, request.receive))

        return strict


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document the statuses that a route answers with a problem document."""
    content = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    return {status: {"content": content} for status in statuses}
