"""The job table and the databases it may lie in, SQLite or PostgreSQL.

With `jobs` and `outbox` this is all that knows SQLAlchemy. Times are the database's, in UTC.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from app import errors
from app.messages import Status

_Time = sa.DateTime(timezone=True)
_Json = sa.JSON(none_as_null=True)

metadata = sa.MetaData()
table = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(128), primary_key=True),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("state", sa.String(32), nullable=False),
    sa.Column("dataset_id", sa.String(128)),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),  # grows with each claim: the fence
    sa.Column("failures", sa.Integer, nullable=False, default=0),  # attempts that ended badly
    sa.Column("version", sa.Integer, nullable=False, default=0),  # grows with what a user may see
    sa.Column("worker", sa.String(256)),
    sa.Column("progress", sa.Float),
    sa.Column("result_key", sa.String(1024)),
    sa.Column("result_sha256", sa.String(64)),
    sa.Column("metrics", _Json),
    sa.Column("result", _Json),
    sa.Column("sync", _Json),  # of a prediction that two models were asked for: the fast one's
    sa.Column("error", _Json),
    sa.Column("inputs", sa.Text),  # of a prediction that has not ended: the JSON, perhaps megabytes
    sa.Column("idempotency_key", sa.String(255), unique=True),
    sa.Column("reply_to", sa.String(255)),
    sa.Column("correlation_id", sa.String(255)),
    sa.Column("created_at", _Time, nullable=False),
    sa.Column("published_at", _Time),  # of a queued job, null: its message has yet to be published
    sa.Column("run_after", _Time),
    sa.Column("started_at", _Time),
    sa.Column("lease_until", _Time),
    sa.Column("ended_at", _Time),
    sa.Index("ix_jobs_created_at", "created_at", "id"),
    sa.Index("ix_jobs_state_dataset", "state", "dataset_id", "ended_at"),
    sa.Index("ix_jobs_kind_state_published", "kind", "state", "published_at"),
)

# What is read of a row, and what the fields of a Job are.
columns = [column for column in table.c if column.name != "inputs"]


def without(*names: str) -> list[sa.ColumnElement[Any]]:
    """Return what is read of a row, with null for these columns."""
    return [sa.null().label(each.name) if each.name in names else each for each in columns]


@dataclass(frozen=True)
class Job:
    """A row of the table, without its inputs. `error` is that of the last attempt that failed.

    `kind` is "train", or "predict" of a job that answers; models that were not trained here have
    rows, too, of kind "onnx" or "endpoint", which are completed from the beginning.
    """

    id: str
    kind: str
    state: Status
    dataset_id: str | None
    request: dict[str, Any]
    attempt: int
    failures: int
    version: int
    worker: str | None
    progress: float | None
    result_key: str | None
    result_sha256: str | None
    metrics: dict[str, float] | None
    result: dict[str, Any] | None
    sync: dict[str, Any] | None
    error: dict[str, Any] | None
    idempotency_key: str | None
    reply_to: str | None
    correlation_id: str | None
    created_at: datetime
    published_at: datetime | None
    run_after: datetime | None
    started_at: datetime | None
    lease_until: datetime | None
    ended_at: datetime | None

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state not in (Status.QUEUED, Status.RUNNING)


class now(FunctionElement[datetime]):  # noqa: N801  it reads as the function it is
    """The database's clock, `seconds` from now: milliseconds on SQLite, else microseconds."""

    type = _Time
    inherit_cache = True

    def __init__(self, seconds: float = 0.0) -> None:
        """Negative `seconds` lie in the past."""
        super().__init__(sa.literal(seconds, sa.Float))


@compiles(now, "sqlite")
def _now_sqlite(element: Any, compiler: Any, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', {seconds} || ' seconds')"


@compiles(now, "postgresql")
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


def engine(url: str) -> sa.Engine:
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
def connected(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Lend a connection; turn SQLAlchemy's errors but a broken key into ours."""
    try:
        with engine.connect() as connection:
            yield connection
    except IntegrityError:
        raise
    except DataError as error:  # it would be refused for ever: no outage to wait out
        raise errors.Invalid(f"the database refuses a value: {error.orig}") from error
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error  # the driver's words, without our SQL
        raise errors.DatabaseUnavailable(f"the database cannot be used: {cause}") from error


def read(engine: sa.Engine, query: sa.Select[Any]) -> list[Job]:
    """Return the rows of a query."""
    with connected(engine) as connection:
        return [_job(row) for row in connection.execute(query).mappings()]


def insert(engine: sa.Engine, row: dict[str, Any]) -> bool:
    """Write a new row; False when a key of it is taken."""
    try:
        with connected(engine) as connection:  # psycopg counts no rows of an INSERT
            connection.execute(sa.insert(table).values(**row))
    except IntegrityError:
        return False
    return True


def _job(row: sa.RowMapping) -> Job:
    """SQLite keeps no time zone: every time in the table is UTC."""
    values: dict[str, Any] = {
        name: value.replace(tzinfo=UTC)
        if isinstance(value, datetime) and value.tzinfo is None
        else value
        for name, value in row.items()
    }
    return Job(**{**values, "state": Status(row["state"])})
