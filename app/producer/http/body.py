"""Read bodies of requests as bytes, and make messages of them."""

import asyncio
import json
from collections.abc import Callable

from fastapi import Request
from starlette.exceptions import HTTPException

from app import errors
from app.amqp.topology import MAX_MESSAGE_BYTES
from app.producer.http.problems import SEND_JSON
from app.protocol import media_types
from app.protocol.types import JSON_MEDIA_TYPE

MAX_REQUEST_BYTES = MAX_MESSAGE_BYTES - 100_000  # room for what consumers and the relay add


def media_type(request: Request) -> str:
    """Return the media type of a request, as `media_types.media_type` does."""
    return media_types.media_type(request.headers.get("content-type", ""))


async def read_json_body(request: Request, take: Callable[[int], None], seconds: float) -> bytes:
    """Return the JSON body of a request. Raises the errors of `read_body`, or `errors.Invalid`."""
    if media_type(request) != JSON_MEDIA_TYPE:
        raise errors.Invalid("body", SEND_JSON)
    return await read_body(request, take, seconds)


async def read_body(request: Request, take: Callable[[int], None], seconds: float) -> bytes:
    """Return the body of a request, and report the size of each chunk to `take`.

    Raises HTTP's 408 if the body takes longer than `seconds`.
    """
    chunks = []
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                take(len(chunk))
                chunks.append(chunk)
    except TimeoutError:
        raise HTTPException(408, f"body: it did not arrive within {seconds:g} s") from None
    return b"".join(chunks)


def encode_message(inputs: bytes, **head: str | None) -> bytes:
    """Return a message with the keys of `head` and those of `inputs`, the JSON of an object.

    Raises `errors.TooLarge` if the broker would refuse it.
    """
    known = {name: value for name, value in head.items() if value is not None}
    return check_message_size(json.dumps(known).encode()[:-1] + b"," + inputs[1:])


def check_message_size(whole: bytes) -> bytes:
    """Return a message unchanged. Raises `errors.TooLarge` if the broker would refuse it.

    A message may be longer than its request, because numbers are written out and images are encoded
    in base64.
    """
    if len(whole) > MAX_REQUEST_BYTES:
        raise errors.TooLarge(
            "body",
            f"it becomes a message of {len(whole)} bytes; at most {MAX_REQUEST_BYTES} fit",
            limit=MAX_REQUEST_BYTES,
        )
    return whole
