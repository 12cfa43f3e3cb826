"""Routes whose GETs answer 304 if the client has the same answer already (RFC 9110 section 13)."""

import hashlib
from collections.abc import Callable, Coroutine
from email.utils import parsedate
from typing import Any

from fastapi import Request, Response
from starlette.staticfiles import NotModifiedResponse

from app.producer.conditions.entity_tags import TAG_SEPARATOR, has_answer
from app.producer.routing.strict_route import StrictRoute

# OpenAPI's description of the answer without a body.
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    304: {"description": "The answer is still that of the `ETag` in `If-None-Match`"}
}

_POLICY = "Content-Security-Policy"


class ConditionalRoute(StrictRoute):
    """A strict route that gives each answer to a GET an `ETag`, made of its bytes.

    If the endpoint sets one, the tag begins with that. `Cache-Control: no-cache` makes caches ask
    again; a browser would guess how long to keep it.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of a strict route, for conditional requests."""
        handler = super().get_route_handler()

        async def conditional(request: Request) -> Response:
            response = await handler(request)
            if request.method != "GET" or response.status_code != 200:
                return response
            return tagged(request, response)

        return conditional


def tagged(request: Request, response: Response) -> Response:
    """Return the answer to a GET with its `ETag`, or a 304 if the client has that answer."""
    tag = hashlib.sha256(response.body).hexdigest()[:32]
    if own := response.headers.get("ETag", "").strip('"'):
        tag = f"{own}{TAG_SEPARATOR}{tag}"
    response.headers.update({"ETag": f'"{tag}"', "Cache-Control": "no-cache"})
    return _not_modified(response) if _is_known(request, response) else response


def _not_modified(response: Response) -> Response:
    """Return the 304 of an answer. A browser that gets one replaces the policy that it kept."""
    found = NotModifiedResponse(response.headers)
    if policy := response.headers.get(_POLICY):
        found.headers[_POLICY] = policy
    return found


def _is_known(request: Request, response: Response) -> bool:
    """Return whether the client has this answer: by its tags, or by its date if it sent none."""
    if request.headers.get("if-none-match"):
        return has_answer(request, response.headers["ETag"])
    since = parsedate(request.headers.get("if-modified-since"))
    modified = parsedate(response.headers.get("last-modified"))
    return since is not None and modified is not None and since >= modified
