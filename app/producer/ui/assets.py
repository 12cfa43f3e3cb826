"""The style sheet and the script of the pages. Their names change with their contents."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi import Path as InPath

from app import errors
from app.auth.identity import Scope
from app.producer.routing.route_scopes import allow
from app.producer.routing.strict_route import StrictRoute

_FOLDER = Path(__file__).with_name("static")
_TYPES = {".css": "text/css", ".js": "text/javascript"}
_FOR_EVER = {"Cache-Control": "private, max-age=31536000, immutable"}

router = APIRouter(route_class=StrictRoute, include_in_schema=False)


@cache
def read(name: str) -> bytes:
    """Return a file."""
    return (_FOLDER / name).read_bytes()


@cache
def address(name: str) -> str:
    """Return the path of a file, below a proxy's prefix."""
    stem, _, suffix = name.partition(".")
    return f"/ui/static/{stem}-{hashlib.sha256(read(name)).hexdigest()[:12]}.{suffix}"


@cache
def _names() -> dict[str, str]:
    return {address(each.name): each.name for each in _FOLDER.iterdir() if each.suffix in _TYPES}


@router.get("/ui/static/{file}")
@allow(*Scope)
async def static_file(file: Annotated[str, InPath()]) -> Response:
    """Return a file of the pages. Raises `errors.NotFound`, also for one of another version."""
    name = _names().get(f"/ui/static/{file}")
    if name is None:
        raise errors.NotFound(None, "this version has no such file; load the page again")
    return Response(read(name), headers=_FOR_EVER, media_type=_TYPES[f".{name.partition('.')[2]}"])
