import numpy as np
import pytest

from app.evaluation.budget import Budget
from app.evaluation.feature_columns import feature_columns
from app.evaluation.partial_dependence import partial_dependence
from app.inference.runtime import Answers
from tests.support import frames

RANDOM = np.random.default_rng(6)


def run(inputs):
    return Answers(np.nan_to_num(inputs["number"][:, 0]) * 2, None)


def shown(kind, values, labels=None, answer=run, budget=None):
    """The dependence on a feature with these values, beside a second one."""
    features = [{"name": "a", "type": kind}, {"name": "b", "type": "number"}]
    columns = feature_columns(frames.manifest(features=features))
    others = RANDOM.normal(size=(len(values), 1))
    if kind in ("text", "category"):
        inputs = {"number": others, "text": np.array(values, object)[:, None]}
    else:
        inputs = {"number": np.c_[np.array(values, float), others]}
    budget = budget or Budget(1000.0)
    return partial_dependence(answer, inputs, columns[:1], labels, budget)


@pytest.mark.parametrize(
    ("kind", "values", "grid"),
    [
        ("number", [3, 1, 2, 2, np.nan], [1.0, 2.0, 3.0]),
        ("boolean", [1, 0, np.nan, 1], [False, True]),
        ("date", [0, 1.5, 1], ["1970-01-01", "1970-01-02", "1970-01-02T12:00:00Z"]),
        ("text", ["b", "a", "", "b"], ["", "a", "b"]),
        ("number", [0.0] * 2000 + list(range(1, 41)), np.linspace(0, 40, 20).round().tolist()),
    ],
)
def test_the_grid_has_values_of_the_feature(kind, values, grid):
    (found,) = shown(kind, values)

    if len(values) > 1000:  # of which a sample is taken
        assert (found.grid[0], found.rows) == (0.0, 1000)
        assert set(found.grid) <= set(values)
        return
    assert found.grid == grid
    assert found.labels is None
    if kind == "number":
        assert found.values == [[2 * value for value in grid]]


def test_the_grid_of_many_numbers_lies_between_two_quantiles():
    (found,) = shown("number", np.arange(101.0))

    assert len(found.grid) == 20
    assert 0 < found.grid[0] < 6
    assert np.diff(found.grid) == pytest.approx(np.diff(found.grid)[0])


def test_of_many_texts_the_most_frequent_are_asked_about():
    texts = [f"t{n:02}" for n in range(40)] + [f"t{n:02}" for n in range(15, 35)]

    (found,) = shown("category", texts)

    assert found.grid == [f"t{n:02}" for n in range(15, 35)]


@pytest.mark.parametrize("values", [[1, 1, 1], [np.nan, 4, 4], [np.nan, np.nan]])
def test_a_feature_with_one_value_is_left_out(values):
    assert shown("number", values) == []


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([False, True], [True]),
        (["a", "b", "c"], ["a", "b", "c"]),
        (list(range(30)), list(range(20))),
    ],
)
def test_a_classifier_has_the_mean_probability_of_each_label(labels, expected):
    share = np.arange(1.0, len(labels) + 1) / sum(range(1, len(labels) + 1))

    def answer(inputs):
        rows = len(inputs["number"])
        return Answers(np.zeros(rows, int), np.tile(share, (rows, 1)))

    (found,) = shown("number", [1, 2], labels, answer)

    assert found.labels == expected
    means = [share[labels.index(label)] for label in expected]
    assert found.values == [pytest.approx([mean] * 2) for mean in means]


def test_without_time_a_feature_is_left_out():
    times = iter(range(100))

    assert shown("number", np.arange(2000.0), budget=Budget(0.0, lambda: next(times))) == []
