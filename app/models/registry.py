"""The models: the rows of trainings that are completed, and of models that came finished."""

from typing import Any

import sqlalchemy as sa

from app import errors
from app.database.engine import database_now, insert
from app.database.tables import jobs_table
from app.jobs.record import JOB_COLUMNS, Job, read_jobs
from app.jobs.store import JobStore
from app.protocol.types import LATEST, JobStatus

MODEL_KINDS = ("train", "onnx", "endpoint")


def register_model(
    jobs: JobStore, model_id: str, kind: str, spec: dict[str, Any], **file: str
) -> bool:
    """Write a model that was not trained here; False when its id is taken.

    `file` may be `result_key` and `result_sha256`, of an ONNX file in the bucket.
    """
    ended = {"state": JobStatus.COMPLETED, "created_at": database_now(), "ended_at": database_now()}
    return insert(jobs.engine, {"id": model_id, "kind": kind, "request": spec, **ended, **file})


def newest_models(jobs: JobStore, limit: int) -> list[Job]:
    """Return the newest models, without the `request` of those that were not trained here."""
    request = sa.case(
        (jobs_table.c.kind == "train", jobs_table.c.request), else_=sa.literal({}, sa.JSON)
    )
    query = sa.select(
        *(request.label("request") if c.name == "request" else c for c in JOB_COLUMNS)
    )
    query = query.where(
        jobs_table.c.state == JobStatus.COMPLETED, jobs_table.c.kind.in_(MODEL_KINDS)
    )
    query = query.order_by(jobs_table.c.created_at.desc(), jobs_table.c.id.desc()).limit(limit)
    return read_jobs(jobs.engine, query)


def find_model(jobs: JobStore, model_id: str, dataset_id: str | None = None) -> Job:
    """Return the row of a model; `latest` is the newest that was trained, on one data set or all.

    Raises `errors.NotFound`, or `NotReady` while there is no result.
    """
    job = _latest(jobs, dataset_id) if model_id == LATEST else jobs.get(model_id)
    if job is None or job.kind not in MODEL_KINDS:
        among = f" on data set {dataset_id}" if dataset_id and model_id == LATEST else ""
        raise errors.NotFound("model_id", f"there is no model {model_id}{among}")
    if job.state is not JobStatus.COMPLETED:
        cause = f": {job.error['detail']}" if job.error else ""
        raise errors.NotReady(
            "model_id",
            f"model {model_id} cannot answer, its training is {job.state}{cause}",
            state=job.state,
        )
    return job


def _latest(jobs: JobStore, dataset_id: str | None) -> Job | None:
    query = sa.select(*JOB_COLUMNS).where(
        jobs_table.c.state == JobStatus.COMPLETED, jobs_table.c.kind == "train"
    )
    if dataset_id:
        query = query.where(jobs_table.c.dataset_id == dataset_id)
    newest_first = query.order_by(jobs_table.c.ended_at.desc(), jobs_table.c.id).limit(1)
    return next(iter(read_jobs(jobs.engine, newest_first)), None)
