"""Which fits a training consists of, by the rows that they learn and that test them."""

import numpy as np
import pytest

from app.training.fit_plan import plan_fits
from tests.support import frames


@pytest.mark.parametrize(
    ("asked", "folds", "measured", "published"),
    [
        ({}, [], None, (32, 8)),
        ({"test_size": 0}, [], None, (40, 0)),
        ({"refit": True}, [], (32, 8), (40, 0)),
        ({"cv": 4}, [(30, 10)] * 4, None, (40, 0)),
        ({"cv": {"folds": 2, "repeats": 3}}, [(20, 20)] * 6, None, (40, 0)),
        ({"cv": 4, "test_size": 8}, [(24, 8)] * 4, (32, 8), (40, 0)),
        ({"cv": 4, "test_size": 8, "refit": False}, [(24, 8)] * 4, None, (32, 8)),
        ({"cv": 4, "split": {"time": "day"}}, [(8, 8), (16, 8), (24, 8), (32, 8)], None, (40, 0)),
    ],
)
def test_the_fits_of_a_training(asked, folds, measured, published):
    rows = "".join(f"{n * 7 % 5},{n},{n % 9}.5\n" for n in range(40))
    request = frames.request(["a"], estimator="ridge", **asked)
    data = frames.read(f"a,day,target\n{rows}", request)

    plan = plan_fits(data, request)

    def sizes(split):
        assert not set(split.train) & set(split.test)
        return len(split.train), len(split.test)

    assert [sizes(fold) for fold in plan.folds] == folds
    assert (plan.measured and sizes(plan.measured)) == measured
    assert sizes(plan.published) == published
    assert plan.count == len(folds) + (measured is not None) + 1
    if published == (40, 0):
        assert plan.published.train.tolist() == np.arange(40).tolist()


@pytest.mark.parametrize(
    ("weights", "asked", "told"),
    [
        ((1, 0, 2), {}, ["blue"]),
        ((0, 0, 2), {"cv": 2}, ["red, blue"]),
        ((1, 1, 2), {}, []),
        ((1, 1, 2), {"test_size": 0}, []),
        ((1, 0, 2), {"refit": True}, ["blue"]),
    ],
)
def test_classes_whose_rows_all_have_the_weight_0_are_told(weights, asked, told):
    labels = ("red", "blue", "green")
    rows = "".join(f"{n},{weights[n % 3]},{labels[n % 3]}\n" for n in range(60))
    request = frames.request(
        ["a"], estimator="logistic_regression", sample_weight="weight", **asked
    )
    data = frames.read(f"a,weight,target\n{rows}", request)

    found = [each for each in plan_fits(data, request).warnings if each.field == "sample_weight"]

    assert [set(each.detail.rsplit(": ", 1)[1].split(", ")) for each in found] == [
        set(each.split(", ")) for each in told
    ]
