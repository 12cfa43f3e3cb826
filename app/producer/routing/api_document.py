"""Complete the OpenAPI document by what FastAPI does not know.

These are the keys and scopes, the answers of middlewares, and the schemas of errors.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.auth.api_key import in_order
from app.producer.answers.oip_errors import error_responses, is_of_protocol
from app.producer.routing.route_scopes import ScopedRoute, scopes_of
from app.producer.routing.strict_route import problem_responses
from app.producer.schemas.oip import ProtocolError
from app.producer.schemas.responses import Problem

_UNLESS = "Not needed where the producer runs with the setting AUTH=off."
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": f"An API key. {_UNLESS}"},
    "header": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": f"The same key in another header. {_UNLESS}",
    },
}
_ERRORS = (Problem, ProtocolError)  # to which `responses` of routes refer
_TOO_MANY = {429: "The caller has sent too many requests; `Retry-After` says when to go on"}
_OF_BODIES = {
    408: "The body did not come in time",
    413: "The body is too large",
    415: "The body has another media type or encoding than those that are read here",
}


def complete_document(app: FastAPI) -> None:
    """Let the document of `app` have all that, each time that it is made.

    Operations with scopes get the answers 401, 403 and 429, those with a body 408, 413 and 415,
    too. What an operation says itself stays.
    """
    make = app.openapi

    def document() -> dict[str, Any]:
        is_new = not app.openapi_schema
        made = make()
        if is_new:
            _add(app, made)
        return made

    app.openapi = document  # type: ignore[method-assign]


def _add(app: FastAPI, document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    schemas = {each.__name__: each.model_json_schema() for each in _ERRORS}
    components["schemas"] = dict(sorted((components.get("schemas", {}) | schemas).items()))
    for each in iter_route_contexts(app.routes):
        route = each.original_route
        if not isinstance(route, ScopedRoute) or not route.include_in_schema:
            continue
        scopes = scopes_of(route.endpoint)
        for method in (route.methods or ()) if scopes else ():
            operation = document["paths"][route.path_format][method.lower()]
            operation["security"] = [{name: []} for name in _SCHEMES]
            names = ", ".join(f"`{scope}`" for scope in in_order(scopes or ()))
            said = {401: "The key is missing or not valid", 403: f"The key has no scope of {names}"}
            said |= _TOO_MANY | (_OF_BODIES if "requestBody" in operation else {})
            of = error_responses if is_of_protocol(route.path_format) else problem_responses
            for status, response in of(*said).items():
                described = {"description": said[int(status)], **response}
                operation["responses"].setdefault(str(status), described)
