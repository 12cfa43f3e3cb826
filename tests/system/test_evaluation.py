"""The evaluation of a model over HTTP."""

import json
from typing import Any

from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression
from sklearn.metrics import median_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import KFold, cross_val_predict, train_test_split

from app.models.evaluation import Evaluation
from devstack.demo import TRAIN
from tests.support import graphs
from tests.system.conftest import Running
from tests.system.support.client import RMSE, is_problem, train, trained, upload


def test_the_evaluation_of_the_reference_model(running: Running) -> None:
    upload(running.http)
    model_id = trained(running.http)

    answer = running.http.get(f"/models/{model_id}/evaluation")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    Evaluation.model_validate(found)
    assert found["model_id"] == model_id
    data = load_diabetes(as_frame=True).frame
    x_train, x_test, y_train, y_test = train_test_split(
        data[TRAIN["features"]], data["target"], test_size=0.2, random_state=42
    )
    model = RandomForestRegressor(max_depth=3, random_state=42).fit(x_train, y_train)
    predicted, scores = model.predict(x_test), found["test_scores"]
    assert round(scores["rmse"], 2) == RMSE
    assert abs(scores["median_absolute_error"] - median_absolute_error(y_test, predicted)) < 1e-9
    assert abs(found["train_scores"]["r2"] - r2_score(y_train, model.predict(x_train))) < 1e-9
    importance = found["importance"]
    measured = permutation_importance(
        model, x_test, y_test, n_repeats=importance["repeats"], random_state=42
    )
    expected = dict(zip(x_test.columns, measured.importances_mean, strict=True))
    for each in importance["features"]:
        assert abs(each["mean"] - expected[each["feature"]]) < 1e-9
    assert importance["rows"] == len(y_test)
    latest = running.http.get("/models/latest/evaluation", params={"dataset_id": "diabetes"})
    assert latest.json()["model_id"] == model_id


def test_the_same_evaluation_is_not_sent_again(running: Running) -> None:
    upload(running.http)
    path = f"/models/{trained(running.http)}/evaluation"

    tag = running.http.get(path).headers["etag"]

    assert running.http.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_a_model_without_an_evaluation_says_why(running: Running, s3: Any) -> None:
    unknown = is_problem(running.http.get("/models/nobody/evaluation"), 404)
    assert "nobody" in unknown["detail"]

    # Where all but the evaluation is stored, as by a version that kept none.
    upload(running.http)
    model_id = trained(running.http)
    bucket = running.stack.environment["S3_BUCKET_NAME"]
    (key,) = [
        each["Key"]
        for each in s3.list_objects_v2(Bucket=bucket)["Contents"]
        if each["Key"].endswith(f"{model_id}/1/evaluation.json")
    ]
    s3.delete_object(Bucket=bucket, Key=key)
    older = is_problem(running.http.get(f"/models/{model_id}/evaluation"), 409)
    assert older["field"] == "model_id"
    assert "train it again" in older["detail"]


def test_a_registered_model_has_no_evaluation(running: Running) -> None:
    files = {"model": ("model.onnx", graphs.linear())}
    manifest = {"manifest": json.dumps(graphs.LINEAR)}
    assert running.http.put("/models/linear", data=manifest, files=files).status_code == 201

    refused = is_problem(running.http.get("/models/linear/evaluation"), 409)

    assert refused["field"] == "model_id"
    assert "was registered" in refused["detail"]


def test_cross_validation_has_the_answers_of_its_folds(running: Running) -> None:
    upload(running.http)
    model_id = trained(running.http, cv=3, estimator="linear_regression")

    found = running.http.get(f"/models/{model_id}/evaluation").json()

    data = load_diabetes(as_frame=True).frame
    folds = KFold(3, shuffle=True, random_state=42)
    predicted = cross_val_predict(
        LinearRegression(), data[TRAIN["features"]], data["target"], cv=folds
    )
    rmse = root_mean_squared_error(data["target"], predicted)
    assert found["tested_on"] == "folds"
    assert abs(found["test_scores"]["rmse"] - rmse) < 1e-9
    means = running.http.get(f"/models/{model_id}").json()["cross_validation"]
    assert found["cross_validation"] == means
    assert {each["feature"] for each in found["importance"]["features"]} <= {*TRAIN["features"]}


def test_a_model_in_training_has_no_evaluation_yet(running: Running) -> None:
    upload(running.http)
    model_id = train(running.http, params={"n_estimators": 1_000_000})

    is_problem(running.http.get(f"/models/{model_id}/evaluation"), 409)
    assert running.http.delete(f"/jobs/{model_id}").status_code < 300
