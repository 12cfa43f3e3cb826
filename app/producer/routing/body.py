"""Read bodies of requests as bytes, and make messages of them."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from fastapi import Request
from python_multipart.multipart import parse_options_header

from app import errors
from app.amqp.topology import MAX_MESSAGE_BYTES
from app.concurrency import LARGE_BYTES, run_in_pool
from app.producer.answers.problems import not_json
from app.protocol import media_types
from app.protocol.types import JSON_MEDIA_TYPE
from app.protocol.validation import RequestT, parse_request

MAX_REQUEST_BYTES = MAX_MESSAGE_BYTES - 100_000  # room for what consumers and the relay add

T = TypeVar("T")

_PARSER = ThreadPoolExecutor(1, "parser")


def media_type(request: Request) -> str:
    """Return the media type of a request, as `media_types.media_type` does."""
    return media_types.media_type(request.headers.get("content-type", ""))


def content_type_parameter(content_type: str, name: str) -> str:
    """Return a parameter of a media type in lower case; an absent one is empty (RFC 9110 5.6.6)."""
    _, parameters = parse_options_header(content_type)
    return parameters.get(name.encode(), b"").decode("latin-1").lower()


async def read_json_body(request: Request) -> bytes:
    """Return the JSON body of a request. Raises `errors.Unsupported` for another Content-Type."""
    if media_type(request) != JSON_MEDIA_TYPE:
        raise not_json()
    return await request.body()


async def parse_body(kind: type[RequestT], body: bytes) -> RequestT:
    """Parse and validate a body, in a thread if it is long; raises as `parse_request` does."""
    return await call_with_body(body, partial(parse_request, kind, body))


async def call_with_body(body: bytes, call: Callable[[], T]) -> T:
    """Run a call that parses a body and return its result.

    Long bodies are parsed in one thread, one after the other, because several would keep the
    interpreter from the event loop for longer.
    """
    return await run_in_pool(_PARSER, call) if len(body) > LARGE_BYTES else call()


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
