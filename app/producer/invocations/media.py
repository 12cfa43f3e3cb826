"""Which forms /invocations reads and writes, by Content-Type and Accept."""

from typing import Final, cast

from fastapi import Request

from app import errors
from app.producer.http import csv_type
from app.producer.http.accept import choose
from app.producer.http.body import media_type
from app.producer.invocations.csv_rows import Header
from app.protocol.media_types import media_type as meaning
from app.protocol.types import JSON_MEDIA_TYPE, NDJSON_MEDIA_TYPE

CSV: Final = csv_type.CSV
LINES: Final = "application/jsonlines"  # the name that SageMaker uses
IMAGES: Final = ("image/jpeg", "image/png", "image/webp", "application/x-image")
READS: Final = (JSON_MEDIA_TYPE, CSV, LINES, *IMAGES)
WRITES: Final = (JSON_MEDIA_TYPE, CSV, LINES, "application/jsonl", NDJSON_MEDIA_TYPE)

_FORM = "application/x-www-form-urlencoded"
_OF_CURL = f": curl's -d says that it sends {_FORM}"
_HEADERS = ("present", "absent")


def form_of_request(request: Request) -> str:
    """Return the media type of a body. Raises `errors.Unsupported` if it is not read here."""
    kind = media_type(request)
    if kind not in (JSON_MEDIA_TYPE, CSV, NDJSON_MEDIA_TYPE, *IMAGES):
        known = ", ".join(READS)
        hint = _OF_CURL if kind == _FORM else ""
        raise errors.Unsupported(
            "body", f"send one of {known}, and name it in Content-Type{hint}", media_types=known
        )
    return kind


def form_of_answer(request: Request, kind: str) -> str:
    """Return the media type to answer with: what is accepted, else the form of the request.

    Raises HTTP's 406.
    """
    own = JSON_MEDIA_TYPE
    if kind in (CSV, NDJSON_MEDIA_TYPE):
        written = request.headers["content-type"].partition(";")[0].strip().lower()
        own = written if written in WRITES else LINES
    return choose(request, (own, *(each for each in WRITES if each != own)))


def is_lines(kind: str) -> bool:
    """Tell whether a media type is one of the names of JSON lines."""
    return meaning(kind) == NDJSON_MEDIA_TYPE


def csv_header(request: Request) -> Header | None:
    """Return what Content-Type says about the header of a CSV (RFC 4180 section 3), if anything.

    Raises `errors.Invalid`, and what `header_parameter` does.
    """
    header = csv_type.header_parameter(request)
    if header and header not in _HEADERS:
        raise errors.Invalid("Content-Type", f"header must be {' or '.join(_HEADERS)}")
    return cast(Header, header) if header else None
