"""Lenient decoding for pika, so that the headers of a message cannot end a connection.

Any client may publish headers that RabbitMQ passes on and pika cannot decode: a timestamp in
milliseconds, a float that is not a number, thousands of nested tables. pika would raise while
it reads from the socket, and lose the connection. The broker would deliver the message again, for
ever.
"""

import struct
from typing import Any

from pika import data

strict_decode_table = data.decode_table


def install_lenient_pika_decoding() -> None:
    """Make pika replace tables that it cannot decode with empty ones, from now on."""
    data.decode_table = decode_table  # `pika.spec` and nested tables look it up by this name


def decode_table(encoded: bytes, offset: int) -> tuple[dict[str | bytes, Any], int]:
    """Return a table and where it ends; an empty one where pika raises."""
    try:
        return strict_decode_table(encoded, offset)
    except Exception:  # noqa: BLE001  any client may write anything
        (size,) = struct.unpack_from(">I", encoded, offset)
        return {}, offset + 4 + size
