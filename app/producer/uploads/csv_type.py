"""What the Content-Type of a CSV says (RFC 7111)."""

from fastapi import Request

from app import errors
from app.producer.routing.body import content_type_parameter
from app.protocol.types import BINARY_MEDIA_TYPE, CSV_MEDIA_TYPE, URLENCODED_MEDIA_TYPE
from app.protocol.wording import cut

# Clients also send its older names, that of Excel (Windows) and that of a form (curl -d).
CSV_TYPES = {
    *("", "text/plain", "text/x-csv", "text/comma-separated-values", CSV_MEDIA_TYPE),
    *("application/csv", "application/x-csv", "application/vnd.ms-excel"),
    *(BINARY_MEDIA_TYPE, "binary/octet-stream", URLENCODED_MEDIA_TYPE),
}
# The bytes are checked to be UTF-8, which ASCII is. The last two are the defaults of clients.
CHARSETS = {"", "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "windows-1252"}


def header_parameter(request: Request) -> str:
    """Return the parameter `header` of a CSV's Content-Type, or an empty text.

    Raises `errors.Unsupported` if the parameter `charset` says that the CSV is not UTF-8.
    """
    content_type = request.headers.get("content-type", "")
    charset = content_type_parameter(content_type, "charset")
    if charset not in CHARSETS:
        raise _unsupported(
            f"its charset is {cut(charset, 80)}, by its Content-Type; save it as UTF-8"
        )
    return content_type_parameter(content_type, "header")


def _unsupported(reason: str) -> errors.Unsupported:
    return errors.Unsupported("body", reason, media_types=CSV_MEDIA_TYPE)
