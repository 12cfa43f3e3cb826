"""Rows of the job table for the tests: made, run, and moved through time."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import sqlalchemy as sa

from app.database.engine import database_now
from app.database.tables import UtcDateTime, jobs_table
from app.jobs.model_publication import publish_missing_models
from app.models.endpoint import EndpointSpec
from app.models.record import SPECS, ModelRecord
from app.models.registry import CachedModelRegistry
from app.protocol.types import JobKind, JobStatus

REQUEST = {"dataset_id": "d", "features": ["a"], "target": "t", "params": {"max_depth": None}}
ERROR = {"type": "bad_data", "detail": "no column a", "columns": ["b"]}
FIT = {"estimator": "ridge", "params": {}, "runtime": "onnx", "warnings": []}
RESULT = ("models/m/1/", "a" * 64, {"rmse": 53.0, "r2": -0.25}, FIT)


ASKED = {"model_id": "model"}  # the request of a job that predicts
INPUTS = '{"input_data":{"a":1.0}}'
ENDPOINT = EndpointSpec(url="http://127.0.0.1:1/")
SYNC = {"status": "TASK_COMPLETED", "model_id": "fast", "prediction": 1.0, "elapsed_ms": 0.5}
ANSWER = {"prediction": 1.5, "pred_proba": 1.5, "model_id": "model", "elapsed_ms": 3.25}


def accept(store, job_id="m", dataset_id="d", kind=JobKind.TRAIN, **more):
    """Accept a job; return its id."""
    if kind == JobKind.PREDICT:
        assert store.create(job_id, kind, None, ASKED, **{"inputs": INPUTS, **more})
    else:
        assert store.create(job_id, kind, dataset_id, REQUEST, **more)
    return job_id


def outboxed(store, *job_ids, **more):
    """Write jobs that nobody has published yet, one after the other."""
    for job_id in job_ids:
        row = {"id": job_id, "kind": JobKind.TRAIN, "dataset_id": "d", "request": REQUEST, **more}
        with store.engine.connect() as connection:
            connection.execute(
                sa.insert(jobs_table).values(
                    **row, state=JobStatus.QUEUED, created_at=database_now()
                )
            )
        wait_for_the_clock(store)


def run(store, job_id="m", dataset_id="d", worker="worker", kind=JobKind.TRAIN):
    """Accept a job and claim it; return the number of the attempt."""
    accept(store, job_id, dataset_id, kind)
    return store.claim(job_id, worker)


def model_record(model_id, spec, file=None):
    """A model that the registry may know."""
    return ModelRecord(
        model_id=model_id,
        kind=next(kind for kind, form in SPECS.items() if isinstance(spec, form)),
        spec=spec,
        file=file,
        dataset_id=None,
        metrics=None,
        fit_summary=None,
        created_at=datetime.now(UTC),
        trained_at=None,
    )


def put(store, job_id=None, **values):
    """Write columns of a job, or of all, past every rule; a number is seconds from now."""
    times = {name for name in values if isinstance(jobs_table.c[name].type, UtcDateTime)}
    update = sa.update(jobs_table).values(
        {
            name: database_now(value) if name in times and value is not None else value
            for name, value in values.items()
        }
    )
    with store.engine.connect() as connection:
        connection.execute(update.where(jobs_table.c.id == job_id) if job_id else update)


def complete_as_before(store, job_id):
    """Complete a training as a consumer did before there was a table of models."""
    run(store, job_id)
    put(
        store,
        job_id,
        state=JobStatus.COMPLETED,
        result_key=RESULT[0],
        result_sha256=RESULT[1],
        metrics=RESULT[2],
        ended_at=0,
    )


def expire(store, job_id="m"):
    """Let a lease have ended a second ago."""
    put(store, job_id, lease_until=-1)


def at_once(count, call):
    """Call from as many threads at once."""
    ready = threading.Barrier(count)

    def go(number):
        ready.wait(30)
        return call(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(go, range(count)))


def wait_for_the_clock(store):
    """Let the database's clock go on: SQLite counts milliseconds."""
    with store.engine.connect() as connection:
        time = sa.select(database_now())
        before = connection.scalar(time)
        while connection.scalar(time) <= before:
            pass


# Every call that asks the database.
CALLS = {
    "check": lambda store: store.check(),
    "get": lambda store: store.get("m"),
    "of_key": lambda store: store.of_key("k"),
    "newest": lambda store: store.newest(10),
    "model": lambda store: CachedModelRegistry(store).get("m"),
    "accept": lambda store: store.create("n", JobKind.TRAIN, "d", REQUEST),
    "unpublish": lambda store: store.mark_unpublished("m"),
    "claim": lambda store: store.claim("m", "worker"),
    "renew": lambda store: store.renew({("m", 1): None}),
    "inputs": lambda store: store.inputs("m"),
    "versions": lambda store: store.versions(["m"]),
    "models": lambda store: CachedModelRegistry(store).newest(10),
    "latest": lambda store: CachedModelRegistry(store).get("latest"),
    "register": lambda store: CachedModelRegistry(store).register("n", ENDPOINT),
    "publish_missing_models": lambda store: publish_missing_models(store.engine),
    "answer": lambda store: store.complete_prediction("m", 1, ANSWER),
    "complete": lambda store: store.complete_training("m", 1, *RESULT),
    "fail": lambda store: store.fail("m", 1, ERROR),
    "retry": lambda store: store.retry("m", 1, ERROR, 2.0),
    "release": lambda store: store.release("m", 1),
    "cancel": lambda store: store.cancel("m"),
    "reap": lambda store: store.requeue_expired_leases(),
}
