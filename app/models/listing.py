"""List models: those with a property, in an order, page by page."""

from dataclasses import dataclass

import sqlalchemy as sa

from app.auth.identity import DEFAULT_OWNER
from app.database.engine import connect
from app.database.fit_conditions import fit_conditions
from app.database.json_members import json_text
from app.database.name_tables import versions_table
from app.database.paging import SORTED_BY, Page, select_page, sort_column
from app.database.tables import models_table
from app.jobs.record import is_long, short_or_null
from app.models.queries import IS_THERE, IS_TRAINED, summary_of
from app.models.record import ModelSummary
from app.protocol.metric_condition import MetricCondition
from app.protocol.types import ModelKind

_column = models_table.c
SORTS = {name: _column[name] for name in ("created_at", "trained_at", "model_id")}


@dataclass(frozen=True)
class ModelFilter:
    """What the models of a list have in common: their owner, and the rest, where None is any."""

    owner: str = DEFAULT_OWNER
    dataset_id: str | None = None
    dataset_version: str | None = None
    kind: ModelKind | None = None
    name: str | None = None
    estimator: str | None = None
    tag: str | None = None
    metric: MetricCondition | None = None


def list_models(
    engine: sa.Engine, which: ModelFilter, page: Page
) -> tuple[list[ModelSummary], str | None]:
    """Return models in short, and the cursor of the next page or None.

    Of the spec of a training only the estimator is read. Metrics and what the fit did are left out
    if they are long. Models without the value that they are sorted by are left out. Raises
    `errors.Invalid` for the cursor.
    """
    asked = sa.case((IS_TRAINED, json_text(_column.spec, "estimator")))
    query = sa.select(
        _column.model_id,
        _column.kind,
        _column.dataset_id,
        _column.dataset_version,
        _column.tags,
        asked.label("estimator"),
        short_or_null(_column.metrics),
        short_or_null(_column.fit_summary),
        sa.or_(is_long(_column.metrics), is_long(_column.fit_summary)).label("shortened"),
        _column.created_at,
        _column.trained_at,
        versions_table.c.name,
        versions_table.c.version,
    )
    named = versions_table.c.model_id == _column.model_id
    query = query.outerjoin_from(models_table, versions_table, named)
    query = query.where(IS_THERE, *_conditions(which))
    value = sort_column(SORTS, _column.metrics, page)
    query = select_page(query, value, _column.model_id, page)
    with connect(engine) as connection:
        rows = connection.execute(query).all()
    shown = rows[: page.limit]
    models = [summary_of(row) for row in shown]
    if len(rows) == len(shown):
        return models, None
    return models, page.following(shown[-1]._mapping[SORTED_BY], shown[-1].model_id)


def _conditions(which: ModelFilter) -> list[sa.ColumnElement[bool]]:
    same = {"dataset_id": which.dataset_id, "dataset_version": which.dataset_version}
    same |= {"owner": which.owner, "kind": which.kind}
    found = [_column[name] == value for name, value in same.items() if value is not None]
    if which.name is not None:
        found.append(versions_table.c.name == which.name)
    found += fit_conditions(
        models_table,
        _column.spec,
        IS_TRAINED,
        IS_TRAINED,
        estimator=which.estimator,
        tag=which.tag,
        metric=which.metric,
    )
    return found
