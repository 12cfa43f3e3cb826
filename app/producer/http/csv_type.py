"""Check by its Content-Type that the body of a request is a CSV in UTF-8 (RFC 7111)."""

from fastapi import Request

from app import errors
from app.producer.http.body import content_type_parameter, media_type
from app.protocol.types import CSV_MEDIA_TYPE
from app.protocol.wording import cut

# Clients also send its older names, that of Excel (Windows) and that of a form (curl -d).
_TYPES = {
    *("", "text/plain", "text/x-csv", "text/comma-separated-values", CSV_MEDIA_TYPE),
    *("application/csv", "application/x-csv", "application/vnd.ms-excel"),
    *("application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded"),
}
# The bytes are checked to be UTF-8, which ASCII is. The last two are the defaults of clients.
_CHARSETS = {"", "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "windows-1252"}
_REMEDIES = {"multipart/form-data": "send the file itself, not a form: curl -T data.csv"}


def check_csv_type(request: Request) -> None:
    """Raise `errors.Unsupported` if Content-Type names no CSV, or one without a header."""
    kind = media_type(request)
    if kind not in _TYPES:
        remedy = _REMEDIES.get(kind, f"send CSV, with the header Content-Type: {CSV_MEDIA_TYPE}")
        raise _unsupported(f"it is {cut(kind, 80)}, by its Content-Type; {remedy}")
    if header_parameter(request) == "absent":
        raise _unsupported(
            "it has no header, by its Content-Type; add a first line with the names of the columns"
        )


def header_parameter(request: Request) -> str:
    """Return the parameter `header` of a CSV's Content-Type, or an empty text.

    Raises `errors.Unsupported` if the parameter `charset` says that the CSV is not UTF-8.
    """
    content_type = request.headers.get("content-type", "")
    charset = content_type_parameter(content_type, "charset")
    if charset not in _CHARSETS:
        raise _unsupported(
            f"its charset is {cut(charset, 80)}, by its Content-Type; save it as UTF-8"
        )
    return content_type_parameter(content_type, "header")


def _unsupported(reason: str) -> errors.Unsupported:
    return errors.Unsupported("body", reason, media_types=CSV_MEDIA_TYPE)
