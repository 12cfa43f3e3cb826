"""The database engine, for SQLite or PostgreSQL. Times come from its clock, in UTC."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Engine as Engine
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from app import errors
from app.database.tables import UtcDateTime


class database_now(FunctionElement[datetime]):  # noqa: N801  because it is used as a function
    """The database's time plus `seconds`, in milliseconds on SQLite, else in microseconds."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, seconds: float = 0.0) -> None:
        """Create the expression; negative `seconds` give a time in the past."""
        super().__init__(sa.literal(seconds, sa.Float))


@compiles(database_now, "sqlite")
def _now_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', {seconds} || ' seconds')"


@compiles(database_now, "postgresql")
def _now_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"(clock_timestamp() + make_interval(secs => {seconds}))"


# As many connections as the producer has threads that may query at once.
_POOL: dict[str, Any] = {"pool_size": 8, "max_overflow": 32, "pool_timeout": 5}

# These detect a lost server, and limit how long a query may block a thread.
_POSTGRESQL = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "options": "-c statement_timeout=10000",
}
_TLS_SETTINGS = "; look at sslmode and sslrootcert in DATABASE_URL"


def create_engine(url: str) -> sa.Engine:
    """Return an engine that commits each statement, because most changes need only one."""
    address = sa.make_url(url)
    arguments: dict[str, Any] = {}
    if address.get_backend_name() == "postgresql":
        options = f"{_POSTGRESQL['options']} {address.query.get('options', '')}".strip()
        arguments = {k: v for k, v in _POSTGRESQL.items() if k not in address.query}
        arguments["options"] = options
    made = sa.create_engine(
        address,
        isolation_level="AUTOCOMMIT",
        pool_pre_ping=True,
        connect_args=arguments,
        **_POOL,
    )
    if made.dialect.name == "sqlite":
        sa.event.listen(made, "connect", _durable)
    return made


def sqlite_file(engine: sa.Engine) -> Path | None:
    """Return the path of an SQLite database; None of a server, and of one in memory."""
    name = engine.url.database or ":memory:"
    is_path = engine.dialect.name == "sqlite" and not name.startswith((":", "file:"))
    return Path(name).absolute() if is_path else None


def create_nothing(engine: sa.Engine, hint: str) -> None:
    """Let an engine only use a database that is there, because SQLite makes a missing one.

    To connect raises `errors.DatabaseUnavailable` then, whose text ends with `hint`.
    """

    def check(*_: object) -> None:
        file = sqlite_file(engine)
        if file and not file.is_file():
            raise errors.DatabaseUnavailable(
                f"the database cannot be used: there is no file {file}; {hint}"
            )

    sa.event.listen(engine, "do_connect", check)


def _durable(connection: Any, _: Any) -> None:
    """Let readers and a writer run concurrently, and make commits survive a power failure."""
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000"):
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def connect(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a connection; map SQLAlchemy's errors to Warren's, except `IntegrityError`."""
    try:
        with engine.connect() as connection:
            yield connection
    except IntegrityError:
        raise
    except DataError as error:  # not an outage, because the database would refuse the value again
        raise errors.Invalid(None, f"the database refuses a value: {error.orig}") from error
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error  # the driver's message, without the SQL
        if _is_full(cause):
            raise errors.StorageFull(f"the database has no room: {cause}") from error
        look = _TLS_SETTINGS if "SSL" in str(cause) or "certificate" in str(cause) else ""
        raise errors.DatabaseUnavailable(f"the database cannot be used: {cause}{look}") from error


def _is_full(cause: object) -> bool:
    """Tell whether the disk is full, by the code of SQLite or of PostgreSQL (`disk_full`)."""
    sqlite, postgresql = getattr(cause, "sqlite_errorcode", 0), getattr(cause, "sqlstate", "")
    return sqlite == sqlite3.SQLITE_FULL or postgresql == "53100"


def read_time(connection: sa.Connection, seconds: float) -> datetime:
    """Return the database's time plus `seconds`.

    A query that compares an indexed column with a value reads the index. PostgreSQL cannot do that
    for its clock, which goes on during a statement.
    """
    time: datetime = connection.scalars(sa.select(database_now(seconds))).one()
    return time


@contextmanager
def transaction(engine: sa.Engine, lock: str | None = None) -> Iterator[sa.Connection]:
    """Open a connection whose statements are committed together.

    Transactions with the same `lock` do not overlap. The first statement has to be a write,
    because it begins the transaction on SQLite, where only one process writes at a time.
    """
    level = "READ COMMITTED" if engine.dialect.name == "postgresql" else "SERIALIZABLE"
    together = engine.execution_options(isolation_level=level)
    with connect(together) as connection, connection.begin():
        if lock is not None:
            lock_text(connection, lock)
        yield connection


def lock_text(connection: sa.Connection, text: str) -> None:
    """Hold a lock until the transaction ends; on SQLite each write holds all of them."""
    if connection.dialect.name == "postgresql":
        key = sa.func.hashtextextended(text, 0)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


def insert_unless(
    table: sa.Table, row: Mapping[str, Any], taken: sa.ColumnElement[bool]
) -> sa.Insert:
    """Return an INSERT that returns the new row's key, or nothing where `taken` is true.

    Its execution raises `IntegrityError` when a key of the row is taken in `table` itself.
    """
    values = {
        name: value
        if isinstance(value, sa.ColumnElement)
        else sa.literal(value, table.c[name].type)
        for name, value in row.items()
    }
    new = sa.select(*values.values()).where(~taken)
    return sa.insert(table).from_select(list(values), new).returning(*table.primary_key)
