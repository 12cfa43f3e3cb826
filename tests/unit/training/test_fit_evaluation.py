"""The evaluation of trainings that cross-validate, refit or test nothing."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.metrics import accuracy_score, confusion_matrix, r2_score, root_mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict, train_test_split

from app.models.evaluation import EVALUATION_FILE, Evaluation
from app.models.manifest import TrainedManifest
from app.protocol.training_request import TrainRequest
from app.training.pipeline import fit_pipeline
from tests.support import frames
from tests.support.plain_evaluation import assert_equal

PARAMS = {"n_estimators": 5, "random_state": 42}
MODELS = {
    "extra_trees_regressor": ExtraTreesRegressor,
    "extra_trees_classifier": ExtraTreesClassifier,
}


def evaluated(estimator: str, **options: Any) -> tuple[dict[str, Any], TrainedManifest, Any, Any]:
    """The evaluation and the manifest of a training, its features and its targets."""
    data = frames.frame("numeric", estimator)
    if estimator.endswith("classifier"):
        data["target"] = np.digitize(data["b"], [-0.5, 0.5])
    asked = frames.request(
        frames.features(data), estimator=estimator, params={"n_estimators": 5}, **options
    )
    with TemporaryDirectory() as folder:
        read = frames.through_csv(data, asked, Path(folder))
        manifest, _ = fit_pipeline(read, asked, "m", Path(folder))
        found = json.loads(Path(folder, EVALUATION_FILE).read_text())
    Evaluation.model_validate(found)
    return found, manifest, read.frame.to_numpy(), read.target.y


def test_the_folds_of_a_regressor_are_those_of_cross_val_predict() -> None:
    found, manifest, x, y = evaluated("extra_trees_regressor", cv=3)

    folds = KFold(3, shuffle=True, random_state=42)
    predicted = cross_val_predict(ExtraTreesRegressor(**PARAMS), x, y, cv=folds)
    assert found["tested_on"] == "folds"
    assert_equal(found["test_scores"]["rmse"], root_mean_squared_error(y, predicted))
    assert found["regression"]["rows"] == len(y)
    order = np.argsort(found["regression"]["actual"])
    assert_equal(np.array(found["regression"]["predicted"])[order], predicted[np.argsort(y)])
    assert manifest.cross_validation is not None
    assert found["cross_validation"]["rmse"] == manifest.cross_validation["rmse"].model_dump()
    assert found["importance"]["measured_on"] == "train"
    trained = ExtraTreesRegressor(**PARAMS).fit(x, y)
    assert_equal(found["train_scores"]["r2"], r2_score(y, trained.predict(x)))


@pytest.mark.parametrize("cv", [3, {"folds": 3, "repeats": 2}])
def test_the_folds_of_a_classifier_are_those_of_the_first_repeat(cv: Any) -> None:
    found, _, x, y = evaluated("extra_trees_classifier", cv=cv)

    assert found["classification"]["rows"] == len(y)
    assert found["classification"]["labels"] == [0, 1, 2]
    assert sum(map(sum, found["classification"]["confusion"])) == len(y)
    if cv != 3:
        return  # the seeds of repeats are scikit-learn's own
    folds = StratifiedKFold(3, shuffle=True, random_state=42)
    predicted = cross_val_predict(ExtraTreesClassifier(**PARAMS), x, y, cv=folds)
    assert_equal(found["classification"]["confusion"], confusion_matrix(y, predicted))
    assert_equal(found["test_scores"]["accuracy"], accuracy_score(y, predicted))


def test_a_model_that_is_fitted_again_is_scored_before_that() -> None:
    found, _, x, y = evaluated("extra_trees_regressor", refit=True)

    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=42)
    predicted = ExtraTreesRegressor(**PARAMS).fit(x_train, y_train).predict(x_test)
    assert found["tested_on"] == "test"
    assert_equal(found["test_scores"]["r2"], r2_score(y_test, predicted))
    assert found["rows"]["train"] == len(y)
    assert found["importance"]["measured_on"] == "train"


@pytest.mark.parametrize("estimator", MODELS)
def test_rows_that_no_fold_has_measure_the_importance_of_features(estimator: str) -> None:
    alone, _, _, _ = evaluated(estimator, test_size=0.2)
    found, _, _, _ = evaluated(estimator, cv=3, test_size=0.2, refit=False)

    assert found["tested_on"] == "folds"
    assert found["importance"]["measured_on"] == "test"
    assert found["importance"] == alone["importance"]
    assert found["partial_dependence"] == alone["partial_dependence"]


def test_a_model_that_learns_from_all_rows_is_not_scored() -> None:
    found, _, x, y = evaluated("extra_trees_regressor", test_size=0)

    assert (found["tested_on"], found["test_scores"], found["baseline"]) == ("none", {}, None)
    trained = ExtraTreesRegressor(**PARAMS).fit(x, y)
    assert_equal(found["train_scores"]["r2"], r2_score(y, trained.predict(x)))


def test_an_evaluation_knows_dates_words_and_a_transformed_target() -> None:
    random = np.random.default_rng(3)
    days = pd.Series(pd.date_range("2024-01-01", periods=200).strftime("%Y-%m-%d"))
    words = random.choice(["good", "bad", "fair"], size=(200, 2))
    data = pd.DataFrame(
        {
            "day": days,
            "n": random.normal(size=200),
            "colour": random.choice(["red", "blue"], size=200),
            "review": [" ".join(each) for each in words],
        }
    )
    data["target"] = np.exp(data["n"]) + days.str[5:7].astype(int) + (words == "good").sum(axis=1)
    asked = frames.request(
        frames.features(data),
        estimator="ridge",
        types={"day": "date"},
        target_transform="log1p",
        preprocessing={"scaling": "standard", "dates": ["month"], "tfidf": ["review"]},
    )
    with TemporaryDirectory() as folder:
        read = frames.through_csv(data, asked, Path(folder))
        fit_pipeline(read, asked, "m", Path(folder), clock=lambda: 0.0)
        found = json.loads(Path(folder, EVALUATION_FILE).read_text())

    assert found["notes"] == []
    assert sorted(found["coefficients"]["columns"]) == [
        *("colour_blue", "colour_red", "day", "day.month", "n"),
        *("review_bad", "review_fair", "review_good"),
    ]
    assert {each["feature"] for each in found["importance"]["features"]} == {*data} - {"target"}
    by_feature = {each["feature"]: each for each in found["partial_dependence"]}
    assert by_feature["day"]["grid"][0].startswith("2024-01")
    assert by_feature["review"]["grid"][0] == "bad bad"
    assert found["test_scores"]["r2"] > 0.8


def test_an_isolation_forest_is_described_without_scores() -> None:
    data = frames.frame("numeric", "extra_trees_regressor")[["a", "b"]]
    asked = TrainRequest(
        dataset_id="data", estimator="isolation_forest", params={"n_estimators": 5}
    )
    with TemporaryDirectory() as folder:
        read = frames.through_csv(data, asked, Path(folder))
        fit_pipeline(read, asked, "m", Path(folder), clock=lambda: 0.0)
        found = json.loads(Path(folder, EVALUATION_FILE).read_text())

    Evaluation.model_validate(found)
    assert found["task"] == "anomalies"
    assert (found["tested_on"], found["test_scores"], found["train_scores"]) == ("none", {}, {})
    assert [each["name"] for each in found["data"]["columns"]] == ["a", "b"]
    assert {each["feature"] for each in found["partial_dependence"]} == {"a", "b"}
