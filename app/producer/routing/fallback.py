"""The last route: HEAD, OPTIONS, trailing slashes, and 405 with all of `Allow` (RFC 9110)."""

from collections.abc import Iterable

from anyio import CancelScope
from anyio.lowlevel import checkpoint
from fastapi.routing import APIRouter, iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Message, Receive, Scope, Send

from app.protocol.wording import cut, did_you_mean, quoted


class Fallback(BaseRoute):
    """Takes the requests that no other route takes, so that the others become no slower.

    A slash at the end of a path has no meaning: the route without it serves the request. HEAD gets
    the response to GET without its body. OPTIONS gets the methods of the path, or with `*` those of
    all paths.
    """

    def __init__(self, router: APIRouter) -> None:
        """Serve the paths of the routes that `router` has now."""
        self._router = router
        self._routes = list(iter_route_contexts(router.routes))

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Take every HTTP request."""
        return Match.FULL if scope["type"] == "http" else Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises HTTP's 404 and 405."""
        method = scope["method"]
        path = scope["path"].rstrip("/")
        if path == scope.get("root_path", ""):  # where a proxy's prefix ends, or there is none
            path += "/"
        if path != scope["path"]:
            await self._router({**scope, "path": path}, receive, send)
            return
        allowed = self._methods(scope)
        if not allowed:
            raise no_path(scope, [each.path for each in self._routes if each.path])
        if method == "HEAD" and method in allowed:
            await self._answer_head({**scope, "method": "GET"}, receive, send)
            return
        await answer_other_method(method, allowed)(scope, receive, send)

    def _methods(self, scope: Scope) -> set[str]:
        """Return the methods of all routes of a path; HEAD comes with GET."""
        whole_server = scope["method"] == "OPTIONS" and scope["path"] == "*"
        found = {
            method
            for each in self._routes
            if whole_server or each.matches(scope)[0] is not Match.NONE
            for method in each.methods or ()
        }
        return found | {"HEAD"} if "GET" in found else found

    async def _answer_head(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head of the response to a GET, and cancel the route before it sends a body."""
        with CancelScope() as answering:  # because a stream of events may last for hours

            async def send_head(message: Message) -> None:
                if message["type"] == "http.response.start":
                    await send(message)
                    await send({"type": "http.response.body"})
                    answering.cancel()
                    await checkpoint()

            await self._router(scope, receive, send_head)


def no_path(scope: Scope, known: Iterable[str] = ()) -> HTTPException:
    """Return the 404 of a path that nothing serves, with the nearest of the `known` paths."""
    root = scope.get("app_root_path", scope.get("root_path", ""))  # a mount changes the second
    path = scope["path"].removeprefix(root).rstrip("/")
    hint = did_you_mean(path, known)
    return HTTPException(404, f"there is no path {quoted(path)}{hint}; {root}/docs lists all paths")


def answer_other_method(method: str, allowed: Iterable[str]) -> Response:
    """Return the answer to OPTIONS. Raises HTTP's 405 for any other method."""
    methods = ", ".join(sorted({*allowed, "OPTIONS"}))
    if method == "OPTIONS":
        return Response(status_code=204, headers={"Allow": methods})
    detail = f"{cut(method, 20)} does not work here; use {methods}"
    raise HTTPException(405, detail, {"Allow": methods})
