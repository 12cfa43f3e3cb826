"""Grants: an owner lets another one, or all, read a model or a data set.

A reader of a model may see it and predict with it; a grant of a name is one of all its versions. A
reader of a data set may see it and train on it. Only the owner replaces or deletes it.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from time import monotonic

import sqlalchemy as sa
from cachetools import TTLCache
from sqlalchemy.exc import IntegrityError

from app import errors
from app.auth.actor import SYSTEM, Actor
from app.auth.audit import Action, Thing, entry
from app.auth.names import is_latest, owner_of, qualified
from app.database.auth_tables import grants_table
from app.database.engine import connect, database_now, transaction
from app.database.name_tables import versions_table

EVERYONE = "*"  # in place of an owner
CACHE_SECONDS = 1.0  # so long, at most, a grant that was revoked elsewhere is still seen
_MAX_CACHED = 10_000  # models and data sets

_column = grants_table.c


class Kind(StrEnum):
    """A kind of thing that can be shared."""

    MODEL = "model"
    DATASET = "dataset"


_WORDS = {Kind.MODEL: "model", Kind.DATASET: "data set"}  # in what users read


@dataclass(frozen=True)
class Grant:
    """A reader, the time of the grant, and the id of the key that granted it."""

    grantee: str
    created_at: datetime
    granted_by: str | None


class Grants:
    """The table of grants, for any number of threads.

    Names are qualified names. Methods raise `errors.DatabaseUnavailable`.
    """

    def __init__(
        self,
        engine: sa.Engine,
        seconds: float = CACHE_SECONDS,
        timer: Callable[[], float] = monotonic,
    ) -> None:
        """Cache who may read a thing for `seconds`."""
        self._engine = engine
        self._lock = threading.Lock()
        self._cache: TTLCache[tuple[Kind, str], frozenset[str]] = TTLCache(
            _MAX_CACHED, seconds, timer
        )

    def cached(self, kind: Kind, name: str) -> frozenset[str] | None:
        """Return who may read a thing if that is cached; this does not block."""
        with self._lock:
            return self._cache.get((kind, name))

    def readers(self, kind: Kind, name: str) -> frozenset[str]:
        """Return who may read a thing, beside its owner: by its own grants or those of its name."""
        if (cached := self.cached(kind, name)) is not None:
            return cached
        query = sa.select(_column.grantee).where(_column.kind == kind)
        versions = versions_table.c
        named = sa.select(versions.name).where(versions.model_id == name).scalar_subquery()
        names = [name, named] if kind is Kind.MODEL else [name]
        with connect(self._engine) as connection:
            found = frozenset(connection.scalars(query.where(_column.name.in_(names))))
        with self._lock:
            self._cache[kind, name] = found
        return found

    def list(self, kind: Kind, name: str) -> list[Grant]:
        """Return the grants of a thing, by grantee."""
        query = sa.select(_column.grantee, _column.created_at, _column.granted_by)
        query = query.where(*_of(kind, name)).order_by(_column.grantee)
        with connect(self._engine) as connection:
            return [Grant(**row._mapping) for row in connection.execute(query)]

    def give(self, kind: Kind, name: str, grantee: str, by: Actor = SYSTEM) -> bool:
        """Let `grantee` read a thing; return False if they may already."""
        row = {"kind": kind, "name": name, "grantee": grantee, "granted_by": by.key_id}
        insert = sa.insert(grants_table).values(**row, created_at=database_now())
        try:
            with transaction(self._engine) as connection:
                connection.execute(insert)
                connection.execute(entry(by, Action.SHARE, Thing(kind), name, grantee))
        except IntegrityError:
            return False
        finally:
            self.forget(kind, name)
        return True

    def revoke(self, kind: Kind, name: str, grantee: str, by: Actor = SYSTEM) -> bool:
        """Take a grant back; return False if there was none."""
        delete = delete_grants(kind, name).where(_column.grantee == grantee)
        try:
            with transaction(self._engine) as connection:
                if connection.execute(delete).rowcount == 0:
                    return False
                connection.execute(entry(by, Action.UNSHARE, Thing(kind), name, grantee))
        finally:
            self.forget(kind, name)
        return True

    def forget(self, kind: Kind, name: str) -> None:
        """Forget who may read a thing, because that has changed."""
        with self._lock:
            self._cache.pop((kind, name), None)


def delete_grants(kind: Kind, name: str) -> sa.Delete:
    """Return the DELETE of all grants of a thing, for the transaction that deletes the thing."""
    return sa.delete(grants_table).where(*_of(kind, name))


def readable(
    kind: Kind, owner: str, name: str, field: str, readers: Callable[[Kind, str], Collection[str]]
) -> str:
    """Return the qualified name of a thing that `owner` may read: their own, or a shared one.

    `readers` is asked for the grants of a thing of another owner, whose `latest` is never shared.
    Raises `errors.NotFound`, which names the `field`, and the errors of `readers`.
    """
    full = qualified(owner, name)
    if owner_of(full) == owner:
        return full
    if not is_latest(full):
        granted = readers(kind, full)
        if owner in granted or EVERYONE in granted:
            return full
    raise errors.NotFound(field, f"there is no {_WORDS[kind]} {name}")


def _of(kind: Kind, name: str) -> tuple[sa.ColumnElement[bool], ...]:
    return _column.kind == kind, _column.name == name
