import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from app import errors, jobs
from app.jobs import JobStore
from app.messages import Status
from tests.conftest import ROOT, migrate

REQUEST = {"dataset_id": "d", "features": ["a"], "target": "t", "params": {"max_depth": None}}
ERROR = {"type": "bad_data", "detail": "no column a", "columns": ["b"]}
RESULT = ("models/m/1/", "a" * 64, {"rmse": 53.0, "r2": -0.25})


def accept(store, job_id="m", dataset_id="d"):
    assert store.accept(job_id, "train", dataset_id, REQUEST)
    return job_id


def run(store, job_id="m", dataset_id="d"):
    accept(store, job_id, dataset_id)
    return store.claim(job_id, "worker", redelivered=False)


def in_state(store, state):
    """Make a job and lead it to this state; return the number of its attempt."""
    attempt = run(store)
    match state:
        case Status.QUEUED:
            assert store.release("m", attempt)
        case Status.COMPLETED:
            assert store.complete("m", attempt, *RESULT)
        case Status.ERROR:
            assert store.fail("m", attempt, ERROR)
    assert store.get("m").state is state
    return attempt


def test_a_job_that_is_accepted_is_queued(store):
    assert store.accept("m", "train", "d", REQUEST)

    job = store.get("m")
    assert (job.id, job.kind, job.dataset_id, job.request) == ("m", "train", "d", REQUEST)
    assert job.state is Status.QUEUED
    assert job.attempt == 0
    assert job.created_at is not None
    for name in ("worker", "result_key", "result_sha256", "metrics", "error"):
        assert getattr(job, name) is None
    assert job.started_at is job.ended_at is None


def test_an_id_is_given_once(store):
    accept(store)

    assert not store.accept("m", "train", "other", {})
    assert store.get("m").dataset_id == "d"


def test_a_job_that_nobody_accepted_is_not_there(store):
    assert store.get("m") is None
    assert store.claim("m", "worker", redelivered=True) is None
    assert store.newest(10) == []


def test_a_claim_starts_the_first_attempt(store):
    accept(store)

    assert store.claim("m", "worker 1", redelivered=False) == 1

    job = store.get("m")
    assert job.state is Status.RUNNING
    assert job.attempt == 1
    assert job.worker == "worker 1"
    assert job.created_at <= job.started_at
    assert job.ended_at is None


def test_a_job_that_runs_is_claimed_for_a_redelivered_message_only(store):
    run(store)

    assert store.claim("m", "worker 2", redelivered=False) is None
    assert store.get("m").worker == "worker"
    assert store.claim("m", "worker 2", redelivered=True) == 2
    assert store.get("m").worker == "worker 2"


def test_a_result_completes_the_job(store):
    attempt = run(store)

    assert store.complete("m", attempt, *RESULT)

    job = store.get("m")
    assert job.state is Status.COMPLETED
    assert (job.result_key, job.result_sha256, job.metrics) == RESULT
    assert job.error is None
    assert job.created_at <= job.started_at <= job.ended_at


def test_an_error_ends_the_job(store):
    attempt = run(store)

    assert store.fail("m", attempt, ERROR)

    job = store.get("m")
    assert job.state is Status.ERROR
    assert job.error == ERROR
    assert job.result_key is job.metrics is None
    assert job.started_at <= job.ended_at


def test_a_job_that_is_released_is_claimed_anew(store):
    attempt = run(store)

    assert store.release("m", attempt)

    job = store.get("m")
    assert job.state is Status.QUEUED
    assert job.worker is None
    assert job.attempt == 1
    assert job.ended_at is None
    assert store.claim("m", "worker 2", redelivered=False) == 2


def test_a_job_that_is_withdrawn_ends_with_an_error(store):
    accept(store)

    assert store.withdraw("m", ERROR)

    job = store.get("m")
    assert job.state is Status.ERROR
    assert job.error == ERROR
    assert job.ended_at is not None


ENDED = [Status.COMPLETED, Status.ERROR]


