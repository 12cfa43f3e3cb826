"""Which estimator is fitted where a request names none."""

from typing import Any

import pytest

from app import errors
from app.training.training_data import TrainingData
from tests.support import frames


def read(*cells: str, **asked: Any) -> TrainingData:
    rows = "".join(f"{n},{cell}\n" for n, cell in enumerate(cells * 30))
    return frames.read(f"a,target\n{rows}", frames.request(["a"], **asked))


@pytest.mark.parametrize(
    ("cells", "asked", "labels"),
    [
        (["low", "high", ""], {}, ["high", "low"]),
        (["True", "False"], {}, [False, True]),
        (["True", "yes"], {"params": {"n_estimators": 5}}, ["True", "yes"]),
        (["1", "2"], {"types": {"target": {"type": "text"}}}, ["1", "2"]),
        (["1", "2.0"], {"types": {"target": {"type": "category"}}}, ["1", "2"]),
        (["yes", "no"], {"types": {"target": {"type": "boolean"}}}, [False, True]),
    ],
)
def test_a_target_of_classes_implies_a_classifier(
    cells: list[str], asked: dict[str, Any], labels: list[Any]
) -> None:
    found = read(*cells, **asked)
    assert found.estimator == "random_forest_classifier"
    assert found.target.labels == labels
    (warning,) = [each for each in found.warnings if each.type == "classifier_chosen"]
    assert warning.field == "estimator"
    assert "random_forest_classifier was fitted" in warning.detail


@pytest.mark.parametrize(
    ("cells", "asked"),
    [
        (["0", "1"], {}),
        (["0.5", "7"], {}),
        (["2025-01-01", "2025-01-02"], {"types": {"target": {"type": "date"}}}),
        (["low", "high"], {"estimator": "logistic_regression"}),
    ],
)
def test_other_targets_imply_nothing(cells: list[str], asked: dict[str, Any]) -> None:
    found = read(*cells, **asked)
    assert found.estimator is None
    assert "classifier_chosen" not in [each.type for each in found.warnings]


@pytest.mark.parametrize(
    ("cells", "asked"),
    [
        (["1", "2", "A"], {}),
        (['"$1,200"', "$900"], {}),
        ([f"text {n}" for n in range(1100)], {}),
        (["low", "high"], {"target_transform": "log1p"}),
        (["low", "high"], {"estimator": "ridge"}),
    ],
)
def test_what_may_be_numbers_is_not_settled(cells: list[str], asked: dict[str, Any]) -> None:
    with pytest.raises(errors.BadData, match="choose a classifier"):
        read(*cells, **asked)


def test_a_single_class_is_told() -> None:
    with pytest.raises(errors.BadData, match="has 1 class; a classifier needs two"):
        read("low")
