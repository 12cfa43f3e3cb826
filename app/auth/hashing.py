"""The keyed hash of keys and sessions: the database holds no text that opens a door.

The secret of the hash is a row that the migration has made. A fast hash is enough, because a token
has 190 random bits; a slow one for passwords would cost milliseconds a request.
"""

import hashlib
import hmac

import sqlalchemy as sa

from app import errors
from app.database.auth_tables import auth_state_table

HASH_SECRET = "token-hash"  # noqa: S105  the name of the row  # nosec B105


def token_hash(secret: bytes, text: bytes) -> bytes:
    """Return the hash of a token's text, 32 bytes."""
    return hmac.digest(secret, text, hashlib.sha256)


def is_token(secret: bytes, text: bytes, expected: bytes) -> bool:
    """Tell whether a text is the one of which the hash is `expected`, in constant time."""
    return hmac.compare_digest(token_hash(secret, text), expected)


def read_hash_secret(connection: sa.Connection) -> bytes:
    """Return the secret of the hash. Raises `errors.DatabaseUnavailable` if the row is missing."""
    column = auth_state_table.c
    found: str | None = connection.scalar(sa.select(column.value).where(column.name == HASH_SECRET))
    if found is None:
        raise errors.DatabaseUnavailable("the database has no secret for keys; run the migrations")
    return bytes.fromhex(found)
