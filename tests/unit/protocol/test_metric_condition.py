import pytest

from app.protocol.metric_condition import MetricCondition


@pytest.mark.parametrize(
    ("text", "holding", "failing"),
    [
        ("r2>=0.4", 0.4, 0.3),
        ("r2<=0.4", 0.4, 0.5),
        ("rmse>-1e3", 0.0, -1000.0),
        ("f1_macro<1", 0.5, 1.0),
    ],
)
def test_a_condition_bounds_a_metric(text, holding, failing):
    condition = MetricCondition.parse(text)

    assert condition.holds(holding)
    assert not condition.holds(failing)


@pytest.mark.parametrize(
    "text",
    ["", "r2", "r2=1", "r2>=", "r2>=x", "r2>nan", "r2<inf", "R2>1", '"x>1', "r2 > 1 and", None, 7],
)
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(ValueError, match=r"r2>=0\.4"):
        MetricCondition.parse(text)
