"""The cookie of a login: pages of other sites cannot send it, and scripts cannot read it."""

from typing import Any

from starlette.responses import Response
from starlette.types import Scope

from app.auth.sessions import SESSION_SECONDS

COOKIE = "warren_session"
_NAME = f"{COOKIE}="


def session_of(header: str) -> str | None:
    """Return the session in the value of a header `Cookie`, or None."""
    for each in header.split(";"):
        if (pair := each.strip()).startswith(_NAME):
            return pair.removeprefix(_NAME)
    return None


def set_session(response: Response, scope: Scope, text: str) -> None:
    """Let a response begin a session in the browser."""
    response.set_cookie(COOKIE, text, max_age=SESSION_SECONDS, **_attributes(scope))


def delete_session(response: Response, scope: Scope) -> None:
    """Let a response end the session in the browser."""
    response.delete_cookie(COOKIE, **_attributes(scope))


def _attributes(scope: Scope) -> dict[str, Any]:
    return {
        "path": scope.get("root_path") or "/",
        "httponly": True,
        "samesite": "strict",
        "secure": scope.get("scheme") == "https",
    }
