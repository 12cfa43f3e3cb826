"""What jobs tell and what /predict answers over HTTP are what plain scikit-learn gives."""

from pathlib import Path
from typing import Any

import pytest

from tests.support import datasets, plain, served
from tests.system.conftest import Running
from tests.system.support.client import predict, reached, train, upload

# The data set, the target, the estimator and its parameters, and the runtime that answers.
CASES = [
    ("sklearn.diabetes", "target", "hist_gradient_boosting_regressor", {}, "onnx"),
    ("vega_datasets.cars", "Miles_per_Gallon", "random_forest_regressor", {}, "onnx"),
    ("vega_datasets.barley", "yield", "ridge", {"alpha": 0.1}, "onnx"),
    ("sklearn.wine", "target", "knn_classifier", {"weights": "distance"}, "scikit-learn"),
    ("vega_datasets.barley", "site", "svm_classifier", {"probability": True}, "scikit-learn"),
]


@pytest.mark.parametrize(("name", "target", "estimator", "params", "runtime"), CASES)
def test_the_metrics_of_the_job_and_all_answers_are_those_of_scikit_learn(
    name: str,
    target: str,
    estimator: str,
    params: dict[str, Any],
    runtime: str,
    running: Running,
    tmp_path: Path,
) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(datasets.csv(name))
    features = datasets.DATA_SETS[name].features(target)
    expected = plain.train(path, features, target, plain.build(estimator, params))
    upload(running.http, name, path.read_text())

    model_id = train(
        running.http,
        dataset_id=name,
        features=features,
        target=target,
        estimator=plain.ESTIMATORS[estimator].__name__,
        params=params,
    )

    job = reached(running.http, model_id, "TASK_COMPLETED")
    assert (job["estimator"], job["runtime"]) == (estimator, runtime)
    assert job["metrics"] == pytest.approx(expected.metrics, rel=1e-9, abs=1e-9)
    answer = predict(running.http, model_id, served.rows_of(expected.test))
    answers = [
        {"prediction": each, "pred_proba": share}
        for each, share in zip(answer["prediction"], answer["pred_proba"], strict=True)
    ]
    served.assert_same_answers(answers, expected, served.bound_of(estimator, runtime))
