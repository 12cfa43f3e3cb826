"""Limit the requests and the rows that each caller sends a second."""

from functools import partial

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import errors
from app.producer.http.caller import caller_of
from app.producer.http.problems import respond
from app.producer.http.row_count import TAKE_ROWS
from app.producer.middleware.gcra import Gcra

# Load balancers ask these, and must not take a producer for dead because they ask often.
_UNLIMITED = ("/", "/health", "/health/all", "/ping")


class RateLimit:
    """ASGI middleware: refuses the requests of a caller beyond its rate with a 429.

    Each response says what is left, in the fields `RateLimit-Policy` and `RateLimit` of
    draft-ietf-httpapi-ratelimit-headers. Routes count their rows, by `count_rows`.
    """

    def __init__(self, app: ASGIApp, requests: Gcra | None, rows: Gcra | None) -> None:
        """Wrap `app`; None is no limit."""
        self._app = app
        self._requests = requests
        self._rows = rows
        self._limits = [limit for limit in (requests, rows) if limit]
        self._policy = ", ".join(map(_policy, self._limits))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or path in _UNLIMITED:
            await self._app(scope, receive, send)
            return
        caller = caller_of(scope)

        async def labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"] = self._policy
                headers["RateLimit"] = ", ".join(_left(each, caller) for each in self._limits)
            await send(message)

        try:
            if self._requests:
                self._requests.take(caller)
        except errors.RateLimited as error:
            response = await respond(Request(scope), error)
            await response(scope, receive, labelled)
            return
        if self._rows:
            scope[TAKE_ROWS] = partial(self._rows.take, caller)
        await self._app(scope, receive, labelled)


def _policy(limit: Gcra) -> str:
    """Return a quota policy as an item of structured fields (RFC 9651)."""
    return f'"{limit.what}";q={limit.quota};w={limit.window};qu="{limit.what}"'


def _left(limit: Gcra, caller: str) -> str:
    """Return a service limit as an item of structured fields."""
    units, seconds = limit.left(caller)
    return f'"{limit.what}";r={units};t={seconds}'
