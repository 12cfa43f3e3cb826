"""Each number of an evaluation is that of scikit-learn, to 1e-12."""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from app.models.evaluation import EVALUATION_FILE, Evaluation
from app.training.pipeline import fit_pipeline
from app.training.training_data import read_training_data
from tests.support import datasets, frames, plain
from tests.support.plain_evaluation import PlainModel, assert_equal

# The data set, the target, the estimator and its params.
CASES: list[tuple[str, str, str, dict[str, Any]]] = [
    ("sklearn.diabetes", "target", "random_forest_regressor", {"n_estimators": 20}),
    ("sklearn.diabetes", "target", "ridge", {}),
    ("vega_datasets.cars", "Miles_per_Gallon", "hist_gradient_boosting_regressor", {}),
    ("vega_datasets.barley", "yield", "linear_regression", {}),
    ("vega_datasets.barley", "yield", "knn_regressor", {}),
    ("sklearn.breast_cancer", "target", "random_forest_classifier", {"n_estimators": 20}),
    ("sklearn.wine", "target", "knn_classifier", {}),
    ("sklearn.iris", "target", "logistic_regression", {"max_iter": 1000}),
    ("vega_datasets.barley", "site", "hist_gradient_boosting_classifier", {"max_iter": 5}),
    ("vega_datasets.cars", "Origin", "svm_classifier", {}),
]
IDS = [f"{name}-{estimator}" for name, _, estimator, _ in CASES]


@cache
def compared(case: int) -> tuple[dict[str, Any], PlainModel]:
    """The evaluation of a training, and the same model by plain scikit-learn."""
    name, target, estimator, params = CASES[case]
    features = datasets.DATA_SETS[name].features(target)
    asked = frames.request(features, target=target, estimator=estimator, params=params)
    with TemporaryDirectory() as folder:
        path = Path(folder, "data.csv")
        path.write_bytes(datasets.csv(name))
        data = read_training_data(str(path), asked)
        fit_pipeline(data, asked, "m", Path(folder), clock=lambda: 0.0)  # with time for all
        found = json.loads(Path(folder, EVALUATION_FILE).read_text(), parse_constant=pytest.fail)
        return found, PlainModel(path, features, target, plain.build(estimator, params))


every = pytest.mark.parametrize("case", range(len(CASES)), ids=IDS)


@every
def test_the_scores_of_test_rows_training_rows_and_baseline(case: int) -> None:
    found, model = compared(case)

    assert found["test_scores"].keys() == model.test_scores().keys()
    assert_equal(found["test_scores"], model.test_scores())
    train = model.scores(model.pipeline, model.x_train, model.y_train)
    assert found["train_scores"].keys() == train.keys()
    assert_equal(found["train_scores"], train)
    assert_equal(found["baseline"], model.baseline())
    assert found["rows"] | {"dropped": 0} == {
        "train": len(model.y_train),
        "test": len(model.y_test),
        "dropped": 0,
    }


@every
def test_points_and_residuals_or_classes_and_curves(case: int) -> None:
    found, model = compared(case)

    if model.classifies:
        assert found["regression"] is None
        assert assert_equal(found["classification"], model.classification()) > 20
    else:
        assert found["classification"] is None
        assert assert_equal(found["regression"], model.regression()) > 60


@every
def test_the_importance_of_each_feature(case: int) -> None:
    found, model = compared(case)

    importance = found["importance"]
    assert importance["measured_on"] == "test"
    assert importance["rows"] == len(model.y_test)
    means = [each["mean"] for each in importance["features"]]
    assert means == sorted(means, reverse=True)
    expected = model.importance(importance["repeats"])
    assert_equal(sorted(importance["features"], key=lambda each: each["feature"]), expected)


@every
def test_the_partial_dependence_of_the_strongest_features(case: int) -> None:
    found, model = compared(case)

    shown = found["partial_dependence"]
    if not hasattr(model.pipeline, "predict_proba") and model.classifies:
        assert shown == []
        assert found["notes"][-1]["part"] == "partial_dependence"
        return
    assert shown
    strongest = [each["feature"] for each in found["importance"]["features"][:4]]
    assert [each["feature"] for each in shown] == strongest[: len(shown)]
    for each in shown:
        if model.x_test[each["feature"]].isna().any():
            continue  # scikit-learn has no grid of a column with missing values
        assert_equal(each, model.dependence(each["feature"]), each["feature"])
        assert each["rows"] == len(model.y_test)


@every
def test_the_coefficients_of_linear_models(case: int) -> None:
    found, model = compared(case)

    estimator = model.pipeline[-1]
    if not hasattr(estimator, "coef_"):
        assert found["coefficients"] is None
        return
    prefixed = model.pipeline[:-1].get_feature_names_out()
    names = [name.partition("__")[2] for name in prefixed]
    rows = estimator.coef_.reshape(-1, len(names))
    assert found["coefficients"]["labels"] == (
        model.pipeline.classes_.tolist() if model.classifies else None
    )
    for values, expected in zip(found["coefficients"]["values"], rows, strict=True):
        by_name = dict(zip(found["coefficients"]["columns"], values, strict=True))
        assert by_name == pytest.approx(dict(zip(names, expected, strict=True)), abs=1e-12)
    intercepts = estimator.intercept_.reshape(-1).tolist()
    assert found["coefficients"]["intercepts"] == pytest.approx(intercepts, abs=1e-12)


@every
def test_the_document_fits_its_schema_and_tells_the_data_and_the_time(case: int) -> None:
    found, _ = compared(case)

    Evaluation.model_validate(found)
    name, target, _, _ = CASES[case]
    columns = [each["name"] for each in found["data"]["columns"]]
    assert columns == [*datasets.DATA_SETS[name].features(target), target]
    assert found["data"]["rows"] == sum(found["rows"][part] for part in ("train", "test"))
    assert len(found["data"]["sha256"]) == 64
    assert {"read", "split", "fit", "export", "evaluation", "importance"} <= found["phases"].keys()
    assert all(seconds >= 0 for seconds in found["phases"].values())
    assert found["versions"].keys() >= {"sklearn", "numpy"}
