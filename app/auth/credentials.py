"""The keys and sessions that are valid now, as one query of each reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import sqlalchemy as sa

from app.auth.api_key import read_scopes
from app.auth.changes import VERSION
from app.auth.hashing import is_token, read_hash_secret
from app.auth.identity import Identity
from app.auth.key_limits import LIMITS, limits_of
from app.auth.store import IS_USABLE
from app.auth.tokens import KEY_PREFIX, SESSION_PREFIX, read_id
from app.database.auth_tables import api_keys_table, auth_state_table, sessions_table
from app.database.engine import connect, database_now

_VERSION = sa.select(auth_state_table.c.value).where(auth_state_table.c.name == VERSION)


@dataclass(frozen=True)
class Credential:
    """The identity of a token, the hash of its text, and its end."""

    identity: Identity
    hash: bytes
    expires_at: datetime | None

    def is_over(self, now: datetime) -> bool:
        """Tell whether the token has expired."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True)
class Credentials:
    """The usable keys and sessions by their ids, and the secret of their hashes."""

    version: str
    secret: bytes = field(repr=False)
    keys: Mapping[str, Credential] = field(repr=False)
    sessions: Mapping[str, Credential] = field(repr=False)

    def check(self, text: bytes, now: datetime) -> Identity | None:
        """Return whom a text stands for, or None if it is no valid key or session."""
        for prefix, known in ((KEY_PREFIX, self.keys), (SESSION_PREFIX, self.sessions)):
            token_id = read_id(text, prefix)
            found = known.get(token_id) if token_id else None
            if found and is_token(self.secret, text, found.hash):
                return None if found.is_over(now) else found.identity
        return None


def read_credentials(engine: sa.Engine) -> Credentials:
    """Read what is valid now. Raises `errors.DatabaseUnavailable`."""
    column, of_session = api_keys_table.c, sessions_table.c
    read = ("id", "owner", "scopes", "hash", "expires_at", *LIMITS)
    keys = sa.select(*(column[each] for each in read)).where(IS_USABLE)
    sessions = sa.select(*of_session).where(of_session.expires_at > database_now())
    with connect(engine) as connection:
        # The version comes first, so that it is never newer than the rest.
        version = connection.scalars(_VERSION).one()
        secret = read_hash_secret(connection)
        found = {
            row.id: Credential(
                Identity(
                    row.owner,
                    read_scopes(row.scopes),
                    row.id,
                    limits=limits_of(row._asdict()),
                ),
                bytes.fromhex(row.hash),
                row.expires_at,
            )
            for row in connection.execute(keys)
        }
        begun = {
            row.id: Credential(
                replace(found[row.key_id].identity, session_id=row.id),
                bytes.fromhex(row.hash),
                _earlier(row.expires_at, found[row.key_id].expires_at),
            )
            for row in connection.execute(sessions)
            if row.key_id in found
        }
    return Credentials(version, secret, found, begun)


def read_version(engine: sa.Engine) -> str:
    """Return what differs after each change. Raises `errors.DatabaseUnavailable`."""
    with connect(engine) as connection:
        version: str = connection.scalars(_VERSION).one()
        return version


def _earlier(one: datetime, other: datetime | None) -> datetime:
    return one if other is None else min(one, other)