@pytest.mark.parametrize("state", ENDED)
def test_a_job_that_has_ended_does_not_change(store, state):
    attempt = in_state(store, state)
    before = store.get("m")

    assert store.claim("m", "late", redelivered=False) is None
    assert store.claim("m", "late", redelivered=True) is None
    assert not store.complete("m", attempt, "late/", "b" * 64, {})
    assert not store.fail("m", attempt, {"type": "late"})
    assert not store.release("m", attempt)
    assert not store.withdraw("m", {"type": "late"})
    assert not store.accept("m", "train", "late", {})

    assert store.get("m") == before


def test_a_job_that_is_queued_is_not_ended_by_an_attempt(store):
    attempt = in_state(store, Status.QUEUED)
    before = store.get("m")

    assert not store.complete("m", attempt, *RESULT)
    assert not store.fail("m", attempt, ERROR)
    assert not store.release("m", attempt)

    assert store.get("m") == before


def test_a_job_that_runs_is_not_withdrawn(store):
    in_state(store, Status.RUNNING)
    before = store.get("m")

    assert not store.withdraw("m", ERROR)

    assert store.get("m") == before


@pytest.mark.parametrize("attempt", [0, 1, 3, -1])
def test_the_wrong_attempt_changes_nothing(store, attempt):
    run(store)
    assert store.claim("m", "worker 2", redelivered=True) == 2
    before = store.get("m")

    assert not store.complete("m", attempt, *RESULT)
    assert not store.fail("m", attempt, ERROR)
    assert not store.release("m", attempt)

    assert store.get("m") == before
    assert store.complete("m", 2, *RESULT)


def test_an_attempt_changes_its_own_job_only(store):
    one, two = run(store, "one"), run(store, "two")
    before = store.get("two")

    assert store.fail("one", one, ERROR)

    assert store.get("two") == before
    assert store.complete("two", two, *RESULT)


def at_once(count, call):
    """Call from as many threads at once."""
    ready = threading.Barrier(count)

    def go(number):
        ready.wait(30)
        return call(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(go, range(count)))


@pytest.mark.parametrize("round_", range(3))
def test_of_twenty_claims_at_once_one_wins(store, round_):
    accept(store)

    attempts = at_once(20, lambda n: store.claim("m", f"worker {n}", redelivered=False))

    (winner,) = [n for n, attempt in enumerate(attempts) if attempt is not None]
    assert attempts[winner] == 1
    assert store.get("m").worker == f"worker {winner}"
    assert store.get("m").attempt == 1


def test_of_twenty_claims_for_redeliveries_each_has_its_own_number(store):
    run(store)

    attempts = at_once(20, lambda n: store.claim("m", f"worker {n}", redelivered=True))

    assert sorted(attempts) == list(range(2, 22))
    last = attempts.index(21)
    assert store.get("m").worker == f"worker {last}"
    assert [store.complete("m", attempt, *RESULT) for attempt in attempts].count(True) == 1


def test_of_twenty_that_accept_one_id_one_wins(store):
    accepted = at_once(20, lambda n: store.accept("m", "train", f"d{n}", REQUEST))

    assert accepted.count(True) == 1
    assert store.get("m").dataset_id == f"d{accepted.index(True)}"


def test_of_twenty_ends_at_once_one_wins(store):
    attempt = run(store)

    def end(n):
        if n % 2:
            return store.complete("m", attempt, f"key {n}", "a" * 64, {})
        return store.fail("m", attempt, {"type": str(n)})

    ended = at_once(20, end)

    assert ended.count(True) == 1
    job, winner = store.get("m"), ended.index(True)
    assert job.state is (Status.COMPLETED if winner % 2 else Status.ERROR)
    assert job.result_key == (f"key {winner}" if winner % 2 else None)
    assert job.error == (None if winner % 2 else {"type": str(winner)})


def test_writers_and_readers_do_not_wait_for_ever_for_each_other(store):
    def work(n):
        attempt = run(store, f"job-{n}")
        assert store.newest(5)
        return store.complete(f"job-{n}", attempt, *RESULT)

    assert at_once(20, work) == [True] * 20
    assert len(store.newest(100, Status.COMPLETED)) == 20


