"""What one names is what one gets: estimators, their parameters, and classifiers of labels only."""

import json
from typing import Any

import httpx2
import pika
import pytest
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import train_test_split

from app.amqp.topology import TRAIN_QUEUE
from devstack.demo import TRAIN
from tests.system.conftest import Running
from tests.system.support.amqp import DIRECT, RpcClient
from tests.system.support.client import job, predict, reached, train, trained, upload

WINE = {"dataset_id": "wine", "features": ["alcohol", "hue", "proline"], "target": "target"}
SCALED = {"dataset_id": "wine", "features": ["alcohol", "hue"], "target": "target"}
JSON_LINES = {"Content-Type": "application/jsonlines", "Accept": "application/jsonlines"}


@pytest.fixture(scope="module")
def http(running: Running) -> httpx2.Client:
    upload(running.http)
    frame = load_wine(as_frame=True).frame
    upload(running.http, "wine", frame.to_csv(index=False))
    named = frame.assign(target=frame.target.map({0: "red", 1: "white", 2: "rosé"}))
    upload(running.http, "named", named.to_csv(index=False))
    return running.http


@pytest.fixture(scope="module")
def machine(http: httpx2.Client) -> str:
    """A classifier without probabilities, whose labels are numbers."""
    return trained(http, **SCALED, estimator="SVC")


def model(http: httpx2.Client, model_id: str) -> dict[str, Any]:
    return dict(http.get(f"/models/{model_id}").json())


def failure(http: httpx2.Client, **asked: Any) -> dict[str, Any]:
    """The problem of a training, at once or in its job."""
    answer = http.post("/train", json=asked)
    if answer.status_code == 422:
        return dict(answer.json())
    return dict(reached(http, answer.json()["message"]["model_id"], "TASK_ERROR")["error"])


def test_a_named_estimator_is_scikit_learns(http: httpx2.Client) -> None:
    data = load_diabetes(as_frame=True).frame
    split = train_test_split(
        data[TRAIN["features"]], data["target"], test_size=100, random_state=42
    )
    x_train, x_test, y_train, y_test = split
    plain = RandomForestRegressor(random_state=42).fit(x_train.to_numpy(), y_train)

    found = model(http, trained(http, estimator="RandomForestRegressor", test_size=100))

    assert found["estimator"] == "random_forest_regressor"
    assert found["params"] == plain.get_params()
    assert (found["rows"]["train"], found["rows"]["test"]) == (342, 100)
    rmse = root_mean_squared_error(y_test, plain.predict(x_test.to_numpy()))
    assert found["metrics"]["rmse"] == pytest.approx(rmse, rel=1e-9)


def test_a_request_that_names_nothing_shows_what_it_means(http: httpx2.Client) -> None:
    model_id = trained(http)

    assert job(http, model_id)["request"].get("estimator") is None
    assert job(http, model_id)["request"].get("params") is None
    found = model(http, model_id)
    assert (found["estimator"], found["params"]["max_depth"]) == ("random_forest_regressor", 3)


@pytest.mark.parametrize(
    ("message", "depth"),
    [
        ({"estimator": "random_forest_regressor", "params": {"n_estimators": 5}}, None),
        (
            {
                "estimator": "random_forest_regressor",
                "params": {"n_estimators": 5},
                "test_size": 0.2,
            },
            3,
        ),
    ],
    ids=["a client's", "an older producer's"],
)
def test_a_message_keeps_the_defaults_of_who_wrote_it(
    http: httpx2.Client, connection: pika.BlockingConnection, message: dict[str, Any], depth: int
) -> None:
    client = RpcClient(connection, DIRECT)
    _, completed = client.call(TRAIN_QUEUE, {**TRAIN, **message}, count=2)

    params = model(http, completed["model_id"])["params"]
    assert (params["n_estimators"], params["max_depth"]) == (5, depth)


