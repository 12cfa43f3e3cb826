"""Bodies of requests as bytes, and the messages they become."""

import asyncio
import json
from collections.abc import Callable

from fastapi import Request
from starlette.exceptions import HTTPException

from app import errors
from app.amqp.topology import MAX_MESSAGE_BYTES
from app.producer.http.problems import SEND_JSON
from app.protocol.types import JSON_MEDIA_TYPE

MAX_MESSAGE_BYTES = MAX_MESSAGE_BYTES - 100_000  # less room for others on its way


def media_type(request: Request) -> str:
    """Return the media type of a request, "application/json" for JSON of any kind."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = kind.startswith("application/") and kind.endswith("+json")
    return JSON_MEDIA_TYPE if is_json else kind


async def read_json_body(request: Request, take: Callable[[int], None], seconds: float) -> bytes:
    """Return the JSON of a request. Raises what `read` does, or `errors.Invalid`."""
    if media_type(request) != JSON_MEDIA_TYPE:
        raise errors.Invalid("body", f"{SEND_JSON}")
    return await read_body(request, take, seconds)


async def read_body(request: Request, take: Callable[[int], None], seconds: float) -> bytes:
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


def encode_message(inputs: bytes, **head: str | None) -> bytes:
    """Return the message that asks for `inputs`, the JSON of an object, with the keys of `head`.

    Raises `errors.TooLarge` for what the broker would not take.
    """
    known = {name: value for name, value in head.items() if value is not None}
    return check_message_size(json.dumps(known).encode()[:-1] + b"," + inputs[1:])


def check_message_size(whole: bytes) -> bytes:
    """Return a message. Raises `errors.TooLarge` for what the broker would not take.

    What is written anew may be longer than what came: numbers, above all, and images in base64.
    """
    if len(whole) > MAX_MESSAGE_BYTES:
        raise errors.TooLarge(
            "body",
            f"it becomes a message of {len(whole)} bytes; at most {MAX_MESSAGE_BYTES} fit",
            limit=MAX_MESSAGE_BYTES,
        )
    return whole
