"""Lenient decoding for aiormq."""

import struct
from typing import Any

from pamqp import decode, encode

MAX_TABLE_BYTES = 8192  # the broker's own tables have 1 kB; pamqp copies larger ones many times


def install_lenient_aiormq_decoding() -> None:
    """Make pamqp replace values that it cannot decode, from now on.

    Any client may publish properties that RabbitMQ passes on and pamqp cannot decode: a timestamp
    after the year 9999, text that is not UTF-8, thousands of nested tables. aiormq would lose the
    connection, and the broker would deliver the message again, for ever. `decoding` does the same
    for pika.
    """
    decode.METHODS.update(table=_table, shortstr=_short_text, timestamp=_timestamp)
    encode.METHODS["shortstr"] = _short_bytes


def _table(encoded: bytes) -> tuple[int, Any]:
    (size,) = struct.unpack_from(">I", encoded)
    try:
        if size <= MAX_TABLE_BYTES:
            return decode.field_table(encoded)
    except Exception:  # noqa: BLE001, S110  any client may write anything  # nosec B110
        pass
    return 4 + size, {}


def _short_text(encoded: bytes) -> tuple[int, Any]:
    """Return text, or the bytes if they are not UTF-8."""
    text = encoded[1 : 1 + encoded[0]]
    try:
        return 1 + len(text), text.decode()
    except UnicodeDecodeError:
        return 1 + len(text), text


def _timestamp(encoded: bytes) -> tuple[int, Any]:
    try:
        return decode.timestamp(encoded)
    except (ValueError, OverflowError, OSError):
        return 8, None


def _short_bytes(value: str | bytes) -> bytes:
    return encode.short_string(value) if isinstance(value, str) else bytes([len(value)]) + value
