"""Static files that answer every method as a route does."""

from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from app.producer.routing.fallback import answer_other_method, no_path

_METHODS = ("GET", "HEAD")


class OwnStaticFiles(StaticFiles):
    """Static files; OPTIONS gets their methods, and an unknown file is a 404 for any method."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the response to one request. Raises HTTP's 404 and 405."""
        try:
            found = await super().get_response(path, {**scope, "method": "GET"})
        except HTTPException as error:
            raise no_path(scope) if error.status_code == 404 else error from None
        if scope["method"] in _METHODS:
            return found
        return answer_other_method(scope["method"], _METHODS)
