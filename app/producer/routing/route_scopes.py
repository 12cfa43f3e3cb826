"""Which scopes a route needs. A route that names none keeps the application from starting."""

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.types import Scope as AsgiScope

from app import errors
from app.auth.api_key import in_order
from app.auth.identity import Scope
from app.producer.callers.caller import IDENTITY
from app.producer.routing.fallback import Fallback
from app.producer.routing.probes import PROBES

# The paths that need no key, without slashes at their end, and the files of the pages among them.
OPEN_PATHS = PROBES | {
    *("", "/docs", "/redoc", "/openapi.json"),
    *("/asyncapi", "/asyncapi.json", "/login", "/logout"),
}
OPEN_FILES = "/static/"

_SCOPES = "__scopes__"  # an attribute of endpoints
_NONE: frozenset[Scope] = frozenset()
_UNDECLARED = frozenset((Scope.ADMIN,))  # of an application that `refuse_undeclared` has not seen

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class ScopedRoute(APIRoute):
    """The base of routes that call `check_scopes` before anything else."""


def allow(*scopes: Scope) -> Callable[[Endpoint], Endpoint]:
    """Declare the scopes of a route's endpoint, of which any suffices."""
    return _declare(frozenset(scopes))


def allow_everybody(endpoint: Endpoint) -> Endpoint:
    """Declare that a route needs no key; its path has to be among `OPEN_PATHS`."""
    return _declare(_NONE)(endpoint)


def scopes_of(endpoint: Callable[..., Any]) -> frozenset[Scope] | None:
    """Return the scopes that an endpoint declares; none is for everybody, None is undeclared."""
    declared: frozenset[Scope] | None = getattr(endpoint, _SCOPES, None)
    return declared


def check_scopes(route: APIRoute, scope: AsgiScope) -> None:
    """Raise `errors.Forbidden` if the identity of a request has none of its route's scopes."""
    if (identity := scope.get(IDENTITY)) is None:  # without authentication, everybody may
        return
    needed: frozenset[Scope] = getattr(route.endpoint, _SCOPES, _UNDECLARED)
    if needed and needed.isdisjoint(identity.scopes):
        names = in_order(needed)
        detail = f"the key does not allow this; it needs the scope {' or '.join(names)}"
        raise errors.Forbidden(detail, scopes=names)


def is_open(scope: AsgiScope) -> bool:
    """Tell whether the path of a request needs no key; a proxy's prefix does not belong to it."""
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path.rstrip("/") in OPEN_PATHS or path.startswith(OPEN_FILES)


def refuse_undeclared(app: FastAPI) -> None:
    """Raise `TypeError` if a route says neither its scopes nor that it is for everybody.

    Routes of FastAPI itself check none, so their paths have to be among the open ones.
    """
    for each in iter_route_contexts(app.routes):
        route, path = each.original_route, each.path or ""
        if isinstance(route, Fallback):
            continue
        declared = scopes_of(route.endpoint) if isinstance(route, ScopedRoute) else None
        is_open_path = path.rstrip("/") in OPEN_PATHS or f"{path}/" == OPEN_FILES
        if bool(declared) is is_open_path:
            raise TypeError(
                f"{path}: put @allow(Scope...) between a StrictRoute or RawRoute and its endpoint; "
                "or, if nobody needs a key, @allow_everybody, and the path into OPEN_PATHS"
            )


def _declare(scopes: frozenset[Scope]) -> Callable[[Endpoint], Endpoint]:
    def declared(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _SCOPES, scopes)
        return endpoint

    return declared
