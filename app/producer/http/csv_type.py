"""Check that a request says it brings a CSV."""

from fastapi import Request
from python_multipart.multipart import parse_options_header

from app import errors
from app.producer.http.body import media_type

CSV = "text/csv"
# What clients say of a CSV: by its other names; Windows, if Excel is installed; curl --data-binary.
_TYPES = {
    *("", CSV, "text/x-csv", "text/comma-separated-values", "text/plain", "application/csv"),
    *("application/x-csv", "application/octet-stream", "binary/octet-stream"),
    *("application/vnd.ms-excel", "application/x-www-form-urlencoded"),
}
# The bytes are checked to be UTF-8, which ASCII is. The last two are what clients say by default.
_CHARSETS = {"", "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "windows-1252"}
_REMEDIES = {"multipart/form-data": "send the file itself, not a form: curl -T data.csv"}


def check_csv_type(request: Request) -> None:
    """Raise `errors.Unsupported` if Content-Type says that the body is no CSV (RFC 7111)."""
    kind = media_type(request)
    if kind not in _TYPES:
        remedy = _REMEDIES.get(kind, f"send CSV, with the header Content-Type: {CSV}")
        raise _unsupported(f"it is {kind[:80]}, by its Content-Type; {remedy}")
    _, options = parse_options_header(request.headers.get("content-type", ""))
    charset = options.get(b"charset", b"").decode("latin-1").lower()
    if charset not in _CHARSETS:
        raise _unsupported(f"its charset is {charset[:80]}, by its Content-Type; save it as UTF-8")
    if options.get(b"header", b"").lower() == b"absent":
        raise _unsupported(
            "it has no header, by its Content-Type; add a first line with the names of the columns"
        )


def _unsupported(reason: str) -> errors.Unsupported:
    return errors.Unsupported("body", reason, media_types=CSV)
