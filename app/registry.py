"""The models: the rows of trainings that are completed, and of models that came finished."""

from typing import Any

import sqlalchemy as sa

from app import errors
from app.database import Job, columns, insert, now, read, table
from app.jobs import JobStore
from app.messages import LATEST, Status

KINDS = ("train", "onnx", "endpoint")


def register(jobs: JobStore, model_id: str, kind: str, spec: dict[str, Any], **file: str) -> bool:
    """Write a model that was not trained here; False when its id is taken.

    `file` may be `result_key` and `result_sha256`, of an ONNX file in the bucket.
    """
    ended = {"state": Status.COMPLETED, "created_at": now(), "ended_at": now()}
    return insert(jobs.engine, {"id": model_id, "kind": kind, "request": spec, **ended, **file})


def newest(jobs: JobStore, limit: int) -> list[Job]:
    """Return the newest models, without the `request` of those that were not trained here."""
    request = sa.case((table.c.kind == "train", table.c.request), else_=sa.literal({}, sa.JSON))
    query = sa.select(*(request.label("request") if c.name == "request" else c for c in columns))
    query = query.where(table.c.state == Status.COMPLETED, table.c.kind.in_(KINDS))
    query = query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit)
    return read(jobs.engine, query)


def find(jobs: JobStore, model_id: str, dataset_id: str | None = None) -> Job:
    """Return the row of a model; `latest` is the newest that was trained, on one data set or all.

    Raises `errors.NotFound`, or `NotReady` while there is no result.
    """
    job = _latest(jobs, dataset_id) if model_id == LATEST else jobs.get(model_id)
    if job is None or job.kind not in KINDS:
        among = f" on data set {dataset_id}" if dataset_id and model_id == LATEST else ""
        raise errors.NotFound(f"model_id: there is no model {model_id}{among}", field="model_id")
    if job.state is not Status.COMPLETED:
        cause = f": {job.error['detail']}" if job.error else ""
        raise errors.NotReady(
            f"model_id: model {model_id} cannot answer, its training is {job.state}{cause}",
            field="model_id",
            state=job.state,
        )
    return job


def _latest(jobs: JobStore, dataset_id: str | None) -> Job | None:
    query = sa.select(*columns).where(table.c.state == Status.COMPLETED, table.c.kind == "train")
    if dataset_id:
        query = query.where(table.c.dataset_id == dataset_id)
    newest_first = query.order_by(table.c.ended_at.desc(), table.c.id).limit(1)
    return next(iter(read(jobs.engine, newest_first)), None)
