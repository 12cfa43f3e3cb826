"""The comparison of two versions on the rows that tested the first one."""

from typing import Any

import pytest

from app.models.manifest import TrainedManifest
from app.models.promotion import TrainedVersion, compare
from app.protocol.training_request import TrainRequest

MANIFEST: dict[str, Any] = {
    "model_id": "m",
    "dataset_id": "d",
    "dataset_version": "abc",
    "task": "regression",
    "estimator": "ridge",
    "params": {},
    "features": [],
    "target": "t",
    "labels": None,
    "rows": {"train": 80, "test": 20, "dropped": 0},
    "metrics": {"r2": 0.5, "rmse": 3.0},
    "parity": None,
    "versions": {},
}
REQUEST: dict[str, Any] = {"dataset_id": "d", "features": ["a"], "target": "t"}


def made(version: int, asks: dict[str, Any] | None = None, **manifest: Any) -> TrainedVersion:
    asked = TrainRequest.model_validate(REQUEST | (asks or {}))
    return TrainedVersion(version, asked, TrainedManifest.model_validate(MANIFEST | manifest))


CHAMPION = made(1)


@pytest.mark.parametrize(
    ("metric", "value", "worse"),
    [
        *[("r2", 0.4, True), ("r2", 0.6, False), ("r2", 0.5, False)],
        *[("rmse", 4.0, True), ("rmse", 2.0, False), ("rmse", 3.0, False)],
    ],
)
def test_a_challenger_is_worse_or_not(metric: str, value: float, worse: bool) -> None:
    found = compare(metric, CHAMPION, made(2, metrics={metric: value}))

    assert found == {
        "metric": metric,
        "versions": {"champion": 1, "challenger": 2},
        "champion": MANIFEST["metrics"][metric],
        "challenger": value,
        "test_rows": 20,
        "dataset_id": "d",
        "dataset_version": "abc",
        "worse": worse,
    }


def test_of_folds_only_the_metrics_of_the_test_rows_count() -> None:
    scores = {"r2": {"mean": 0.9, "std": 0.0, "folds": [0.9, 0.9]}}
    folds = made(2, metrics={"r2": 0.9}, cross_validation=scores, test_metrics={"r2": 0.4})

    assert compare("r2", CHAMPION, folds)["challenger"] == 0.4


@pytest.mark.parametrize(
    ("challenger", "differs"),
    [
        (made(2, dataset_version="def"), "its version"),
        (made(2, dataset_id="other"), "the data set"),
        (made(2, {"target": "u"}), "target"),
        (made(2, {"split": {"random_state": 1}}), "split"),
        (made(2, {"test_size": 0.5}), "split"),
        (made(2, task="classification", labels=["a", "b"]), "the task"),
        (made(2, {"types": {"t": "number"}}), "types"),
        (made(2, rows={"train": 80, "test": 21}), "the number of test rows"),
    ],
)
def test_a_challenger_that_other_rows_tested_is_not_compared(
    challenger: TrainedVersion, differs: str
) -> None:
    found = compare("r2", CHAMPION, challenger)

    assert found["reason"] == (
        f"version 2 was not tested on the rows that tested version 1: they differ in {differs}"
    )
    assert "worse" not in found


def test_the_test_rows_do_not_depend_on_what_is_fitted() -> None:
    asked = {
        "features": ["b"],
        "estimator": "random_forest_regressor",
        "types": {"b": "category"},
        "tags": ["x"],
    }

    assert compare("r2", CHAMPION, made(2, asked))["worse"] is False


def test_a_split_of_chance_is_not_compared() -> None:
    asked = {"split": {"random_state": None}}

    found = compare("r2", made(1, asked), made(2, asked))

    assert found["reason"].endswith("they differ in split, whose random_state is null")


def test_a_metric_that_one_lacks_is_told() -> None:
    found = compare("accuracy", CHAMPION, made(2))

    assert found["reason"] == "version 1 has no accuracy on test rows; it has r2, rmse"
