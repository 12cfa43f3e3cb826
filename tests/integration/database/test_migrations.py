import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from app.database.auth_tables import audit_table
from app.database.engine import create_engine, database_now
from app.database.name_tables import names_table
from app.database.tables import dataset_versions_table, jobs_table, models_table
from app.jobs import outbox
from app.jobs.model_publication import publish_missing_models
from app.jobs.store import JobStore
from app.models.manifest import OnnxManifest
from app.models.record import StoredFile
from app.models.registry import CachedModelRegistry
from app.producer.jobs.job_views import job_view
from app.producer.schemas.jobs import JobView
from app.protocol.types import JobKind, JobStatus
from tests.conftest import ROOT, migrate
from tests.support import graphs
from tests.support.rows import ASKED, ENDPOINT, FIT, REQUEST, RESULT, accept, put


def alembic(url):
    config = Config(toml_file=ROOT / "pyproject.toml")
    config.attributes["url"] = url
    return config


def inspected(url, ask):
    engine = create_engine(url)
    try:
        return ask(sa.inspect(engine))
    finally:
        engine.dispose()


def tables(url):
    return set(inspected(url, lambda found: found.get_table_names()))


def test_the_migrations_go_down_and_up_again(database_url):
    assert tables(database_url) == {
        *("jobs", "models", "dataset_versions", "loose_files", "grants", "alembic_version"),
        *("api_keys", "sessions", "auth_state", "audit", "audit_horizon", "workers"),
        *("names", "versions", "aliases", "alias_history", "shadows", "shadow_counts", "attempts"),
        "job_lines",
    }

    command.downgrade(alembic(database_url), "base")
    assert tables(database_url) == {"alembic_version"}

    command.upgrade(alembic(database_url), "head")
    store = JobStore(database_url)
    accept(store)
    store.close()


def test_the_migrations_make_the_tables_that_the_code_knows(database_url):
    command.check(alembic(database_url))


@pytest.mark.parametrize(
    "table",
    [jobs_table, models_table, dataset_versions_table, audit_table, names_table],
    ids=lambda table: table.name,
)
def test_the_migrations_make_the_indexes_that_the_code_knows(database_url, table):
    indexes = inspected(database_url, lambda found: found.get_indexes(table.name))

    wanted = {each.name: [column.name for column in each.columns] for each in table.indexes}
    assert wanted.items() <= {each["name"]: each["column_names"] for each in indexes}.items()


def test_a_database_may_be_brought_up_to_date_twice(store, database_url):
    accept(store)

    migrate(database_url)

    assert store.get("m") is not None


OLD = sa.table(
    "jobs",
    sa.column("id"),
    sa.column("kind"),
    sa.column("state"),
    sa.column("dataset_id"),
    sa.column("request", sa.JSON),
    sa.column("attempt"),
    sa.column("worker"),
    sa.column("result_key"),
    sa.column("result_sha256"),
    sa.column("metrics", sa.JSON),
    sa.column("created_at"),
    sa.column("started_at"),
    sa.column("ended_at"),
)


@pytest.fixture
def old(database_url):
    """A store whose rows were written before there were leases and an outbox."""
    command.downgrade(alembic(database_url), "0001")
    ended = {
        "attempt": 1,
        "worker": "w",
        "started_at": database_now(-2),
        "ended_at": database_now(),
    }
    rows = {
        "queued": {"state": JobStatus.QUEUED, "attempt": 0},
        "running": {
            "state": JobStatus.RUNNING,
            "attempt": 3,
            "worker": "w",
            "started_at": database_now(-2),
        },
        "completed": {
            "state": JobStatus.COMPLETED,
            "result_key": "models/completed/1/",
            "result_sha256": "a" * 64,
            **ended,
        },
        "failed": {"state": JobStatus.ERROR, **ended},
    }
    engine = create_engine(database_url)
    with engine.connect() as connection:
        for job_id, row in rows.items():
            common = {"id": job_id, "kind": JobKind.TRAIN, "dataset_id": "d", "request": REQUEST}
            connection.execute(
                sa.insert(OLD).values(**common, **row, created_at=database_now(-3600))
            )
    engine.dispose()
    migrate(database_url)
    store = JobStore(database_url)
    yield store
    store.close()


def test_a_job_of_before_is_what_it_was(old):
    for job_id, state in {
        "queued": JobStatus.QUEUED,
        "running": JobStatus.RUNNING,
        "completed": JobStatus.COMPLETED,
        "failed": JobStatus.ERROR,
    }.items():
        job = old.get(job_id)
        assert job.state is state
        assert job.request == REQUEST
        assert job.failures == job.version == 0
        assert job.progress is job.idempotency_key is job.reply_to is None
    assert old.get("running").attempt == 3
    assert CachedModelRegistry(old).get("latest").model_id == "completed"