def test_a_classifier_without_probabilities_answers_labels(
    http: httpx2.Client, machine: str
) -> None:
    row = {"alcohol": 13.0, "hue": 1.0}

    assert model(http, machine)["metrics"].keys() == {"accuracy", "f1"}
    answer = predict(http, machine, row)
    assert answer["prediction"] in (0, 1, 2)
    assert answer["pred_proba"] is None
    both = predict(http, machine, [row, row])
    assert both["prediction"] == [answer["prediction"]] * 2
    assert both["pred_proba"] == [None, None]

    target = {"X-Amzn-SageMaker-Custom-Attributes": f"model_id={machine}"}
    as_json = http.post("/invocations", json=row, headers=target)
    assert (as_json.json()["prediction"], as_json.json()["pred_proba"]) == (
        answer["prediction"],
        None,
    )
    lines = http.post("/invocations", content=json.dumps(row), headers={**JSON_LINES, **target})
    assert lines.json() == {"prediction": answer["prediction"], "pred_proba": None}
    csv = {"Content-Type": "text/csv", "Accept": "text/csv", **target}
    assert http.post("/invocations", content="13.0,1.0\n", headers=csv).text == (
        f"{answer['prediction']}\n"
    )


def test_only_a_vote_counts_labels_without_probabilities(http: httpx2.Client, machine: str) -> None:
    sure = trained(http, **SCALED, estimator="svm_classifier", calibrate="sigmoid")
    asked = {"model_ids": [machine, sure], "input_data": {"alcohol": 13.0, "hue": 1.0}}

    def combined(how: str) -> dict[str, Any]:
        answer = http.post("/predict/parallel", json={**asked, "combine": how})
        return dict(answer.json()["message"]["combined"])

    for how in ("mean", "max_proba"):
        refused = combined(how)["error"]
        assert refused["field"] == "combine"
        assert f"model {machine} has no probabilities" in refused["detail"]
    assert sum(combined("vote")["votes"].values()) == 2
    assert sum(predict(http, sure, asked["input_data"])["pred_proba"].values()) == pytest.approx(1)
    assert "log_loss" in model(http, sure)["metrics"]
    for each, how in ((machine, None), (sure, "sigmoid")):
        assert model(http, each)["calibrate"] == job(http, each)["calibrate"] == how


def test_weights_by_label_change_what_is_learnt(http: httpx2.Client) -> None:
    asked = {**SCALED, "dataset_id": "named", "estimator": "logistic_regression"}
    rows = [{"alcohol": 12 + step / 10, "hue": 1.0} for step in range(20)]

    def answered(**params: Any) -> tuple[dict[str, Any], list[str]]:
        model_id = trained(http, **asked, params=params)
        return model(http, model_id)["params"], predict(http, model_id, rows)["prediction"]

    _, plain = answered()
    weights = {"rosé": 50, "red": 1.5}
    params, weighted = answered(class_weight=weights)

    assert weighted.count("rosé") > plain.count("rosé")
    assert params["class_weight"] == weights
    error = failure(http, **asked, params={"class_weight": {"2": 50}})
    assert error["field"] == "params.class_weight"
    assert error["detail"].endswith('"2" is no label; there are red, rosé, white')


def test_a_warning_of_scikit_learn_is_kept_in_job_and_model(http: httpx2.Client) -> None:
    model_id = trained(http, **WINE, estimator="logistic_regression", params={"max_iter": 2})

    for shown in (job(http, model_id), model(http, model_id)):
        (warning,) = [each for each in shown["warnings"] if each["type"] == "ConvergenceWarning"]
        assert warning["field"] == "params.max_iter"
        assert "raise max_iter" in warning["detail"]


def test_the_progress_of_an_estimator_that_reports_none_is_null(http: httpx2.Client) -> None:
    model_id = train(http, estimator="svm_regressor", params={"C": 10})

    while (shown := job(http, model_id))["state"] != "TASK_COMPLETED":
        assert shown["progress"] is shown["seconds_left"] is None
    assert (shown["progress"], shown["seconds_left"]) == (1.0, None)
