"""Sessions: logins of browsers, which act for the key that they were begun with until they end."""

import sqlalchemy as sa

from app.auth.actor import SYSTEM, Actor
from app.auth.audit import Action, Thing, entry
from app.auth.changes import change
from app.auth.hashing import read_hash_secret, token_hash
from app.auth.tokens import SESSION_PREFIX, new_token
from app.database.auth_tables import sessions_table
from app.database.engine import database_now

SESSION_SECONDS = 12 * 3600


def begin_session(
    engine: sa.Engine, key_id: str, seconds: float = SESSION_SECONDS, by: Actor = SYSTEM
) -> str:
    """Store a session of a key that ends after `seconds`; return its text. Expired ones go."""
    made = new_token(SESSION_PREFIX)
    with change(engine) as connection:
        row = {
            "id": made.id,
            "key_id": key_id,
            "hash": token_hash(read_hash_secret(connection), made.text.encode()).hex(),
            "expires_at": database_now(seconds),
        }
        connection.execute(sa.insert(sessions_table).values(row))
        connection.execute(entry(by, Action.LOGIN, Thing.SESSION, made.id))
        old = sessions_table.c.expires_at < database_now()
        connection.execute(sa.delete(sessions_table).where(old))
    return made.text


def end_session(engine: sa.Engine, session_id: str, by: Actor = SYSTEM) -> None:
    """Delete a session; there may be none."""
    with change(engine) as connection:
        delete = sa.delete(sessions_table).where(sessions_table.c.id == session_id)
        if connection.execute(delete).rowcount:
            connection.execute(entry(by, Action.LOGOUT, Thing.SESSION, session_id))
