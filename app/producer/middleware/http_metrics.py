"""Count requests and their durations by route, method and status."""

from collections.abc import Awaitable
from time import perf_counter

from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.metrics import catalogue
from app.observability.metrics.families import Histogram, Series
from app.producer.routing.methods import METHODS

_REMEMBERED = 1000
UNKNOWN = "unknown"  # any path that no route has, and any method that HTTP does not define


class HttpMetrics:
    """ASGI middleware: counts each request when the head of its response is sent.

    A request that an inner middleware refuses reaches no route, so its route is found here. It
    belongs to one event loop.
    """

    def __init__(self, app: ASGIApp, durations: Histogram = catalogue.HTTP) -> None:
        """Wrap `app`."""
        self._app = app
        self._durations = durations
        self._fixed: dict[tuple[str, str, int], Series] = {}  # of paths without parameters
        self._routes: list[RouteContext] = []
        self._plain: set[str | None] = set()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request. It is no coroutine function, because each would cost `/predict`."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        begun = perf_counter()

        def counted(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                key = scope["path"], scope["method"], message["status"]
                series = self._fixed.get(key) or self._find(scope, *key)
                series.observe(perf_counter() - begun)
            return send(message)

        return self._app(scope, receive, counted)

    def _find(self, scope: Scope, path: str, method: str, status: int) -> Series:
        """Return the series of a request; remember it if its path has no parameters."""
        if not self._routes:
            self._routes = [each for each in iter_route_contexts(scope["app"].routes) if each.path]
            self._plain = {each.path for each in self._routes if "{" not in str(each.path_format)}
        known = method if method in METHODS else UNKNOWN
        template = self._template(scope)
        series = self._durations.series(template, known, str(status))
        # A proxy may put a prefix in front; a bound, because others may invent prefixes.
        usual = template in self._plain and path.endswith(template) and known == method
        if usual and len(self._fixed) < _REMEMBERED:
            self._fixed[path, method, status] = series
        return series

    def _template(self, scope: Scope) -> str:
        """Return the path of a request's route, with the names of its parameters."""
        root = scope.get("app_root_path", scope.get("root_path", ""))  # a mount changes the second
        path = scope["path"].removeprefix(root).rstrip("/") or "/"
        if path in self._plain:
            return path
        if template := getattr(scope.get("route"), "path_format", None):
            return str(template)
        asked = {**scope, "path": path, "root_path": ""}
        matches = {each.matches(asked)[0]: each for each in reversed(self._routes)}
        found = matches.get(Match.FULL) or matches.get(Match.PARTIAL)
        return str(found.path_format) if found else UNKNOWN
