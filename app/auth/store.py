"""Make, list, revoke and rotate API keys, in the database."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from app import errors
from app.auth.actor import SYSTEM, Actor
from app.auth.api_key import DAY_SECONDS, KEY_COLUMNS, ApiKey, NewKey, api_key, scopes_text
from app.auth.audit import Action, Thing, entry
from app.auth.changes import change
from app.auth.hashing import read_hash_secret, token_hash
from app.auth.identity import DEFAULT_OWNER
from app.auth.key_limits import LIMITS, limits_text
from app.auth.tokens import KEY_PREFIX, Token, new_token
from app.database.auth_tables import api_keys_table
from app.database.engine import connect, database_now, insert_unless
from app.protocol.wording import quoted

USE_SECONDS = 60  # the last use of a key is written at most so often

_column = api_keys_table.c
IS_USABLE = sa.and_(
    _column.revoked_at.is_(None),
    sa.or_(_column.expires_at.is_(None), _column.expires_at > database_now()),
)


def create_key(engine: sa.Engine, new: NewKey, by: Actor = SYSTEM) -> tuple[ApiKey, str]:
    """Store a new key; return it and its text, which nobody can read again."""
    lifetime = None if new.days is None else new.days * DAY_SECONDS
    limits = new.model_dump(include=set(LIMITS))
    values = {"name": new.name, "owner": new.owner, "scopes": scopes_text(new.scopes), **limits}
    with change(engine) as connection:
        made = _insert(connection, values, lifetime)
        told = (f"owner {new.owner}", f"scopes {values['scopes']}", limits_text(limits))
        detail = ", ".join(filter(None, told))
        connection.execute(entry(by, Action.CREATE, Thing.KEY, made[0].id, detail))
    return made


def list_keys(engine: sa.Engine) -> list[ApiKey]:
    """Return all keys, the newest first, revoked and expired ones too."""
    query = sa.select(*KEY_COLUMNS).order_by(_column.created_at.desc(), _column.id)
    with connect(engine) as connection:
        return [api_key(row) for row in connection.execute(query)]


def has_usable_key(engine: sa.Engine) -> bool:
    """Tell whether there is a key that is neither revoked nor expired."""
    with connect(engine) as connection:
        return bool(connection.scalar(sa.select(sa.exists().where(IS_USABLE))))


def revoke_key(engine: sa.Engine, key_id: str, by: Actor = SYSTEM) -> ApiKey:
    """Revoke a key for good; one that is revoked stays so. Raises `errors.NotFound`."""
    once = sa.func.coalesce(_column.revoked_at, database_now())
    update = sa.update(api_keys_table).where(_column.id == key_id).values(revoked_at=once)
    with change(engine) as connection:
        row = connection.execute(update.returning(*KEY_COLUMNS)).one_or_none()
        if row is None:
            raise _no_key(key_id)
        connection.execute(entry(by, Action.REVOKE, Thing.KEY, key_id))
    return api_key(row)


def rotate_key(
    engine: sa.Engine, key_id: str, overlap: float, by: Actor = SYSTEM
) -> tuple[ApiKey, str]:
    """Replace a key by a new one with its name, owner, scopes and limits; return that and its text.

    The old one expires after `overlap` seconds, or when it would have anyway. The new one lives as
    long as the old one was meant to. Raises `errors.NotFound`, and `errors.Conflict` if the key is
    revoked.
    """
    end = database_now(overlap)
    later = sa.or_(_column.expires_at.is_(None), _column.expires_at > end)
    update = (
        sa.update(api_keys_table)
        .where(_column.id == key_id)
        .values(expires_at=sa.case((later, end), else_=_column.expires_at))
    )
    with change(engine) as connection:
        query = sa.select(*KEY_COLUMNS, _column.seconds).where(_column.id == key_id)
        row = connection.execute(query).one_or_none()
        if row is None:
            raise _no_key(key_id)
        if row.revoked_at:
            raise errors.Conflict("key_id", f"the key {quoted(key_id)} is revoked; make a new one")
        connection.execute(update)
        kept = {each: row._mapping[each] for each in ("name", "owner", "scopes", *LIMITS)}
        made = _insert(connection, {**kept, "rotates": key_id}, row.seconds)
        connection.execute(entry(by, Action.ROTATE, Thing.KEY, key_id, f"new key {made[0].id}"))
    return made


def add_example_key(engine: sa.Engine, key_id: str) -> bool:
    """Store an expired key without a text, for an example; return False if it was there."""
    values = {
        "id": key_id,
        "name": "example",
        "owner": DEFAULT_OWNER,
        "scopes": "predict",
        "hash": "",
        "created_at": database_now(),
        "expires_at": database_now(),
        "seconds": 0.0,
    }
    there = sa.exists().where(_column.id == key_id)
    with connect(engine) as connection:
        return connection.execute(insert_unless(api_keys_table, values, there)).first() is not None


def mark_used(engine: sa.Engine, key_ids: Collection[str]) -> None:
    """Record that keys were used now, unless that was recorded within `USE_SECONDS`."""
    before = sa.or_(
        _column.last_used_at.is_(None), _column.last_used_at < database_now(-USE_SECONDS)
    )
    update = sa.update(api_keys_table).where(_column.id.in_(key_ids), before)
    with connect(engine) as connection:
        connection.execute(update.values(last_used_at=database_now()))


def _insert(
    connection: sa.Connection, values: dict[str, Any], lifetime: float | None
) -> tuple[ApiKey, str]:
    made: Token = new_token(KEY_PREFIX)
    values = {
        **values,
        "id": made.id,
        "hash": token_hash(read_hash_secret(connection), made.text.encode()).hex(),
        "created_at": database_now(),
        "expires_at": None if lifetime is None else database_now(lifetime),
        "seconds": lifetime,
    }
    insert = sa.insert(api_keys_table).values(values).returning(*KEY_COLUMNS)
    return api_key(connection.execute(insert).one()), made.text


def _no_key(key_id: str) -> errors.NotFound:
    return errors.NotFound("key_id", f"there is no key {quoted(key_id)}")
