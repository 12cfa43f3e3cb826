"""Lenient decoding for pika: the headers of a message must not end a consumer.

Any client may publish headers that RabbitMQ passes on and pika cannot decode: a timestamp in
milliseconds, a float that is not a number, thousands of nested tables. pika then raises while it
reads from the socket and loses the connection; the broker delivers the message again, for ever.
"""

import struct
from typing import Any

from pika import data

strict_decode_table = data.decode_table


def install_lenient_pika_decoding() -> None:
    """Make pika decode a table that it cannot read as an empty one, from now on."""
    data.decode_table = decode_table  # `pika.spec` and nested tables find it by this name


def decode_table(encoded: bytes, offset: int) -> tuple[dict[str | bytes, Any], int]:
    """Return a table and where it ends; an empty one where pika raises."""
    try:
        return strict_decode_table(encoded, offset)
    except Exception:  # noqa: BLE001  any client may write anything
        (size,) = struct.unpack_from(">I", encoded, offset)
        return {}, offset + 4 + size