def times(store):
    attempt = run(store)
    assert store.complete("m", attempt, *RESULT)
    job = store.get("m")
    return [job.created_at, job.started_at, job.ended_at]


def test_times_are_utc_and_now(store):
    before = datetime.now(UTC)

    for time in times(store):
        assert time.utcoffset().total_seconds() == 0
        assert abs((time - before).total_seconds()) < 60


def test_times_are_the_databases_own(store, database_url, monkeypatch):
    class Elsewhere(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(1999, 1, 1, tzinfo=tz)

        @classmethod
        def utcnow(cls):
            return datetime(1999, 1, 1)

    monkeypatch.setattr(jobs, "datetime", Elsewhere)
    monkeypatch.setattr(jobs, "_job", lambda row: row)
    attempt = run(store)
    store.complete("m", attempt, *RESULT)

    row = store.get("m")
    assert min(row["created_at"].year, row["started_at"].year, row["ended_at"].year) > 2000


def test_times_do_not_depend_on_the_zone_of_the_session(postgres):
    url = migrate(postgres.new_database())
    store = JobStore(f"{url}&options=-c%20timezone%3DAsia/Tokyo")
    try:
        found = times(store)
    finally:
        store.close()

    for time in found:
        assert abs((time - datetime.now(UTC)).total_seconds()) < 60


def test_the_newest_come_first(store):
    for n in range(5):
        accept(store, f"job-{n}")
        wait_for_the_clock(store)

    assert [job.id for job in store.newest(3)] == ["job-4", "job-3", "job-2"]
    assert len(store.newest(100)) == 5


def test_the_newest_may_be_of_one_state(store):
    attempt = run(store, "done")
    store.complete("done", attempt, *RESULT)
    run(store, "running")
    accept(store, "queued")

    assert [job.id for job in store.newest(10, Status.COMPLETED)] == ["done"]
    assert [job.id for job in store.newest(10, Status.RUNNING)] == ["running"]
    assert [job.id for job in store.newest(10, Status.QUEUED)] == ["queued"]
    assert store.newest(10, Status.ERROR) == []


def test_a_completed_job_is_a_model(store):
    in_state(store, Status.COMPLETED)

    assert store.model("m").result_key == "models/m/1/"


def test_a_model_that_nobody_trains_is_not_found(store):
    with pytest.raises(errors.NotFound, match="there is no model m") as caught:
        store.model("m")

    assert caught.value.extra["field"] == "model_id"


@pytest.mark.parametrize("state", [Status.QUEUED, Status.RUNNING, Status.ERROR])
def test_a_job_without_a_result_is_a_model_that_is_not_ready(store, state):
    in_state(store, state)

    with pytest.raises(errors.NotReady) as caught:
        store.model("m")

    assert caught.value.extra["state"] == state
    assert str(state) in caught.value.detail
    assert ("no column a" in caught.value.detail) == (state is Status.ERROR)


def complete(store, job_id, dataset_id):
    assert store.complete(job_id, run(store, job_id, dataset_id), *RESULT)


def test_the_latest_model_is_the_one_that_finished_last(store):
    first, second = run(store, "first", "d"), run(store, "second", "e")
    assert store.complete("second", second, *RESULT)
    wait_for_the_clock(store)
    assert store.complete("first", first, *RESULT)

    assert store.model("latest").id == "first"
    assert store.model("latest", "e").id == "second"
    assert store.model("latest", "d").id == "first"


def wait_for_the_clock(store):
    """Let the database's clock go on: SQLite counts milliseconds."""
    with store._engine.connect() as connection:
        now = sa.select(jobs._Now())
        before = connection.scalar(now)
        while connection.scalar(now) <= before:
            pass


def test_what_runs_or_failed_is_never_the_latest(store):
    complete(store, "done", "d")
    run(store, "running", "d")
    store.fail("failed", run(store, "failed", "d"), ERROR)

    assert store.model("latest").id == "done"


def test_there_may_be_no_latest(store):
    complete(store, "done", "d")

    with pytest.raises(errors.NotFound, match="latest on data set e"):
        store.model("latest", "e")


def test_the_first_latest_is_not_found(store):
    with pytest.raises(errors.NotFound, match="no model latest"):
        store.model("latest")


def alembic(url):
    config = Config(toml_file=ROOT / "pyproject.toml")
    config.attributes["url"] = url
    return config


def tables(url):
    engine = jobs.engine(url)
    try:
        return set(sa.inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_the_migrations_go_down_and_up_again(database_url):
    assert tables(database_url) == {"jobs", "alembic_version"}

    command.downgrade(alembic(database_url), "base")
    assert tables(database_url) == {"alembic_version"}

    command.upgrade(alembic(database_url), "head")
    store = JobStore(database_url)
    accept(store)
    store.close()


def test_the_migrations_make_the_tables_that_the_code_knows(database_url):
    command.check(alembic(database_url))


def test_a_database_may_be_brought_up_to_date_twice(store, database_url):
    accept(store)

    migrate(database_url)

    assert store.get("m") is not None


def test_a_table_that_is_there_works(store):
    store.check()


@pytest.mark.parametrize("call", ["check", "get", "newest", "accept", "claim"])
def test_a_database_without_the_table_cannot_be_used(tmp_path, call):
    store = JobStore(f"sqlite:///{tmp_path}/empty.db")

    with pytest.raises(errors.DatabaseUnavailable):
        CALLS[call](store)
    store.close()


CALLS = {
    "check": lambda store: store.check(),
    "get": lambda store: store.get("m"),
    "newest": lambda store: store.newest(10),
    "model": lambda store: store.model("m"),
    "accept": lambda store: store.accept("n", "train", "d", REQUEST),
    "claim": lambda store: store.claim("m", "worker", redelivered=False),
    "complete": lambda store: store.complete("m", 1, *RESULT),
    "fail": lambda store: store.fail("m", 1, ERROR),
    "release": lambda store: store.release("m", 1),
    "withdraw": lambda store: store.withdraw("m", ERROR),
}


def test_a_database_that_is_stopped_cannot_be_used_and_one_that_is_back_can(postgres):
    store = JobStore(migrate(postgres.new_database()))
    accept(store)
    postgres.stop()
    try:
        for call in CALLS.values():
            with pytest.raises(errors.DatabaseUnavailable):
                call(store)
    finally:
        postgres.start()

    assert store.get("m").state is Status.QUEUED
    assert store.claim("m", "worker", redelivered=False) == 1
    store.close()


def test_a_database_that_is_locked_for_long_cannot_be_used(sqlite_url, monkeypatch):
    store = JobStore(sqlite_url)
    accept(store)
    locker = sa.create_engine(sqlite_url, isolation_level="AUTOCOMMIT")
    with locker.connect() as connection:
        connection.exec_driver_sql("BEGIN EXCLUSIVE")
        with store._engine.connect() as mine:
            mine.exec_driver_sql("PRAGMA busy_timeout = 50")
        with pytest.raises(errors.DatabaseUnavailable, match="locked"):
            store.claim("m", "worker", redelivered=False)
        assert store.get("m").state is Status.QUEUED
        connection.exec_driver_sql("ROLLBACK")
    locker.dispose()

    assert store.claim("m", "worker", redelivered=False) == 1
    store.close()


def test_a_commit_on_sqlite_survives_a_power_cut(sqlite_url):
    store = JobStore(sqlite_url)
    with store._engine.connect() as connection:
        journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
        synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    store.close()

    assert journal == "wal"
    assert synchronous == 2  # FULL


def test_an_error_of_the_database_shows_no_password():
    store = JobStore("postgresql+psycopg://warren:hunter2@127.0.0.1:1/warren")

    with pytest.raises(errors.DatabaseUnavailable) as caught:
        store.check()
    store.close()

    assert "hunter2" not in caught.value.detail
