"""How well a producer meets its objectives, by the buckets that it has counted."""

import pytest

from app.observability.metrics import catalogue
from app.producer.ui.formats import share
from app.producer.ui.objectives import QUICK_SECONDS, Rate, objectives

BOUNDS = (0.05, 0.1, 0.25)


def test_the_bound_is_a_bucket_of_the_metric() -> None:
    assert QUICK_SECONDS in catalogue.HTTP.bounds


def test_other_routes_do_not_count_and_refusals_are_answers() -> None:
    found = objectives(
        {
            ("/predict", "POST", "200"): ([90, 5, 3, 2], 1.0),
            ("/predict", "POST", "422"): ([99, 0, 0, 0], 1.0),
            ("/predict", "POST", "503"): ([0, 0, 0, 1], 1.0),
            ("/predict", "OPTIONS", "500"): ([1, 0, 0, 0], 1.0),
            ("/train", "POST", "500"): ([1, 0, 0, 0], 1.0),
        },
        BOUNDS,
    )

    assert found.requests == 200
    assert [each.reached for each in found.each] == [pytest.approx(0.995), 0.95]
    assert [each.met for each in found.each] == [False, False]


def test_without_a_request_nothing_is_missed() -> None:
    found = objectives({}, BOUNDS)

    assert found.requests == 0
    assert [(each.reached, each.met) for each in found.each] == [(None, True)] * 2


def test_a_rate_is_that_of_the_last_minute() -> None:
    rate = Rate()

    assert rate.look(0.0, 1000) is None
    assert rate.look(10.0, 1050) == 5.0
    assert rate.look(61.0, 1100) == pytest.approx(50 / 51)  # since the look at 10 s
    assert rate.look(300.0, 1200) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (1.0, "100 %"),
        (0.99999, "99.99 %"),
        (0.57, "57 %"),
        (5e-05, "< 0.01 %"),
        (0.0, "0 %"),
    ],
)
def test_a_share_is_rounded_down(value: float | None, text: str) -> None:
    assert share(value) == text
