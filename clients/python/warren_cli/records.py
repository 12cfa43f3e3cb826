"""Jobs, models and data sets as people read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from warren_cli import console

if TYPE_CHECKING:
    from pydantic import BaseModel

    from warren_client.records import DatasetRecord, JobRecord, ModelRecord

JOB_HEADING = ("ID", "KIND", "STATE", "DONE", "DATA SET", "ESTIMATOR", "METRICS", "CREATED")
MODEL_HEADING = ("ID", "NAME", "KIND", "DATA SET", "ESTIMATOR", "METRICS")
DATASET_HEADING = ("ID", "SIZE", "MODIFIED", "VERSION")


def as_json(record: BaseModel) -> dict[str, Any]:
    """Return all that the server told of a thing."""
    return record.model_dump(mode="json")


def job_row(job: JobRecord) -> tuple[Any, ...]:
    """Return the cells of a job in a list."""
    done = None if job.progress is None else f"{job.progress:.0%}"
    told = metrics_text(job.metrics)
    return (
        job.id,
        job.kind,
        job.state,
        done,
        job.dataset_id,
        job.estimator,
        told,
        time(job.created_at),
    )


def job_fields(job: JobRecord) -> dict[str, Any]:
    """Return what is shown of one job."""
    return {
        "job": job.id,
        "kind": job.kind,
        "state": job.state,
        "done": None if job.progress is None or job.ended else f"{job.progress:.0%}",
        "seconds left": job.seconds_left,
        "place in the queue": job.queue_position,
        "data set": job.dataset_id,
        "its version": job.dataset_version,
        "estimator": job.estimator,
        "metrics": metrics_text(job.metrics),
        "attempt": job.attempt or None,
        "result": job.result and result_text(job.result),
        "error": error_text(job),
        "created": time(job.created_at),
        "started": time(job.started_at),
        "ended": time(job.ended_at),
    }


def show_job(job: JobRecord) -> None:
    """Print a job and what its training found odd."""
    console.print_fields(job_fields(job))
    for warning in job.warnings or []:
        console.print_fields({"warning": warning.get("detail") or warning})


def error_text(job: JobRecord) -> str | None:
    """Return why a job or its newest attempt failed; none for one that somebody cancelled since."""
    return None if job.state == "TASK_CANCELLED" else (job.error or {}).get("detail")


def result_text(result: Mapping[str, Any]) -> str:
    """Return the result of a prediction or of a batch job in a line."""
    if "scored" in result:
        return f"{result['scored']} of {result.get('rows')} rows scored"
    return console.plain(result.get("prediction"))


def model_row(model: ModelRecord) -> tuple[Any, ...]:
    """Return the cells of a model in a list."""
    told = metrics_text(model.metrics)
    return model.model_id, reference(model), model.kind, model.dataset_id, model.estimator, told


def model_fields(model: ModelRecord) -> dict[str, Any]:
    """Return what is shown of one model."""
    return {
        "model": model.model_id,
        "name": reference(model),
        "aliases": ", ".join(model.aliases),
        "kind": model.kind,
        "data set": model.dataset_id,
        "its version": model.dataset_version,
        "estimator": model.estimator,
        "target": model.target,
        "features": ", ".join(model.columns or []),
        "labels": ", ".join(map(str, model.labels or [])),
        "metrics": metrics_text(model.metrics),
    }


def reference(model: ModelRecord) -> str | None:
    """Return a model's name with its version, such as `churn:3`."""
    return f"{model.name}:{model.version}" if model.name else None


def dataset_row(dataset: DatasetRecord) -> tuple[Any, ...]:
    """Return the cells of a data set in a list."""
    more = dataset.model_extra or {}
    return (
        dataset.id,
        size_text(dataset.size),
        time(more.get("modified")),
        (dataset.version or "-")[:12],
    )


def size_text(size: int | None) -> str | None:
    """Return a number of bytes with a unit."""
    if size is None:
        return None
    amount, units = float(size), ["bytes", "kB", "MB", "GB"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        del units[0]
    return f"{amount:.3g} {units[0]}"


def metrics_text(metrics: Mapping[str, float] | None) -> str | None:
    """Return metrics in a line."""
    told = ", ".join(f"{name} {console.plain(value)}" for name, value in (metrics or {}).items())
    return told or None


def time(value: datetime | str | None) -> str | None:
    """Return a time, to the second; a text is one in ISO 8601."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.strftime("%Y-%m-%d %H:%M:%S %Z").strip() if value else None
