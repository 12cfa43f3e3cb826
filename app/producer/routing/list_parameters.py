"""Query parameters of lists: which entries, in which order, and which page of them."""

import re
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request
from pydantic import AfterValidator, Field

from app.models.promotion import METRICS as KNOWN_METRICS
from app.protocol.estimator_choice import canonical_name
from app.protocol.examples import MODEL_NAME
from app.protocol.metric_condition import METRIC_NAME, METRICS, MetricCondition
from app.protocol.tags import TagName
from app.protocol.types import Explained, QualifiedId
from app.protocol.wording import did_you_mean, listed, quoted


def _checked(text: str) -> str:
    _check_metric(MetricCondition.parse(text).name)
    return text


def _check_metric(name: str) -> None:
    """Raise `ValueError` for a metric that lists do not show, because no entry would have it."""
    if name not in KNOWN_METRICS:
        known = did_you_mean(name, KNOWN_METRICS) or f"; use one of {listed(KNOWN_METRICS)}"
        raise ValueError(f"lists have no metric {quoted(name)}{known}")


Metric = Annotated[
    Annotated[str, AfterValidator(_checked)] | None,
    Query(
        description="Only those whose metric is within a bound: its name, one of `>=`, `<=`, `>` "
        "and `<`, and a number.",
        examples=["r2>=0.4"],
    ),
]
WithTag = Annotated[
    TagName | None,
    Query(alias="tag", description="Only those with this tag.", examples=["baseline"]),
]
OfEstimator = Annotated[
    Annotated[str, AfterValidator(canonical_name)] | None,
    Query(alias="estimator", description="Only trainings of this estimator.", examples=["ridge"]),
]
WithText = Annotated[
    Annotated[
        str,
        Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"),
        Explained("use 1 to 200 characters of one line"),
    ]
    | None,
    Query(
        alias="text",
        description="Only jobs with this text in their id, data set, tags, error, or the name or "
        "id of the model that they train or ask. Upper and lower case do not differ.",
        examples=["no column"],
    ),
]
OfName = Annotated[
    QualifiedId | None,
    Query(
        alias="name",
        description="Only trainings whose model gets this name, and jobs that asked by this name.",
        examples=[MODEL_NAME],
    ),
]
Cursor = Annotated[
    str | None,
    Query(
        max_length=1000,
        description="Where a page begins: the member `next` of the page before.",
        examples=[None],
    ),
]


def sorted_by(*names: str, metrics: bool = True) -> AfterValidator:
    """Return the check of a parameter with the name of what a list is sorted by."""
    said = ", ".join([*names, *([f"{METRICS}NAME"] if metrics else [])])

    def check(sort: str) -> str:
        by = sort.removeprefix("-")
        metric = by.removeprefix(METRICS) if metrics and by.startswith(METRICS) else ""
        if by not in names and not re.fullmatch(METRIC_NAME, metric):
            raise ValueError(f"use one of {said}; a minus in front of it reverses the order")
        if by not in names:
            _check_metric(metric)
        return sort

    return AfterValidator(check)


def condition(text: str | None) -> MetricCondition | None:
    """Return the condition of a `Metric`."""
    return None if text is None else MetricCondition.parse(text)


def next_link(request: Request, following: str | None) -> dict[str, str]:
    """Return the header `Link` with the next page of a list (RFC 8288), if there is one."""
    if following is None:
        return {}
    query = dict(request.query_params) | {"cursor": following}
    return {"Link": f'<{request.scope["path"]}?{urlencode(query)}>; rel="next"'}
