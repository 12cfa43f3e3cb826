"""What a list may be sorted by, and which bounds of metrics it takes."""

from typing import Annotated

import pytest
from pydantic import TypeAdapter, ValidationError

from app.models.promotion import METRICS
from app.producer.routing.list_parameters import Metric, sorted_by

SORT = TypeAdapter(Annotated[str, sorted_by("created_at")])
METRIC = TypeAdapter(Metric)


@pytest.mark.parametrize("name", METRICS)
def test_a_list_is_sorted_and_bounded_by_each_metric_that_it_shows(name):
    assert SORT.validate_python(f"-metrics.{name}") == f"-metrics.{name}"
    assert METRIC.validate_python(f"{name}>=0.5") == f"{name}>=0.5"


@pytest.mark.parametrize(
    ("check", "text", "told"),
    [
        (SORT, "metrics.roc_auc", 'no metric "roc_auc"; use one of accuracy, f1, log_loss, mae'),
        (SORT, "-metrics.rsme", 'no metric "rsme"; did you mean "rmse"?'),
        (METRIC, "roc_auc>0.9", 'no metric "roc_auc"; use one of accuracy, f1, log_loss, mae'),
        (METRIC, "acuracy>0.9", 'no metric "acuracy"; did you mean "accuracy"?'),
    ],
)
def test_a_metric_that_no_entry_has_is_refused_and_finds_not_just_nothing(check, text, told):
    with pytest.raises(ValidationError, match=told.replace("?", r"\?")):
        check.validate_python(text)