def test_what_was_queued_or_running_before_is_run(old):
    assert old.requeue_expired_leases() == 1

    entries = outbox.take_unpublished(old)

    assert {entry.job_id for entry in entries} == {"queued", "running"}
    assert {entry.delay for entry in entries if entry.job_id == "queued"} == {0.0}
    assert all(entry.delay <= 0 for entry in entries)
    assert old.claim("queued", "worker") == 1
    assert old.complete_training("queued", 1, *RESULT)
    assert old.claim("running", "worker") == 4
    assert not old.complete_training("running", 3, *RESULT)  # the attempt of before is fenced
    assert old.complete_training("running", 4, *RESULT)


def test_what_a_consumer_of_before_still_runs_counts_as_no_failure(old):
    assert old.requeue_expired_leases() == 1

    assert (old.get("running").failures, old.get("running").losses) == (0, 1)


def test_what_had_ended_before_stays(old):
    before = [old.get("completed"), old.get("failed")]

    old.requeue_expired_leases()
    outbox.take_unpublished(old)
    outbox.reconcile(old, {JobKind.TRAIN: 0, JobKind.PREDICT: 0})

    assert [old.get("completed"), old.get("failed")] == before


def test_the_way_back_keeps_the_rows(store, database_url):
    accept(store)
    store.close()

    command.downgrade(alembic(database_url), "0001")

    engine = create_engine(database_url)
    with engine.connect() as connection:
        assert connection.scalar(sa.select(OLD.c.id)) == "m"
    engine.dispose()
    migrate(database_url)
    assert [entry.job_id for entry in outbox.take_unpublished(store)] == ["m"]


ONNX = OnnxManifest.model_validate(graphs.LINEAR)


def test_models_among_the_jobs_move_to_their_own_table_and_back(database_url):
    command.downgrade(alembic(database_url), "0003")
    written = {
        "trained": {
            "kind": JobKind.TRAIN, "dataset_id": "d", "request": {**REQUEST, "estimator": "ridge"},
            "result_key": RESULT[0], "result_sha256": RESULT[1], "metrics": RESULT[2],
        },
        "uploaded": {
            "kind": "onnx", "request": ONNX.model_dump(mode="json"),
            "result_key": "models/uploaded/abc/", "result_sha256": "b" * 64,
        },
        "far": {"kind": "endpoint", "request": ENDPOINT.model_dump(mode="json")},
        "asked": {"kind": JobKind.PREDICT, "request": ASKED},
    }  # fmt: skip
    common = {"state": JobStatus.COMPLETED, "attempt": 0, "ended_at": database_now()}
    engine = create_engine(database_url)
    with engine.connect() as connection:
        for number, (job_id, row) in enumerate(written.items()):
            made = {"id": job_id, "created_at": database_now(number), **common, **row}
            connection.execute(sa.insert(OLD).values(**made))

    migrate(database_url)

    store = JobStore(database_url)
    registry = CachedModelRegistry(store)
    assert [job.id for job in store.newest(10)] == ["asked", "trained"]
    assert [(each.model_id, each.estimator) for each in registry.newest(10)] == [
        ("far", None), ("uploaded", None), ("trained", "ridge"),
    ]  # fmt: skip
    assert registry.get("latest").file == StoredFile(*RESULT[:2])
    assert registry.get("latest").metrics == RESULT[2]
    assert registry.get("uploaded").spec == ONNX
    assert registry.get("uploaded").file == StoredFile("models/uploaded/abc/", "b" * 64)
    assert registry.get("far").spec == ENDPOINT
    assert publish_missing_models(store.engine) == 0
    store.close()

    command.downgrade(alembic(database_url), "0003")

    columns = (OLD.c.id, OLD.c.kind, OLD.c.state, OLD.c.request, OLD.c.result_key)
    with engine.connect() as connection:
        found = {row.id: row for row in connection.execute(sa.select(*columns))}
    engine.dispose()
    assert found.keys() == written.keys()
    for job_id, row in written.items():
        assert found[job_id].state == JobStatus.COMPLETED
        for name in ("kind", "request", "result_key"):
            assert getattr(found[job_id], name) == row.get(name)
    migrate(database_url)


def test_what_a_consumer_of_before_completes_tells_nothing_of_its_fit(store, database_url):
    """It knows no column `fit_summary`, and its request always names an estimator."""
    registry = CachedModelRegistry(store)
    assert store.create("m", JobKind.TRAIN, "d", {**REQUEST, "estimator": "ridge"})
    complete_by_row(store, "m")
    with store.engine.connect() as connection:
        row = {
            "model_id": "m", "kind": "trained", "dataset_id": "d", "file_key": RESULT[0],
            "spec": {**REQUEST, "estimator": "ridge"}, "file_sha256": RESULT[1],
            "metrics": RESULT[2], "created_at": database_now(), "trained_at": database_now(),
        }  # fmt: skip
        connection.execute(sa.insert(models_table).values(row))

    job = job_view(JobView, store.get("m")).model_dump()
    (listed,) = registry.newest(10)

    assert store.get("m").fit_summary is registry.get("m").fit_summary is None
    assert {job[name] for name in ("estimator", "params", "runtime", "parity")} == {None}
    assert job["runtime_reason"] is job["warnings"] is None
    assert (listed.estimator, listed.runtime, listed.warnings) == ("ridge", None, None)
    assert listed.metrics == RESULT[2]


