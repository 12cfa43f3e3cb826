"""The conditions of a list on the fits of jobs and models: estimator, tag and metric."""

import sqlalchemy as sa

from app.database.json_members import json_number, json_text
from app.database.paging import has_tag
from app.protocol.estimators import DEFAULT_ESTIMATOR
from app.protocol.metric_condition import MetricCondition


def fit_conditions(
    table: sa.Table,
    request: sa.ColumnElement[object],
    trains: sa.ColumnElement[bool],
    fitted: sa.ColumnElement[bool],
    *,
    estimator: str | None,
    tag: str | None,
    metric: MetricCondition | None,
) -> list[sa.ColumnElement[bool]]:
    """Return the conditions on a `table` with `fit_summary`, `tags` and `metrics`.

    `request` is its column with the training's request, which names the estimator until a fit does.
    `trains` is true for rows of trainings, and `fitted` for those that have a fit: without one, the
    estimator of a request that names none is not known yet, because the target chooses it. An
    argument that is None asks for nothing.
    """
    column, found = table.c, []
    if estimator is not None:
        told = json_text(column.fit_summary, "estimator"), json_text(request, "estimator")
        older = sa.case((fitted, DEFAULT_ESTIMATOR))  # a fit that did not tell chose nothing else
        found += [trains, sa.func.coalesce(*told, older) == estimator]
    if tag is not None:
        found.append(has_tag(column.tags, tag))
    if metric is not None:
        found.append(metric.holds(json_number(column.metrics, metric.name)))
    return found
