"""What notebooks show of jobs, models, data sets and evaluations: small tables, without scripts."""

from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any

from warren_client.records import DatasetRecord, JobRecord, ModelRecord

MOST_CHARACTERS = 500  # of a value


def job_html(job: JobRecord) -> str:
    """Return a job as a table."""
    error = (job.error or {}).get("detail")
    done = None if job.progress is None or job.ended else f"{job.progress:.0%}"
    times = {"created": job.created_at, "started": job.started_at, "ended": job.ended_at}
    told: dict[str, Any] = {
        "state": job.state,
        "done": done,
        "data set": job.dataset_id,
        "metrics": job.metrics,
    }
    warnings = [each.get("detail") for each in job.warnings or []]
    return table(
        f"{job.kind} job {job.id}", {**told, **times, "error": error, "warnings": warnings}
    )


def model_html(model: ModelRecord) -> str:
    """Return a model as a table."""
    named = f"{model.name}:{model.version}" if model.name else None
    told = {
        "name": named,
        "aliases": model.aliases,
        "estimator": model.estimator,
        "data set": model.dataset_id,
        "target": model.target,
        "features": model.columns,
        "labels": model.labels,
        "metrics": model.metrics,
    }
    return table(f"{model.kind or 'a'} model {model.model_id}", told)


def dataset_html(dataset: DatasetRecord) -> str:
    """Return a data set as a table."""
    columns = dataset.columns
    if isinstance(columns, list):
        columns = [each.get("name") if isinstance(each, dict) else each for each in columns]
    told = {"rows": dataset.rows, "bytes": dataset.size, "version": dataset.version}
    return table(f"data set {dataset.id}", {**told, "columns": columns})


def evaluation_html(content: Mapping[str, Any]) -> str:
    """Return the scores of an evaluation as a table."""
    tested, trained = content.get("test_scores") or {}, content.get("train_scores") or {}
    baseline = (content.get("baseline") or {}).get("scores") or {}
    rows = {
        name: f"{_text(value)} (training rows {_text(trained.get(name))}, "
        f"baseline {_text(baseline.get(name))})"
        for name, value in tested.items()
    }
    return table(f"evaluation of {content.get('model_id')}", rows)


def table(title: str, values: Mapping[str, Any]) -> str:
    """Return names and values as a table of HTML; what has no value is left out."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(_short(_text(value)))}</td></tr>'
        for name, value in values.items()
        if value not in (None, [], {}, "")
    )
    return f"<table><caption>{escape(title)}</caption>{rows}</table>"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S %Z").strip()
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(each)}" for name, each in value.items())
    return ", ".join(map(_text, value)) if isinstance(value, list) else str(value)


def _short(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else text[:MOST_CHARACTERS] + " ..."
