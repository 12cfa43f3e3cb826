"""Train and predict over HTTP: the promises of the README."""

import httpx2
import pytest

from devstack.demo import ROW, TRAIN
from tests.system.conftest import Running
from tests.system.support.client import (
    PREDICTION,
    RMSE,
    diabetes,
    is_problem,
    predict,
    reached,
    trained,
    upload,
)
from tests.system.support.processes import until

# The colour decides the kind; sizes and colours are missing here and there.
KINDS = {"red": "apple", "yellow": "lemon", "": "glass"}
FRUITS = "size,colour,ripe,kind\n" + "".join(
    f"{size if size % 5 else ''},{colour},{size % 2 == 0},{kind}\n"
    for size in range(40)
    for colour, kind in KINDS.items()
)


@pytest.fixture(scope="module")
def http(running: Running) -> httpx2.Client:
    return running.http


def test_the_reference_trains_to_its_error_and_predicts_its_value(http: httpx2.Client) -> None:
    uploaded = http.put("/datasets/diabetes", content=diabetes()).json()
    assert (uploaded["dataset_id"], uploaded["rows"]) == ("diabetes", 442)
    assert uploaded["columns"] == ["age", "sex", *TRAIN["features"][1:], "target"]

    accepted = http.post("/train", json=TRAIN)
    assert accepted.status_code == 202
    message = accepted.json()["message"]
    model_id = message["model_id"]
    assert message == {"status": "TASK_RECEIVED", "model_id": model_id}
    assert accepted.headers["location"] == f"/jobs/{model_id}"

    job = reached(http, model_id, "TASK_COMPLETED")
    assert job["metrics"]["rmse"] == pytest.approx(RMSE, abs=0.005)
    assert job["metrics"].keys() == {"rmse", "mae", "r2"}
    assert (job["attempt"], job["error"]) == (1, None)
    assert job["created_at"] <= job["started_at"] <= job["ended_at"]

    answer = http.post("/predict", json={"model_id": model_id, "input_data": ROW})
    assert answer.status_code == 200
    found = answer.json()["message"]
    assert (found["status"], found["model_id"]) == ("TASK_COMPLETED", model_id)
    assert found["prediction"] == pytest.approx(PREDICTION, abs=0.00005)
    assert found["pred_proba"] == found["prediction"]


def test_a_classifier_learns_from_text_and_gaps_and_answers_by_label(http: httpx2.Client) -> None:
    upload(http, "fruits", FRUITS)
    model_id = trained(
        http,
        dataset_id="fruits",
        features=["size", "colour", "ripe"],
        target="kind",
        estimator="random_forest_classifier",
    )
    for colour, kind in KINDS.items():
        row = {"size": None, "colour": colour or None, "ripe": True}
        answer = predict(http, model_id, row)
        assert answer["prediction"] == kind
        assert answer["pred_proba"].keys() == set(KINDS.values())
        assert max(answer["pred_proba"], key=answer["pred_proba"].get) == kind
        assert sum(answer["pred_proba"].values()) == pytest.approx(1, abs=1e-5)


def test_a_target_of_text_gets_a_classifier_if_no_estimator_is_named(http: httpx2.Client) -> None:
    upload(http, "fruits", FRUITS)
    columns = {"features": ["size", "colour"], "target": "kind"}
    model_id = trained(http, dataset_id="fruits", **columns, params={"n_estimators": 7})
    job = http.get(f"/jobs/{model_id}").json()
    assert (job["estimator"], job["params"]["n_estimators"]) == ("random_forest_classifier", 7)
    assert job["metrics"].keys() == {"accuracy", "f1", "log_loss"}
    assert [each["type"] for each in job["warnings"]] == ["classifier_chosen"]
    assert predict(http, model_id, {"size": 1, "colour": "red"})["prediction"] == "apple"


def test_a_list_of_rows_gets_a_list_of_answers_in_its_order(
    http: httpx2.Client, model_id: str
) -> None:
    rows = [{**ROW, "bmi": bmi} for bmi in (-0.09, 0.17, 0.0)]
    alone = [predict(http, model_id, row)["prediction"] for row in rows]
    assert len(set(alone)) == 3
    assert predict(http, model_id, rows)["prediction"] == pytest.approx(alone)


