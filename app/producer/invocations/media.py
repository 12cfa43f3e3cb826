"""Choose the forms of a request to /invocations and its answer, by Content-Type and Accept."""

from typing import Final, cast

from fastapi import Request

from app import errors
from app.producer.answers.accept import choose
from app.producer.invocations.csv_rows import Header
from app.producer.routing.body import media_type
from app.producer.uploads import csv_type
from app.protocol.media_types import bare_type
from app.protocol.types import (
    CSV_MEDIA_TYPE,
    JSON_MEDIA_TYPE,
    NDJSON_MEDIA_TYPE,
    SAGEMAKER_LINES_MEDIA_TYPE,
    URLENCODED_MEDIA_TYPE,
)

IMAGES: Final = ("image/jpeg", "image/png", "image/webp", "application/x-image")
READS: Final = (JSON_MEDIA_TYPE, CSV_MEDIA_TYPE, SAGEMAKER_LINES_MEDIA_TYPE, *IMAGES)
WRITES: Final = (
    JSON_MEDIA_TYPE,
    CSV_MEDIA_TYPE,
    SAGEMAKER_LINES_MEDIA_TYPE,
    "application/jsonl",
    NDJSON_MEDIA_TYPE,
)

_OF_CURL = f": curl's -d says that it sends {URLENCODED_MEDIA_TYPE}"
_HEADERS = ("present", "absent")


def form_of_request(request: Request) -> str:
    """Return the media type of a body. Raises `errors.Unsupported` if it is not read here."""
    kind = media_type(request)
    if kind not in (JSON_MEDIA_TYPE, CSV_MEDIA_TYPE, NDJSON_MEDIA_TYPE, *IMAGES):
        known = ", ".join(READS)
        hint = _OF_CURL if kind == URLENCODED_MEDIA_TYPE else ""
        raise errors.Unsupported(
            "body", f"send one of {known}, and name it in Content-Type{hint}", media_types=known
        )
    return kind


def form_of_answer(request: Request, kind: str) -> str:
    """Return the media type to answer with: the accepted one, else the one of the request.

    Raises HTTP's 406.
    """
    own = JSON_MEDIA_TYPE
    if kind in (CSV_MEDIA_TYPE, NDJSON_MEDIA_TYPE):
        written = bare_type(request.headers["content-type"])
        own = written if written in WRITES else SAGEMAKER_LINES_MEDIA_TYPE
    return choose(request, (own, *(each for each in WRITES if each != own)))


def csv_header(request: Request) -> Header | None:
    """Return the parameter `header` of a CSV's Content-Type (RFC 4180 section 3), None if absent.

    Raises `errors.Invalid`, and the errors of `header_parameter`.
    """
    header = csv_type.header_parameter(request)
    if header and header not in _HEADERS:
        raise errors.Invalid("Content-Type", f"header must be {' or '.join(_HEADERS)}")
    return cast(Header, header) if header else None