def test_a_model_without_a_row_gets_what_its_fit_did(store):
    accept(store)
    complete_by_row(store, "m", fit_summary=FIT)

    assert publish_missing_models(store.engine) == 1

    registry = CachedModelRegistry(store)
    assert registry.get("m").fit_summary == FIT
    (listed,) = registry.newest(10)
    assert (listed.estimator, listed.runtime, listed.warnings) == ("ridge", "onnx", [])


def complete_by_row(store, job_id, **more):
    """Complete a training without inserting its model."""
    store.claim(job_id, "worker")
    result = {"result_key": RESULT[0], "result_sha256": RESULT[1], "metrics": RESULT[2], **more}
    put(store, job_id, state=JobStatus.COMPLETED, ended_at=0, **result)


def test_the_rows_of_before_the_fit_was_kept_stay_when_the_columns_come_and_go(database_url):
    command.downgrade(alembic(database_url), "0004")
    engine = create_engine(database_url)
    row = {"id": "m", "kind": JobKind.TRAIN, "dataset_id": "d", "request": REQUEST, "attempt": 1}
    ended = {"state": JobStatus.COMPLETED, "result_key": RESULT[0], "result_sha256": RESULT[1]}
    with engine.connect() as connection:
        connection.execute(sa.insert(OLD).values(**row, **ended, created_at=database_now()))

    migrate(database_url)
    store = JobStore(database_url)
    assert store.get("m").fit_summary is None
    put(store, "m", fit_summary=FIT)
    assert store.get("m").fit_summary == FIT
    store.close()
    command.downgrade(alembic(database_url), "0004")

    with engine.connect() as connection:
        assert connection.scalar(sa.select(OLD.c.id)) == "m"
    engine.dispose()
    migrate(database_url)


def test_jobs_and_models_of_before_there_were_versions_stay(database_url):
    command.downgrade(alembic(database_url), "0007")
    engine = create_engine(database_url)
    with engine.connect() as connection:
        for table, key in (
            ("jobs", "id, attempt, failures, version, state, request"),
            ("models", "model_id, spec"),
        ):
            values = {"jobs": "'m', 1, 0, 1, 'TASK_COMPLETED', '{}'", "models": "'m', '{}'"}[table]
            connection.execute(
                sa.text(
                    f"INSERT INTO {table} ({key}, kind, dataset_id, created_at)"
                    f" VALUES ({values}, '{'train' if table == 'jobs' else 'trained'}', 'd',"
                    " '2026-01-01 00:00:00+00:00')"
                )
            )
    engine.dispose()

    migrate(database_url)

    store = JobStore(database_url)
    registry = CachedModelRegistry(store)
    assert (store.get("m").dataset_version, store.get("m").tags) == (None, None)
    assert [(each.model_id, each.tags) for each in registry.newest(10)] == [("m", [])]
    registry.delete("m")
    command.downgrade(alembic(database_url), "0007")
    migrate(database_url)
    assert not registry.register("m", ENDPOINT)  # the id of a deleted model outlives a way back
    store.close()


def test_what_there_was_before_there_were_owners_belongs_to_the_default_one(database_url):
    command.downgrade(alembic(database_url), "0009")
    engine = create_engine(database_url)
    row = {"id": "m", "kind": JobKind.TRAIN, "dataset_id": "d", "request": REQUEST, "attempt": 1}
    with engine.connect() as connection:
        connection.execute(
            sa.insert(OLD).values(**row, state=JobStatus.QUEUED, created_at=database_now())
        )
    engine.dispose()

    migrate(database_url)

    store = JobStore(database_url)
    accept(store, "red~m")
    registry = CachedModelRegistry(store)
    assert registry.register("red~n", ENDPOINT)
    assert {each: store.get(each).owner for each in ("m", "red~m")} == {
        "m": "default", "red~m": "red",
    }  # fmt: skip
    assert [each.id for each in store.newest(10)] == ["m"]
    assert registry.newest(10) == []
    store.close()

    command.downgrade(alembic(database_url), "0009")  # which would show them to all

    migrate(database_url)
    store = JobStore(database_url)
    assert store.get("red~m") is None
    assert store.get("m").owner == "default"
    store.close()
