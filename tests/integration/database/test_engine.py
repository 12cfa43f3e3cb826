from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from app import errors
from app.database.engine import connect, create_engine, database_now
from app.database.tables import jobs_table
from app.jobs import outbox
from app.jobs.store import JobStore
from app.protocol.types import JobKind, JobStatus
from tests.conftest import migrate
from tests.support.rows import CALLS, REQUEST, RESULT, accept, expire, run

CALLS = {
    **CALLS,
    "take": outbox.take_unpublished,
    "reconcile": lambda store: outbox.reconcile(store, {JobKind.TRAIN: 0, JobKind.PREDICT: 0}),
}


def times(store):
    attempt = run(store)
    leased = store.get("m").lease_until
    assert store.complete_training("m", attempt, *RESULT)
    job = store.get("m")
    return [job.created_at, job.published_at, job.started_at, leased, job.ended_at]


def test_times_are_utc_and_now(store):
    before = datetime.now(UTC)

    for time in times(store):
        assert time.utcoffset().total_seconds() == 0
        assert abs((time - before).total_seconds()) < 60


def test_times_are_the_databases_own(store):
    """No statement is given one."""
    values = []
    sa.event.listen(store.engine, "before_cursor_execute", lambda *told: values.append(told[3]))

    times(store)

    given = [each for row in values for each in (row.values() if isinstance(row, dict) else row)]
    assert given
    assert not any(
        isinstance(each, datetime) or str(datetime.now(UTC).year) in str(each) for each in given
    )


def test_times_do_not_depend_on_the_zone_of_the_session(postgres):
    url = migrate(postgres.new_database())
    store = JobStore(f"{url}&options=-c%20timezone%3DAsia/Tokyo")
    try:
        found = times(store)
    finally:
        store.close()

    for time in found:
        assert abs((time - datetime.now(UTC)).total_seconds()) < 60
        assert time.utcoffset() == timedelta(0)


def test_a_time_of_another_zone_is_compared_as_what_it_is(store):
    run(store)
    tokyo = timezone(timedelta(hours=9))
    later = datetime.now(tokyo) + timedelta(minutes=1)

    with connect(store.engine) as connection:
        query = sa.select(jobs_table.c.id).where(jobs_table.c.created_at <= later)
        assert connection.scalar(query) == "m"
        query = sa.select(jobs_table.c.id).where(jobs_table.c.created_at > later)
        assert connection.scalar(query) is None


@pytest.mark.parametrize("seconds", [0.0, 0.25, -0.25, 15.0, -86_400.5, 1e6])
def test_the_clock_reaches_into_the_past_and_the_future(store, seconds):
    with store.engine.connect() as connection:
        before, moved, after = connection.execute(
            sa.select(database_now(), database_now(seconds), database_now())
        ).one()

    assert (moved - before).total_seconds() > seconds - 0.01
    assert (moved - after).total_seconds() < seconds + 0.01


def test_a_lease_ends_by_the_databases_clock(store):
    attempt = run(store)
    assert store.requeue_expired_leases() == 0
    expire(store)
    assert store.renew({("m", attempt): None})
    assert store.requeue_expired_leases() == 0
    expire(store)
    assert store.requeue_expired_leases() == 1


def test_a_table_that_is_there_works(store):
    store.check()


@pytest.mark.parametrize("call", CALLS)
def test_a_database_without_the_table_cannot_be_used(tmp_path, call):
    store = JobStore(f"sqlite:///{tmp_path}/empty.db")

    with pytest.raises(errors.DatabaseUnavailable):
        CALLS[call](store)
    store.close()


def test_a_database_that_is_stopped_cannot_be_used_and_one_that_is_back_can(postgres):
    store = JobStore(migrate(postgres.new_database()))
    accept(store)
    job = store.get("m")
    postgres.stop()
    try:
        for call in (*CALLS.values(), lambda store: store.position(job)):
            with pytest.raises(errors.DatabaseUnavailable):
                call(store)
    finally:
        postgres.start()

    assert store.get("m").state is JobStatus.QUEUED
    assert store.claim("m", "worker") == 1
    store.close()


def test_a_full_disk_of_sqlite_is_told_apart(sqlite_url):
    store = JobStore(sqlite_url)
    with store.engine.connect() as connection:  # the pool gives this one out again
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(errors.StorageFull, match="full"):
        store.create("m", JobKind.TRAIN, "d", {**REQUEST, "long": "x" * 100_000})

    assert store.get("m") is None
    store.close()


def test_a_full_disk_of_postgresql_is_told_apart(postgres):
    store = JobStore(postgres.new_database())
    with pytest.raises(errors.StorageFull), connect(store.engine) as connection:
        connection.exec_driver_sql("DO $$ BEGIN RAISE disk_full; END $$")
    store.close()


def test_a_database_that_is_locked_for_long_cannot_be_used(sqlite_url):
    store = JobStore(sqlite_url)
    accept(store)
    locker = sa.create_engine(sqlite_url, isolation_level="AUTOCOMMIT")
    with locker.connect() as connection:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        with store.engine.connect() as mine:
            mine.exec_driver_sql("PRAGMA busy_timeout = 50")
        with pytest.raises(errors.DatabaseUnavailable, match="locked"):
            store.claim("m", "worker")
        assert store.get("m").state is JobStatus.QUEUED
        connection.exec_driver_sql("ROLLBACK")
    locker.dispose()

    assert store.claim("m", "worker") == 1
    store.close()


def test_a_commit_on_sqlite_survives_a_power_cut(sqlite_url):
    store = JobStore(sqlite_url)
    with store.engine.connect() as connection:
        journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    store.close()

    assert journal == "wal"
    assert synchronous == 2  # FULL


@pytest.mark.parametrize("value", ["a\0b", "a" * 256])
def test_a_value_that_postgresql_refuses_is_no_outage(postgres, value):
    store = JobStore(migrate(postgres.new_database()))

    with pytest.raises(errors.Invalid):
        accept(store, correlation_id=value)

    assert store.get("m") is None
    store.close()


def test_a_query_on_postgresql_does_not_wait_for_ever(postgres):
    engine = create_engine(postgres.new_database())
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar() == "10s"
    engine.dispose()


def test_an_error_of_the_database_shows_no_password():
    store = JobStore("postgresql+psycopg://warren:hunter2@127.0.0.1:1/warren")

    with pytest.raises(errors.DatabaseUnavailable) as caught:
        store.check()
    store.close()

    assert "hunter2" not in caught.value.detail
