"""Routes that take bytes: FastAPI documents them and does no more."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from app import errors, messages, queues
from app.producer.problems import SEND_JSON

_MOST_BYTES = queues.MAX_MESSAGE_BYTES - 100_000  # less room for others on its way


class BareRoute(APIRoute):
    """A route whose endpoint takes the request and nothing else.

    What FastAPI does for each call of another endpoint (dependencies, exit stacks) takes longer
    than the way through the broker and back.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["method"] in (self.methods or ()):
            response = await self.endpoint(Request(scope, receive))
            await response(scope, receive, send)
        else:
            await super().handle(scope, receive, send)  # which says 405


def documented(*kinds: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Return what OpenAPI says of a body: its media types, and the schema of each."""
    content = {kind: {"schema": schema} for kind, schema in kinds}
    return {"requestBody": {"required": True, "content": content}}


def schema_of(body: type[messages.Request]) -> dict[str, Any]:
    """Return the schema of a JSON body.

    What it refers to stands among the components: trainings have it, too.
    """
    schema = body.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return schema


def media_type(request: Request) -> str:
    """Return the media type of a request, "application/json" for JSON of any kind."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = kind.startswith("application/") and kind.endswith("+json")
    return messages.JSON if is_json else kind


async def read_json(request: Request, take: Callable[[int], None], seconds: float) -> bytes:
    """Return the JSON of a request. Raises what `read` does, or `errors.Invalid`."""
    if media_type(request) != messages.JSON:
        raise errors.Invalid(f"body: {SEND_JSON}", field="body")
    return await read(request, take, seconds)


async def read(request: Request, take: Callable[[int], None], seconds: float) -> bytes:
    """Return the body of a request; its bytes are `take`n. Raises HTTP's 408 when it is slow."""
    chunks = []
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                take(len(chunk))
                chunks.append(chunk)
    except TimeoutError:
        raise HTTPException(408, f"body: it did not come within {seconds:g} s") from None
    return b"".join(chunks)


def message(inputs: bytes, **head: str | None) -> bytes:
    """Return the message that asks for `inputs`, the JSON of an object, with the keys of `head`.

    Raises `errors.TooLarge` for what the broker would not take.
    """
    known = {name: value for name, value in head.items() if value is not None}
    return checked(json.dumps(known).encode()[:-1] + b"," + inputs[1:])


def checked(whole: bytes) -> bytes:
    """Return a message. Raises `errors.TooLarge` for what the broker would not take.

    What is written anew may be longer than what came: numbers, above all, and images in base64.
    """
    if len(whole) > _MOST_BYTES:
        raise errors.TooLarge(
            f"body: it becomes a message of {len(whole)} bytes, and {_MOST_BYTES} may be sent",
            field="body",
            limit=_MOST_BYTES,
        )
    return whole
