"""A shield around pika's decoder of AMQP tables: the headers of a message must not end a consumer.

Any client may publish headers that RabbitMQ passes on and pika cannot read: a timestamp that is in
milliseconds, a float that is no number, tables nested by the thousand. pika raises where it reads
from the socket, and the connection is lost; the broker delivers the message again, for ever.
"""

import struct
from typing import Any

from pika import data

_pika_decode_table = data.decode_table


def install_lenient_pika_decoding() -> None:
    """Have pika take a table that it cannot decode for an empty one, from now on."""
    data.decode_table = decode_table  # `pika.spec` and nested tables find it by this name


def decode_table(encoded: bytes, offset: int) -> tuple[dict[str | bytes, Any], int]:
    """Return a table and where it ends; an empty one where pika raises."""
    try:
        return _pika_decode_table(encoded, offset)
    except Exception:  # noqa: BLE001  there is no end to what a stranger can write
        (size,) = struct.unpack_from(">I", encoded, offset)
        return {}, offset + 4 + size