def test_latest_is_the_newest_model_of_a_data_set_or_of_all(
    http: httpx2.Client, model_id: str
) -> None:
    upload(http, "others")
    of_others = trained(http, dataset_id="others")

    def latest(**more: str) -> str:
        return str(predict(http, "latest", **more)["model_id"])

    until(lambda: latest() == of_others, "the newest model is the latest")
    assert latest(dataset_id="others") == of_others
    of_diabetes = latest(dataset_id="diabetes")
    assert http.get(f"/models/{of_diabetes}").json()["dataset_id"] == "diabetes"
    assert http.get("/models/latest").json()["model_id"] == of_others
    for path in ("/models/latest?", "/metadata?model_id=latest&", "/predict/test?model_id=latest&"):
        answer = http.get(f"{path}dataset_id=diabetes").json()
        assert answer.get("message", answer)["model_id"] == of_diabetes
        assert is_problem(http.get(f"{path}dataset_id=nothing"), 404)["field"] == "model_id"
    listed = http.get("/models", params={"dataset_id": "others"}).json()["models"]
    assert [each["model_id"] for each in listed] == [of_others]
    assert is_problem(http.get("/models?dataset=others"), 422)["field"] == "dataset"

    newer = trained(http)
    until(lambda: latest() == newer, "the newest model is the latest")
    until(lambda: latest(dataset_id="diabetes") == newer, "it is that of its data set too")
    assert latest(dataset_id="others") == of_others


def test_models_are_listed_newest_first_and_described(http: httpx2.Client, model_id: str) -> None:
    newer = trained(http, estimator="ridge", params={"alpha": 0.5})
    models = http.get("/models").json()["models"]
    ids = [model["model_id"] for model in models]
    assert ids.index(newer) < ids.index(model_id)
    assert models[ids.index(newer)]["estimator"] == "ridge"

    found = http.get(f"/models/{newer}").json()
    assert (found["model_id"], found["dataset_id"]) == (newer, "diabetes")
    assert (found["estimator"], found["params"]["alpha"]) == ("ridge", 0.5)
    assert [feature["name"] for feature in found["features"]] == TRAIN["features"]
    assert {feature["type"] for feature in found["features"]} == {"number"}
    assert found["target"] == "target"
    assert found["rows"] == {"train": 353, "test": 89, "dropped": 0}
    assert found["metrics"] == models[ids.index(newer)]["metrics"]
    assert found["parity"] < 1e-5
    job = http.get(f"/jobs/{newer}").json()
    for name in ("estimator", "params", "runtime", "runtime_reason", "parity", "warnings"):
        assert job[name] == found[name]
    for name in ("estimator", "runtime", "warnings"):
        assert models[ids.index(newer)][name] == found[name]


def test_data_sets_are_listed_with_their_sizes(http: httpx2.Client, model_id: str) -> None:
    upload(http, "tiny", "a,b\n1,2\n")
    sizes = {each["id"]: each["size"] for each in http.get("/datasets").json()["datasets"]}
    assert (sizes["tiny"], sizes["diabetes"]) == (8, len(diabetes()))


def test_a_data_set_of_the_same_name_is_replaced(http: httpx2.Client) -> None:
    upload(http, "again", "a,b\n1,2\n")
    upload(http, "again", "a,b\n1,2\n3,4\n")
    (size,) = [e["size"] for e in http.get("/datasets").json()["datasets"] if e["id"] == "again"]
    assert size == 12


def test_jobs_are_listed_newest_first_and_by_state(http: httpx2.Client, model_id: str) -> None:
    newer = trained(http)
    ids = [job["id"] for job in http.get("/jobs").json()["jobs"]]
    assert ids.index(newer) < ids.index(model_id)
    assert [job["id"] for job in http.get("/jobs", params={"limit": 1}).json()["jobs"]] == [newer]
    for state, expected in (("TASK_COMPLETED", True), ("TASK_ERROR", False)):
        found = http.get("/jobs", params={"state": state}).json()["jobs"]
        assert {job["state"] for job in found} <= {state}
        assert (newer in [job["id"] for job in found]) is expected


def test_no_library_keeps_a_diary_in_the_home_of_the_user(
    running: Running, http: httpx2.Client, model_id: str
) -> None:
    """onnxruntime would note each model and each run, and send its notes to its maker."""
    predict(http, model_id)
    assert list(running.stack.home.rglob("*")) == []


def test_the_root_and_the_health_pages_say_that_all_is_well(
    running: Running, http: httpx2.Client
) -> None:
    for queue in ("invoke", "predict.async"):
        running.consumer.says(f"waiting on queue.model.{queue}\n")
    assert http.get("/").json() == {"Status": "OK"}
    assert http.get("/health").json() == {"status": "ok"}
    checks = http.get("/health/all").json()["checks"]
    queues = ["train", "predict", "predict.async", "invoke", "batch", "batch.part"]
    parts = ["broker", "s3", "database", *(f"queue.model.{each}" for each in queues)]
    assert {name: check["status"] for name, check in checks.items()} == dict.fromkeys(parts, "ok")
