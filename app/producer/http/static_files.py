"""Static files that answer every method as a route does."""

from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.types import Scope

from app.producer.http.fallback import answer_other_method

_METHODS = ("GET", "HEAD")


class OwnStaticFiles(StaticFiles):
    """Static files; OPTIONS gets their methods, and an unknown file is a 404 for any method."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the response to one request. Raises HTTP's 404 and 405."""
        found = await super().get_response(path, {**scope, "method": "GET"})
        if scope["method"] in _METHODS:
            return found
        return answer_other_method(scope["method"], _METHODS)
