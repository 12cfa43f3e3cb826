import numpy as np
import pytest

from app.evaluation.budget import Budget
from app.evaluation.feature_columns import feature_columns
from app.evaluation.importance import measure_importance
from app.inference.runtime import Answers
from tests.support import frames

FEATURES = [
    {"name": "a", "type": "number"},
    {"name": "b", "type": "text"},
    {"name": "c", "type": "number"},
]


class Sum:
    """Answers 10 a + b; 100 rows take a second."""

    def __init__(self):
        self.seconds = 0.0

    def __call__(self, inputs):
        self.seconds += len(inputs["number"]) / 100
        return Answers(10 * inputs["number"][:, 0] + (inputs["text"][:, 0] == "x"), None)


def measured(rows, seconds, **changes):
    random = np.random.default_rng(5)
    inputs = {
        "number": random.normal(size=(rows, 2)),
        "text": random.choice(["x", ""], size=(rows, 1)).astype(object),
    }
    model = Sum()
    y = model(inputs).predicted
    columns = feature_columns(frames.manifest(features=FEATURES))
    model.seconds = 0.0
    budget = Budget(10 * seconds, lambda: model.seconds)
    options = {"classifies": False, "measured_on": "test", **changes}
    return measure_importance(model, inputs, y, columns, budget, **options)


def test_the_feature_that_decides_is_the_first():
    found = measured(1000, 1000)

    assert [each.feature for each in found.features] == ["a", "b", "c"]
    assert found.features[0].mean > 1.5
    assert (found.features[2].mean, found.features[2].std) == (0, 0)
    assert (found.score, found.base, found.repeats, found.rows) == ("r2", 1.0, 5, 1000)


# A hundred rows are taken at least; the trial and the base take a second each.
@pytest.mark.parametrize(
    ("seconds", "repeats", "features"), [(3, 1, 1), (5.5, 1, 3), (7, 1, 3), (8.5, 2, 3), (18, 5, 3)]
)
def test_the_time_decides_over_the_rounds_and_then_over_the_features(seconds, repeats, features):
    found = measured(150, seconds + 0.1)

    assert (found.repeats, len(found.features)) == (repeats, features)


def test_nothing_is_measured_without_time_or_rows():
    assert measured(150, 1.9) is None
    assert measured(1, 1000) is None


def test_slow_models_are_asked_about_fewer_rows():
    assert measured(5000, 33).rows == 160
