"""The audit log: who changed which model, data set, job, key or grant, and when.

Rows are only added; triggers of the database refuse to change or delete them. A change in the
database and its row are one transaction. For a change elsewhere, the row is written before it and
says `begun`, because nobody can tell later whether a process died in between. Predictions and jobs
that predict have no rows, because they are many; the job table has those jobs.
"""

import uuid
from enum import StrEnum

import sqlalchemy as sa

from app.auth.actor import Actor
from app.auth.names import owner_of
from app.database.auth_tables import audit_table
from app.database.engine import connect, database_now

_column = audit_table.c


class Action(StrEnum):
    """What was done."""

    CREATE = "create"
    REPLACE = "replace"
    DELETE = "delete"
    PUBLISH = "publish"  # a training has made a model
    CANCEL = "cancel"
    SHARE = "share"
    UNSHARE = "unshare"
    DESCRIBE = "describe"  # a description, tags or a split was written
    PROMOTE = "promote"  # an alias was set to a version
    ROLL_BACK = "roll_back"
    ROTATE = "rotate"
    REVOKE = "revoke"
    LOGIN = "login"
    LOGOUT = "logout"
    REPLAY = "replay"
    PURGE = "purge"


class Thing(StrEnum):
    """To what it was done."""

    MODEL = "model"
    NAME = "name"  # of models
    ALIAS = "alias"
    DATASET = "dataset"
    JOB = "job"
    KEY = "key"
    SESSION = "session"
    USER = "user"  # of the broker
    DEAD_LETTER = "dead_letter"


class Outcome(StrEnum):
    """Whether it was done in the same transaction, or begun after the row was written."""

    DONE = "done"
    BEGUN = "begun"


def entry(
    by: Actor,
    action: Action,
    kind: Thing,
    name: str,
    detail: str | None = None,
    outcome: Outcome = Outcome.DONE,
) -> sa.Insert:
    """Return the INSERT of a row; `name` is a qualified name. `detail` must hold no secret."""
    row = {
        "id": uuid.uuid4().hex,
        "created_at": database_now(),
        "owner": by.owner,
        "actor": by.name,
        "action": action,
        "kind": kind,
        "name": name,
        "detail": detail,
        "outcome": outcome,
        "request": by.request,
        "address": by.address,
    }
    # Strangers chose some of the texts, and PostgreSQL refuses long ones and NUL.
    kept = {
        key: _fitting(key, each) if isinstance(each, str) else each for key, each in row.items()
    }
    return sa.insert(audit_table).values(kept)


def begin(
    engine: sa.Engine,
    by: Actor,
    action: Action,
    kind: Thing,
    name: str,
    detail: str | None = None,
) -> None:
    """Write the row of a change that is made outside the database after this.

    Raises `errors.DatabaseUnavailable`. The change must not be made then.
    """
    with connect(engine) as connection:
        connection.execute(entry(by, action, kind, name, detail, Outcome.BEGUN))


def creator(connection: sa.Connection, kind: Thing, name: str) -> Actor:
    """Return who created a thing; if no row says so, the system for its owner."""
    which = (_column.kind == kind, _column.name == name, _column.action == Action.CREATE)
    query = sa.select(_column.actor, _column.owner, _column.address, _column.request).where(*which)
    row = connection.execute(query.order_by(_column.created_at.desc()).limit(1)).first()
    return Actor(*row) if row else Actor(owner=owner_of(name))


def _fitting(key: str, text: str) -> str:
    length: int = getattr(_column[key].type, "length", None) or len(text)
    return text.replace("\0", "")[:length]
