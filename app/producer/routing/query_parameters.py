"""Refuse query parameters that a route does not know, and those that are given twice.

To ignore one would answer another question than the one that was asked.
"""

from urllib.parse import parse_qsl

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.types import Scope

from app import errors
from app.protocol.sentences import field_name
from app.protocol.wording import did_you_mean, listed, repeated


def check_query(route: APIRoute, scope: Scope) -> None:
    """Raise `errors.Invalid` if a request has a query parameter that its route does not declare."""
    query: bytes = scope.get("query_string", b"")
    if not query:
        return
    sent = [name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)]
    known = sorted(_declared(route.dependant))
    for name in sent:
        if name not in known:
            takes = f"this path takes {listed(known) or 'none'}{did_you_mean(name, known)}"
            raise errors.Invalid(field_name((name,)), f"this query parameter is not known; {takes}")
    for name in repeated(sent):
        raise errors.Invalid(name, "this query parameter is given more than once")


def _declared(dependant: Dependant) -> set[str]:
    """Return the names of the query parameters of an endpoint and of its dependencies."""
    own = {each.alias for each in dependant.query_params}
    return own.union(*map(_declared, dependant.dependencies))
