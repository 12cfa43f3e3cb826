"""Values of every kind, in requests and in answers, through each door that takes them."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from tests.support import graphs, pictures
from tests.support.graphs import LINEAR
from tests.system.conftest import Running
from tests.system.support.client import is_problem, predict, reached, trained, upload
from tests.system.support.golden import Caller
from tests.system.support.thinking import remote

SETTINGS = {"INVOKE_HOSTS": "127.0.0.1"}
NDJSON = "application/x-ndjson"
ROW = {"a": 1, "b": 2}
WIDER = {**ROW, "id": "x", "note": None}
BOOLEANS = "size,big\n" + "1,false\n2,false\n3,true\n4,true\n" * 20
FLAT = {
    "inputs": [{"name": "x", "features": ["x"]}],
    "output": {"name": "p", "holds": "probabilities"},
}


def put(http: httpx2.Client, model_id: str, file: bytes, manifest: Any) -> str:
    form = {"data": {"manifest": json.dumps(manifest)}, "files": {"model": ("m.onnx", file)}}
    for status in (201, 200):  # the second time it is known
        answer = http.put(f"/models/{model_id}", **form)
        assert answer.status_code == status, answer.text
    return model_id


@pytest.fixture(scope="module")
def http(running: Running) -> httpx2.Client:
    put(running.http, "linear", graphs.linear(), LINEAR)
    return running.http


@pytest.fixture
def caller(running: Running) -> Iterator[Caller]:
    with running.stack.amqp() as connection:
        yield Caller(connection)


# Fields of a row that the model does not know.


def posted(http: httpx2.Client, path: str, body: dict[str, Any]) -> Any:
    answer = http.post(path, json=body)
    assert answer.is_success, answer.text
    return answer.json()


def parallel(http: httpx2.Client, caller: Caller, body: dict[str, Any]) -> Any:
    answers = posted(http, "/predict/parallel", {**body, "model_ids": ["linear"]})
    return answers["message"]["answers"][0]


def job_of(http: httpx2.Client, path: str, body: dict[str, Any]) -> Any:
    job_id = posted(http, path, body)["message"]["job_id"]
    return reached(http, job_id, "TASK_COMPLETED")


def asynchronous(http: httpx2.Client, caller: Caller, body: dict[str, Any]) -> Any:
    return job_of(http, "/predict/async", {**body, "model_id": "linear"})["result"]


def both(http: httpx2.Client, caller: Caller, body: dict[str, Any]) -> Any:
    models = {"sync_model_id": "linear", "async_model_id": "linear"}
    job = job_of(http, "/predict/sync_async", {**body, **models})
    assert job["sync"]["prediction"] == job["result"]["prediction"]
    return job["result"]


def message(http: httpx2.Client, caller: Caller, body: dict[str, Any]) -> Any:
    return caller.call("queue.model.predict", {**body, "model_id": "linear"})[0].json


def lines(http: httpx2.Client, caller: Caller, body: dict[str, Any]) -> Any:
    line = json.dumps({**body, "model_id": "linear"}).encode()
    (reply,) = caller.call("queue.model.predict", line + b"\n" + line, content_type=NDJSON)
    assert reply.lines[0] == reply.lines[1]
    return reply.lines[0]


DOORS: dict[str, Callable[[httpx2.Client, Caller, dict[str, Any]], Any]] = {
    "/predict": lambda http, _, body: predict(http, "linear", body["input_data"], extra="ignore"),
    "/invocations": lambda http, _, body: posted(
        http, "/invocations", {**body, "model_id": "linear"}
    ),
    "/predict/parallel": parallel,
    "/predict/async": asynchronous,
    "/predict/sync_async": both,
    "AMQP": message,
    "NDJSON": lines,
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_a_row_may_have_more_fields_at_each_door(
    http: httpx2.Client, caller: Caller, door: Callable[..., Any]
) -> None:
    answer = door(http, caller, {"input_data": WIDER, "extra": "ignore"})
    assert answer["prediction"] == 9
    answer = door(http, caller, {"input_data": [WIDER, ROW], "extra": "ignore"})
    assert answer["prediction"] == [9, 9]


def test_without_it_a_row_with_more_fields_is_refused(http: httpx2.Client) -> None:
    asked = {"model_id": "linear", "input_data": WIDER}
    problem = is_problem(http.post("/predict", json=asked), 422)
    assert problem["field"] == "input_data.id"
    assert 'unknown id, note (send "extra": "ignore"' in problem["detail"]
    asked = {"model_id": "linear", "input_data": ROW, "extra": "drop"}
    assert is_problem(http.post("/predict", json=asked), 422)["field"] == "extra"


# Labels.


@pytest.fixture(scope="module")
def booleans(http: httpx2.Client) -> list[str]:
    """A trained model and an uploaded one, both of true and false."""
    upload(http, "booleans", BOOLEANS)
    asked = {"dataset_id": "booleans", "features": ["size"], "target": "big"}
    sigmoid = {
        **FLAT,
        "inputs": [{"name": "x", "features": ["size"]}],
        "labels": [False, True],
    }
    return [
        trained(http, **asked, estimator="knn_classifier"),
        put(http, "sigmoid", graphs.sigmoid([None, 1]), sigmoid),
    ]


def test_true_and_false_are_keyed_by_their_json(http: httpx2.Client, booleans: list[str]) -> None:
    for model_id in booleans:
        answer = predict(http, model_id, {"size": 4})
        assert answer["prediction"] is True
        assert list(answer["pred_proba"]) == ["false", "true"]
        assert sum(answer["pred_proba"].values()) == pytest.approx(1)
    body = {"model_ids": booleans, "input_data": [{"size": 4}, {"size": -4}]}
    for how in ("mean", "vote", "max_proba"):
        combined = posted(http, "/predict/parallel", {**body, "combine": how})["message"][
            "combined"
        ]
        assert combined["prediction"] == [True, False]
        told = combined["votes" if how == "vote" else "pred_proba"]
        assert all(set(each) <= {"false", "true"} for each in told)


def test_models_without_a_common_label_are_not_combined(
    http: httpx2.Client, booleans: list[str]
) -> None:
    for name, labels in (
        ("hundreds", [f"l{n}" for n in range(300)]),
        ("others", [f"l{n}" for n in range(299, 599)]),
        ("numbers", list(range(150))),
    ):
        put(http, name, graphs.probabilities(len(labels)), {**FLAT, "labels": labels})

    def combined(*names: str, how: str = "mean") -> Any:
        body = {"model_ids": names, "input_data": {"x": 1}, "combine": how}
        message = posted(http, "/predict/parallel", body)["message"]
        assert {each["status"] for each in message["answers"]} == {"TASK_COMPLETED"}
        return message["combined"]

    # The five most probable labels of these two differ, but both know l299.
    assert combined("hundreds", "others")["status"] == "TASK_COMPLETED"
    for how in ("mean", "vote", "max_proba"):
        refused = combined("hundreds", "numbers", how=how)
        assert (refused["status"], refused["error"]["type"]) == ("TASK_ERROR", "invalid")
        assert refused["error"]["field"] == "combine"
        assert refused["error"]["detail"] == (
            "combine: models hundreds and numbers have no label in common: "
            "hundreds has l0, l1, l2, ..., numbers has 0, 1, 2, ..."
        )


def test_a_trained_model_and_one_with_other_labels_are_not_combined(
    http: httpx2.Client, booleans: list[str]
) -> None:
    labels = {**FLAT, "inputs": [{"name": "x", "features": ["size"]}], "labels": ["no", "yes"]}
    put(http, "texts", graphs.sigmoid([None]), labels)
    body = {"model_ids": [booleans[0], "texts"], "input_data": {"size": 1}, "combine": "vote"}
    error = posted(http, "/predict/parallel", body)["message"]["combined"]["error"]
    assert "has false, true, texts has no, yes" in error["detail"]


def test_numbers_and_labels_are_not_combined(http: httpx2.Client, booleans: list[str]) -> None:
    spec = {**LINEAR, "inputs": [{"name": "x", "features": ["size", "weight"]}]}
    put(http, "weighs", graphs.linear(), spec)
    body = {"model_ids": [*booleans, "weighs"], "input_data": {"size": 1, "weight": 1}}
    for how in ("mean", "vote", "max_proba"):
        asked = {**body, "combine": how, "extra": "ignore"}
        error = posted(http, "/predict/parallel", asked)["message"]["combined"]["error"]
        assert error["type"] == "invalid"
        assert "model weighs" in error["detail"]


def test_an_endpoint_is_combined_whatever_it_answers(
    http: httpx2.Client, booleans: list[str]
) -> None:
    with remote() as far:
        answer = http.put("/models/far", json={"kind": "endpoint", "url": far.url})
        assert answer.is_success, answer.text
        body = {"model_ids": [booleans[0], "far"], "input_data": {"size": 1}, "combine": "vote"}
        message = posted(http, "/predict/parallel", body)["message"]
    assert "no label in common" not in json.dumps(message)


# Graphs.


def test_null_is_a_missing_value_where_the_manifest_says_so(http: httpx2.Client) -> None:
    features = {"name": "x", "features": ["a", "b"]}
    nullable = {**LINEAR, "inputs": [{**features, "nullable": True}]}
    put(http, "nullable", graphs.known_or_zero(), nullable)
    put(http, "strict", graphs.known_or_zero(), LINEAR)

    rows = [{"a": None, "b": 2}, {"a": 1, "b": 2}]
    assert predict(http, "nullable", rows)["prediction"] == [2, 3]
    taken = http.get("/metadata", params={"model_id": "nullable"}).json()["inputs"]
    assert taken[0] == {"name": "a", "type": "number", "nullable": True}
    asked = {"model_id": "strict", "input_data": rows[0]}
    problem = is_problem(http.post("/predict", json=asked), 422)
    assert '"nullable": true at the input x of its manifest' in problem["detail"]
    form = {
        "data": {"manifest": json.dumps(nullable)},
        "files": {"model": ("m.onnx", graphs.linear())},
    }
    problem = is_problem(http.put("/models/adds", **form), 422)
    assert problem["field"] == "manifest.inputs.0.nullable"


def test_text_and_numbers_go_in_and_further_outputs_come_out(http: httpx2.Client) -> None:
    spec = {
        "inputs": [
            {"name": "word", "features": ["word"], "type": "text"},
            {"name": "a", "features": ["number"]},
        ],
        "output": {"name": "y", "holds": "values"},
        "outputs": ["said"],
    }
    put(http, "words", graphs.words(), spec)

    rows = [{"word": "ten", "number": 1}, {"word": "größe", "number": 2}]
    many = predict(http, "words", rows)
    assert many["prediction"] == [11, 2]
    assert many["outputs"] == [{"said": ["ten"]}, {"said": ["größe"]}]
    one = predict(http, "words", rows[0])
    assert one["outputs"] == {"said": ["ten"]}
    body = {"model_ids": ["words"], "input_data": rows[0], "combine": "mean"}
    message = posted(http, "/predict/parallel", body)["message"]
    assert message["answers"][0]["outputs"] == one["outputs"]
    job = job_of(http, "/predict/async", {"model_id": "words", "input_data": rows})
    assert job["result"]["outputs"] == many["outputs"]
    sample = http.get("/metadata", params={"model_id": "words"}).json()["sample"]
    assert sample == {"input_data": {"word": "", "number": 0}}
    tried = http.get("/predict/test", params={"model_id": "words"}).json()["message"]
    assert tried["outputs"] == {"said": [""]}


def test_a_job_without_further_outputs_has_no_member_for_them(http: httpx2.Client) -> None:
    job = job_of(http, "/predict/async", {"model_id": "linear", "input_data": ROW})
    assert set(job["result"]) == {"model_id", "prediction", "pred_proba", "elapsed_ms"}


def test_batches_of_a_fixed_size_answer_any_number_of_rows(http: httpx2.Client) -> None:
    put(http, "fours", graphs.linear(batch=4), LINEAR)
    rows = [{"a": n, "b": 0} for n in range(10)]
    assert predict(http, "fours", rows)["prediction"] == [2.0 * n + 1 for n in range(10)]
    assert predict(http, "fours", rows[0])["prediction"] == 1


# Images.


def test_images_come_in_the_forms_in_which_clients_write_them(http: httpx2.Client) -> None:
    put(http, "colours", graphs.colours(), graphs.IMAGES)
    png = pictures.image(pictures.GREEN, size=(99, 99))
    wrapped = "\r\n".join(png[at : at + 76] for at in range(0, len(png), 76))
    webp = pictures.image(pictures.GREEN, kind="WEBP")
    files = [
        png,
        f"data:image/png;base64,{png}",
        wrapped,
        png.replace("+", "-").replace("/", "_").rstrip("="),
        webp,
        f"data:image/webp;base64,{webp}",
    ]
    asked = {"model_id": "colours", "image_data": files}
    assert posted(http, "/predict", asked)["message"]["prediction"] == ["green"] * len(files)
    asked["image_data"] = pictures.encode(pictures.WEBP_BOMB)
    assert is_problem(http.post("/predict", json=asked), 413)["field"] == "image_data"
