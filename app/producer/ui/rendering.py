"""Render pages from their templates, with the fields that tell a browser what they may load."""

import asyncio
import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from app.auth.identity import Scope
from app.producer.callers.caller import identity_of
from app.producer.ui import assets
from app.producer.ui.formats import FILTERS
from app.producer.ui.pages import PAGES, Shown

_TEMPLATES = Path(__file__).with_name("templates")
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_PIECE = 200  # texts of a template, which take less than a millisecond
HEADERS = {"Content-Security-Policy": _POLICY, "Vary": "Accept, Cookie, Authorization, X-API-Key"}


@dataclass(frozen=True)
class Here:
    """What templates know of the request: who asks, and how addresses begin."""

    root: str
    path: str
    owner: str
    scopes: frozenset[Scope]
    authenticated: bool

    @classmethod
    def of(cls, request: Request) -> "Here":
        """Return what templates know of `request`."""
        who, root = identity_of(request.scope), request.scope.get("root_path", "")
        path = request.scope["path"].removeprefix(root)
        return cls(root, path, who.owner, who.scopes, who.name is not None)

    def url(self, path: str, **query: Any) -> str:
        """Return the address of a path; members of the query that are None are left out."""
        known = {name: value for name, value in query.items() if value is not None}
        return f"{self.root}{quote(path, safe='/~')}{'?' if known else ''}{urlencode(known)}"

    def file(self, name: str) -> str:
        """Return the address of a file of the pages."""
        return f"{self.root}{assets.address(name)}"

    def may(self, *scopes: str) -> bool:
        """Tell whether the request has one of the scopes."""
        return not self.scopes.isdisjoint(map(Scope, scopes))

    @property
    def pages(self) -> list[Shown]:
        """The pages that the request may open."""
        return [each for each in PAGES if not self.scopes.isdisjoint(each.scopes)]


@cache
def environment() -> Environment:
    """Return the templates, which escape each value; an unknown name is an error."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(FILTERS)
    return made


def compile_templates() -> None:
    """Compile all templates, so that no first view of a page holds up other requests."""
    for name in environment().list_templates():
        environment().get_template(name)


def text(request: Request, template: str, **values: Any) -> str:
    """Return a template filled in."""
    return environment().get_template(template).render(here=Here.of(request), **values)


def page(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """Return a page."""
    # A lone surrogate, which JSON can name, has no bytes.
    body = text(request, template, **values).encode(errors="replace")
    return HTMLResponse(body, status, HEADERS)


async def in_pieces(request: Request, template: str, **values: Any) -> bytes:
    """Return a template filled in, while the event loop goes on with other requests.

    In a thread it would hold them up longer: the loop would have to wait for the interpreter after
    each of its system calls.
    """
    found = environment().get_template(template).generate(here=Here.of(request), **values)
    texts = []
    for number, each in enumerate(found, 1):
        texts.append(each)
        if number % _PIECE == 0:
            await asyncio.sleep(0)
    return "".join(texts).encode(errors="replace")


def standalone(request: Request, template: str, **values: Any) -> Response:
    """Return a page with its style inside, which loads nothing; the template puts it there."""
    style = assets.read("style.css").decode()
    body = text(request, template, style=style, **values).encode(errors="replace")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    return HTMLResponse(body, headers={**HEADERS, "Content-Security-Policy": policy})


def redirect(request: Request, path: str, **query: Any) -> Response:
    """Return the answer that sends a browser to another page, by GET."""
    return Response(status_code=303, headers={"Location": Here.of(request).url(path, **query)})
