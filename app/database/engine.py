"""The job table and the databases it may lie in, SQLite or PostgreSQL.

With `jobs` and `outbox` this is all that knows SQLAlchemy. Times are the database's, in UTC.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from app import errors
from app.database.tables import UTC_DATETIME, jobs_table


class database_now(FunctionElement[datetime]):  # noqa: N801  it reads as the function it is
    """The database's clock, `seconds` from now: milliseconds on SQLite, else microseconds."""

    type = UTC_DATETIME
    inherit_cache = True

    def __init__(self, seconds: float = 0.0) -> None:
        """Negative `seconds` lie in the past."""
        super().__init__(sa.literal(seconds, sa.Float))


@compiles(database_now, "sqlite")
def _now_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', {seconds} || ' seconds')"


@compiles(database_now, "postgresql")
def _now_postgresql(element: Any, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"(clock_timestamp() + make_interval(secs => {seconds}))"


# As many connections as the producer has threads that may ask at once.
_POOL: dict[str, Any] = {"pool_size": 8, "max_overflow": 32, "pool_timeout": 5}

# A server that has gone without a word is noticed by these, and a query never holds a thread long.
_POSTGRESQL = {
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "options": "-c statement_timeout=10000",
}


def create_engine(url: str) -> sa.Engine:
    """Return an engine that commits each statement: every transition is one."""
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


def _durable(connection: Any, _: Any) -> None:
    """Let readers and a writer work side by side, and let a commit survive a power cut."""
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "busy_timeout = 5000"):
        connection.execute(f"PRAGMA {pragma}")


@contextmanager
def connect(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Lend a connection; turn SQLAlchemy's errors but a broken key into ours."""
    try:
        with engine.connect() as connection:
            yield connection
    except IntegrityError:
        raise
    except DataError as error:  # it would be refused for ever: no outage to wait out
        raise errors.Invalid(None, f"the database refuses a value: {error.orig}") from error
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error  # the driver's words, without our SQL
        raise errors.DatabaseUnavailable(f"the database cannot be used: {cause}") from error


def insert(engine: sa.Engine, row: dict[str, Any]) -> bool:
    """Write a new row; False when a key of it is taken."""
    try:
        with connect(engine) as connection:  # psycopg counts no rows of an INSERT
            connection.execute(sa.insert(jobs_table).values(**row))
    except IntegrityError:
        return False
    return True
