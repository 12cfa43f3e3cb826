"""Years of finished jobs, of attempts and of models, for tests and the benchmark."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.functions import FunctionElement

from app.database.engine import database_now
from app.database.tables import attempts_table, jobs_table
from app.jobs.model_publication import insert_trained_models
from app.protocol.types import JobKind, JobStatus

YEARS = 10.0
DATASET_ID = "history"  # of all trainings
REQUEST = {"dataset_id": DATASET_ID, "features": list("abcdefghi"), "target": "t"}
FIT: dict[str, Any] = {
    "estimator": "random_forest_regressor",
    "params": {"max_depth": 3, "n_estimators": 100, "random_state": 42},
    "runtime": "onnx",
    "runtime_reason": None,
    "parity": 1e-9,
    "warnings": [],
}
ANSWER = {"model_id": "m", "prediction": 1.5, "pred_proba": 1.5, "elapsed_ms": 3.25}


class _now_plus(database_now):  # noqa: N801  because it is used as a function
    """The database's time plus seconds, which may be a column."""

    inherit_cache = True

    def __init__(self, seconds: sa.ColumnElement[float]) -> None:
        FunctionElement.__init__(self, seconds)


def fill(engine: sa.Engine, jobs: int, models: int, *, statistics: bool = True) -> None:
    """Write finished jobs, spread over ten years up to a minute ago.

    Every `jobs // models`-th one is a training and has a model, the others are predictions. Each
    tenth has failed, but of the newer half none. With `statistics`, the planner knows all that.
    """
    first = sa.select(sa.literal(1).label("n")).cte("numbers", recursive=True)
    numbers = first.union_all(sa.select(first.c.n + 1).where(first.c.n < jobs))
    every = YEARS * 365 * 86_400 / jobs
    timed = sa.select(numbers.c.n, (-60.0 - every * numbers.c.n).label("ago")).subquery()
    number, created = timed.c.n, _now_plus(timed.c.ago)
    is_training = number % (jobs // models) == 0
    has_failed = ~is_training & (number > jobs // 2) & (number % 10 == 1)
    row: dict[str, Any] = {
        "id": sa.literal("history-", sa.String) + sa.cast(number, sa.String),
        "kind": sa.case((is_training, JobKind.TRAIN.value), else_=JobKind.PREDICT.value),
        "state": sa.case((has_failed, JobStatus.ERROR.value), else_=JobStatus.COMPLETED.value),
        "dataset_id": sa.case((is_training, DATASET_ID)),
        "request": _json("request", REQUEST),
        "attempt": sa.literal(1),
        "failures": sa.literal(0),
        "version": sa.literal(5),
        "worker": sa.literal("worker", sa.String),
        "progress": sa.literal(1.0),
        "result_key": sa.case((is_training, "models/m/1/")),
        "result_sha256": sa.case((is_training, "a" * 64)),
        "metrics": _json("metrics", {"rmse": 53.0}),
        "fit_summary": _json("fit_summary", FIT),
        "result": _json("result", ANSWER),
        "created_at": created,
        "published_at": created,
        "started_at": created,
        "ended_at": created,
    }
    finished = sa.insert(jobs_table).from_select(list(row), sa.select(*row.values()))
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET statement_timeout = 0")
        connection.execute(finished)
        connection.execute(_insert_attempts())
        connection.execute(insert_trained_models())
        if statistics:
            connection.exec_driver_sql("ANALYZE")
        connection.invalidate()  # with its setting


def _insert_attempts() -> sa.Insert:
    """Return the INSERT of the only attempt of each job."""
    column = jobs_table.c
    told = (column.started_at, column.ended_at, sa.literal("completed", sa.String))
    rows = sa.select(column.id, column.attempt, column.worker, *told)
    names = ["job_id", "attempt", "consumer", "started_at", "ended_at", "outcome"]
    return sa.insert(attempts_table).from_select(names, rows)


def _json(column: str, value: Any) -> sa.ColumnElement[Any]:
    return sa.literal(value, jobs_table.c[column].type)
