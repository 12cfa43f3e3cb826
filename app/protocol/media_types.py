"""Read media types, the values of HTTP's Content-Type and of AMQP's content_type."""

from app.protocol.types import JSON_MEDIA_TYPE, NDJSON_MEDIA_TYPE

# None of these names is registered; all of them mean a JSON text in each line.
_JSON_LINES = ("ndjson", "jsonlines", "x-jsonlines", "jsonl", "x-jsonl")
_MEANINGS = {f"application/{each}": NDJSON_MEDIA_TYPE for each in _JSON_LINES}


def media_type(content_type: str) -> str:
    """Return a media type in lower case, without its parameters (RFC 9110 8.3.1).

    JSON of any kind is "application/json", and JSON lines by any name are "application/x-ndjson".
    JSON is UTF-8, whatever the parameter `charset` says (RFC 8259 section 11).
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("application/") and kind.endswith("+json"):
        return JSON_MEDIA_TYPE
    return _MEANINGS.get(kind, kind)
