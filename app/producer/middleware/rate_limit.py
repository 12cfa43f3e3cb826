"""Limit the requests and the rows that each caller, and each key with limits, sends a second."""

from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from time import monotonic

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import errors
from app.producer.answers.problems import respond
from app.producer.callers.caller import caller_of, identity_of
from app.producer.callers.row_count import TAKE_ROWS
from app.producer.middleware.gcra import Gcra
from app.producer.middleware.rate_shares import Share, take_of_all, tightest
from app.producer.routing.probes import PROBES

# Who asks these often must not take a producer for dead.
_UNLIMITED = PROBES | {"/", "/health/all"}
_RATES = 1024  # of keys; if there are more, the keys of the least used one have all units again


class RateLimit:
    """ASGI middleware: refuses requests beyond the rate of their caller or of their key with a 429.

    A request counts for its key, if that has limits of its own, and for its caller; a refused one
    for neither. Each response says what is left of the tighter limit, in the fields
    `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers. Routes count their
    rows, by `count_rows`.
    """

    def __init__(
        self,
        app: ASGIApp,
        requests: Gcra | None = None,
        rows: Gcra | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Wrap `app`; None is no limit of callers. The `clock` is that of the limits of keys."""
        self._app = app
        self._requests = requests
        self._rows = rows
        self._limits_all = bool(requests or rows)
        self._of_keys = lru_cache(_RATES)(partial(Gcra, clock=clock))  # by what, and the rate

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request. It is no coroutine function, because each would cost `/predict`."""
        if self._limits_all or identity_of(scope).limits:
            return self._limited(scope, receive, send)
        return self._app(scope, receive, send)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "").removeprefix(scope.get("root_path", ""))
        if scope["type"] != "http" or path in _UNLIMITED:
            await self._app(scope, receive, send)
            return
        requests, rows = self._shares(scope)
        limited = [each for each in (requests, rows) if each]

        async def labelled(message: Message) -> None:
            if limited and message["type"] == "http.response.start":
                told = list(map(tightest, limited))
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Policy"] = ", ".join(each.limit.policy for each in told)
                headers["RateLimit"] = ", ".join(map(_left, told))
            await send(message)

        try:
            take_of_all(requests)
        except errors.RateLimited as error:
            response = await respond(Request(scope), error)
            await response(scope, receive, labelled)
            return
        if rows:
            scope[TAKE_ROWS] = partial(take_of_all, rows)
        await self._app(scope, receive, labelled)

    def _shares(self, scope: Scope) -> tuple[list[Share], list[Share]]:
        """Return whose requests, and whose rows, a request counts for."""
        caller, identity = caller_of(scope), identity_of(scope)
        requests = [Share(self._requests, caller)] if self._requests else []
        rows = [Share(self._rows, caller)] if self._rows else []
        if own := identity.limits:
            if own.max_requests is not None:
                requests.append(Share(self._of_keys("requests", own.max_requests), identity.key))
            if own.max_rows is not None:
                rows.append(Share(self._of_keys("rows", own.max_rows), identity.key))
        return requests, rows


def _left(share: Share) -> str:
    """Return a service limit as an item of structured fields (RFC 9651)."""
    units, seconds = share.limit.left(share.key)
    return f'"{share.limit.what}";r={units};t={seconds}'
