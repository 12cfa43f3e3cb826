"""Routes that take bytes: FastAPI documents them and does no more."""

from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

from app.protocol.requests import RequestBody


class RawRoute(APIRoute):
    """A route whose endpoint takes the request and nothing else.

    What FastAPI does for each call of another endpoint (dependencies, exit stacks) takes longer
    than the way through the broker and back.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["method"] in (self.methods or ()):
            response = await self.endpoint(Request(scope, receive))
            await response(scope, receive, send)
        else:
            await super().handle(scope, receive, send)  # which says 405


def document_body(*kinds: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Return what OpenAPI says of a body: its media types, and the schema of each."""
    content = {kind: {"schema": schema} for kind, schema in kinds}
    return {"requestBody": {"required": True, "content": content}}


def body_schema(body: type[RequestBody]) -> dict[str, Any]:
    """Return the schema of a JSON body.

    What it refers to stands among the components: trainings have it, too.
    """
    schema = body.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return schema
