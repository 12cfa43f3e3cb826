"""The Open Inference Protocol: Triton's client, unchanged, gets the answers of /predict."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import numpy as np
import pika
import pytest
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from app.amqp.topology import INVOKE_QUEUE, PREDICT_QUEUE
from devstack.demo import ROW
from tests.support import graphs, pictures
from tests.support.graphs import COLOURS, IMAGES, LINEAR
from tests.support.oip_schema import fits
from tests.support.pictures import GREEN, RED
from tests.system.conftest import Running
from tests.system.support.amqp import RpcClient
from tests.system.support.client import trained, upload
from tests.system.support.processes import SECONDS
from tests.system.support.thinking import Remote, remote

PLAIN_HTTP = True  # it speaks HTTP by itself
SETTINGS = {"INVOKE_HOSTS": "127.0.0.1"}
LENGTH = "Inference-Header-Content-Length"

HOUSES = "size,colour,new,built,price\n" + "".join(
    f"{'' if n % 7 == 0 else n},{'red' if n % 2 else 'blue'},{n % 3 == 0},"
    f"{'' if n % 11 == 0 else f'2020-01-{n % 27 + 1:02}'},{'dear' if n % 2 else 'cheap'}\n"
    for n in range(60)
)


@dataclass(frozen=True)
class World:
    """Triton's client and our own, and the models that they ask."""

    client: triton.InferenceServerClient
    http: httpx2.Client
    regressor: str
    classifier: str
    remote: Remote

    def rows(self, model_id: str, rows: list[Any]) -> dict[str, Any]:
        """Return what /predict answers."""
        answer = self.http.post("/predict", json={"model_id": model_id, "input_data": rows})
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["message"])


@pytest.fixture(scope="module")
def oip(running: Running, model_id: str) -> Iterator[World]:
    http = running.http
    upload(http, "houses", HOUSES)
    columns = {"dataset_id": "houses", "target": "price"}
    features = ["size", "colour", "new", "built"]
    estimator = "random_forest_classifier"
    types = {"built": "date"}
    classifier = trained(http, features=features, estimator=estimator, types=types, **columns)
    for name, file, manifest in [
        ("linear", graphs.linear(), LINEAR),
        ("colours", graphs.colours(), IMAGES),
    ]:
        files = {"model": ("model.onnx", file)}
        form = {"manifest": json.dumps(manifest)}
        assert http.put(f"/models/{name}", data=form, files=files).status_code == 201
    url = str(http.base_url).removeprefix("http://").rstrip("/")
    with (
        triton.InferenceServerClient(url, network_timeout=SECONDS) as client,
        remote() as elsewhere,
    ):
        sample = {"a": 1.0, "b": "x"}
        spec = {"kind": "endpoint", "url": elsewhere.url, "sample": sample}
        assert http.put("/models/remote", json=spec).status_code == 201
        yield World(client, http, model_id, classifier, elsewhere)


def tensor(name: str, values: Any, *, binary: bool = True) -> triton.InferInput:
    array = np.asarray(values)
    if array.dtype.kind in "SU":
        array = array.astype(object)
    made = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    return made.set_data_from_numpy(array, binary_data=binary)


def asked(
    oip: World, model_id: str, inputs: list[triton.InferInput], *names: str, binary: bool = True
) -> tuple[Any, dict[str, Any]]:
    """Ask as Triton's client does; return its result and the JSON of it, which the schema fits."""
    outputs = [triton.InferRequestedOutput(name, binary_data=binary) for name in names]
    result = oip.client.infer(model_id, inputs, request_id="42", outputs=outputs or None)
    said = fits("inference_response", result.get_response())
    assert (said["model_name"], said["id"]) == (model_id, "42")
    assert "model_version" not in said
    return result, said


def features(count: int) -> dict[str, list[float]]:
    return {name: [value * (1 + n / 10) for n in range(count)] for name, value in ROW.items()}


def rows_of(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def test_the_server_is_described(oip: World) -> None:
    assert oip.client.is_server_live()
    assert oip.client.is_server_ready()
    said = fits("metadata_server_response", oip.client.get_server_metadata())
    assert (said["name"], said["extensions"]) == ("warren", ["binary_tensor_data"])
    assert oip.http.get("/v2/").json() == said
    assert oip.http.get("/v2/health/ready").json() == {"live": True}
    index = {each["name"]: each["state"] for each in oip.client.get_model_repository_index()}
    assert index.keys() >= {oip.regressor, oip.classifier, "linear", "colours", "remote"}
    assert set(index.values()) == {"READY"}


def test_models_are_described(oip: World) -> None:
    described = {
        name: fits("metadata_model_response", oip.client.get_model_metadata(name))
        for name in (oip.regressor, oip.classifier, "linear", "colours", "remote")
    }
    assert all(oip.client.is_model_ready(name) for name in described)
    assert oip.client.get_model_metadata("latest")["name"] == oip.classifier
    numbers = described[oip.regressor]
    assert numbers["inputs"][0] == {"name": "age", "datatype": "FP64", "shape": [-1]}
    assert numbers["outputs"] == [{"name": "prediction", "datatype": "FP64", "shape": [-1]}]
    classes = described[oip.classifier]
    assert [each["datatype"] for each in classes["inputs"]] == ["FP64", "BYTES", "BOOL", "BYTES"]
    assert classes["outputs"] == [
        {"name": "prediction", "datatype": "BYTES", "shape": [-1]},
        {
            "name": "pred_proba",
            "datatype": "FP64",
            "shape": [-1, 2],
            "parameters": {"labels": ["cheap", "dear"]},
        },
    ]
    assert [each["name"] for each in described["linear"]["inputs"]] == ["a", "b"]
    image = {"name": "image_data", "datatype": "BYTES", "shape": [-1]}
    assert described["colours"]["inputs"] == [image]
    assert [each["datatype"] for each in described["remote"]["inputs"]] == ["FP64", "BYTES"]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("count", [1, 1000])
def test_a_regressor_answers_columns_and_a_matrix(oip: World, count: int, binary: bool) -> None:
    columns = features(count)
    wanted = oip.rows(oip.regressor, rows_of(columns))["prediction"]
    matrix = np.array(list(columns.values())).T
    for inputs in (
        [tensor(name, values, binary=binary) for name, values in columns.items()],
        [tensor(name, np.c_[values], binary=binary) for name, values in columns.items()],
        [tensor("input-0", matrix, binary=binary)],
    ):
        result, said = asked(oip, oip.regressor, inputs, "prediction", binary=binary)
        assert result.as_numpy("prediction").tolist() == wanted
        assert ("data" in said["outputs"][0] and not said["outputs"][0]["data"]) is binary


def test_numbers_of_32_bits_are_what_they_are(oip: World) -> None:
    matrix = np.array([list(ROW.values())], np.float32)
    wanted = oip.rows(oip.regressor, matrix.astype(float).tolist())["prediction"]
    for binary in (True, False):
        result, _ = asked(oip, oip.regressor, [tensor("x", matrix, binary=binary)])
        assert result.as_numpy("prediction").tolist() == wanted


def test_a_classifier_takes_texts_dates_booleans_and_missing_values(oip: World) -> None:
    rows = [
        {"size": 3.0, "colour": "red", "new": True, "built": "2020-01-05"},
        {"size": None, "colour": "blue", "new": False, "built": None},
        {"size": 8.0, "colour": "grün", "new": False, "built": "2021-12-31T12:00:00Z"},
    ]
    wanted = oip.rows(oip.classifier, rows)
    known = [
        tensor("size", [3.0, np.nan, 8.0]),
        tensor("colour", ["red", "blue", "grün"]),
        tensor("new", [True, False, False]),
    ]
    built = tensor("built", ["2020-01-05", "", "2021-12-31T12:00:00Z"])
    result, said = asked(oip, oip.classifier, [*known, built])
    assert [each.decode() for each in result.as_numpy("prediction")] == wanted["prediction"]
    labels = said["outputs"][1]["parameters"]["labels"]
    shares = result.as_numpy("pred_proba").tolist()
    assert [dict(zip(labels, row, strict=True)) for row in shares] == wanted["pred_proba"]
    inputs = [
        {"name": name, "shape": [3], "datatype": kind, "data": [row[name] for row in rows]}
        for name, kind in [
            ("size", "FP64"),
            ("colour", "BYTES"),
            ("new", "BOOL"),
            ("built", "BYTES"),
        ]
    ]
    answer = oip.http.post(f"/v2/models/{oip.classifier}/infer", json={"inputs": inputs})
    assert answer.status_code == 200, answer.text
    said = fits("inference_response", answer.json())
    assert "id" not in said
    assert said["outputs"][0]["data"] == wanted["prediction"]


def test_an_uploaded_model_answers_rows(oip: World) -> None:
    wanted = oip.rows("linear", [{"a": 1, "b": 2}, {"a": 0.5, "b": -1}])["prediction"]
    inputs = [tensor("a", [1.0, 0.5]), tensor("b", np.array([2, -1], np.int8))]
    for binary in (True, False):
        result, _ = asked(oip, "linear", inputs, "prediction", binary=binary)
        assert result.as_numpy("prediction").tolist() == wanted == [9.0, -1.0]


def test_an_uploaded_model_answers_images_as_files_and_as_base64(oip: World) -> None:
    texts = [pictures.image(GREEN, kind="JPEG"), pictures.image(RED)]
    wanted = oip.http.post("/predict", json={"model_id": "colours", "image_data": texts}).json()
    files = np.array([base64.b64decode(each) for each in texts], object)
    for images, binary in ((files, True), (texts, True), (texts, False)):
        result, said = asked(oip, "colours", [tensor("image_data", images, binary=binary)])
        assert [each.decode() for each in result.as_numpy("prediction")] == ["green", "red"]
        assert said["outputs"][1]["parameters"]["labels"] == COLOURS
        shares = [list(each.values()) for each in wanted["message"]["pred_proba"]]
        assert result.as_numpy("pred_proba").tolist() == shares


def test_a_remote_model_answers(oip: World) -> None:
    inputs = [tensor("a", [1.0, 2.0]), tensor("b", ["x", "y"])]
    rows = [{"a": 1.0, "b": "x"}, {"a": 2.0, "b": "y"}]
    oip.remote.answer = {"prediction": [7.5, 8], "pred_proba": [{"p": 0.5, "q": 0.5}] * 2}
    result, _ = asked(oip, "remote", inputs)
    assert oip.remote.asked[-1] == {"input_data": rows}
    assert result.as_numpy("prediction").tolist() == [7.5, 8.0]
    assert result.as_numpy("pred_proba").tolist() == [[0.5, 0.5]] * 2
    oip.remote.answer = {"prediction": [{"odd": [1]}, None]}
    result, _ = asked(oip, "remote", inputs)
    assert [json.loads(each) for each in result.as_numpy("prediction")] == [{"odd": [1]}, None]


def test_an_error_is_that_of_the_protocol(oip: World) -> None:
    row = [tensor("input-0", [list(ROW.values())])]
    for model_id, inputs, status, said in (
        ("nothing", row, "404", "there is no model nothing"),
        (oip.regressor, [tensor("age", [0.1])], "400", "missing bmi"),
        (oip.regressor, [tensor("input-0", [[1.0, 2.0]])], "400", "takes 9, in this order: age"),
        (
            "linear",
            [tensor("a", [1.0]), tensor("b", ["x"])],
            "400",
            "inputs.b.0: expected a number",
        ),
    ):
        with pytest.raises(InferenceServerException, match=said) as raised:
            oip.client.infer(model_id, inputs)
        assert raised.value.status() == status
    whole = {"name": "input-0", "shape": [1, 9], "datatype": "FP64", "data": [*ROW.values()]}
    path = f"/v2/models/{oip.regressor}/versions/1/infer"  # an id has no versions
    answer = oip.http.post(path, json={"inputs": [whole]})
    assert answer.status_code == 404
    assert fits("inference_error_response", answer.json()).keys() == {"error"}
    for path in ("/v2/models/nothing", "/v2/models/nothing/ready", "/v2/nowhere"):
        answer = oip.http.get(path)
        assert (answer.status_code, list(answer.json())) == (404, ["error"])
    with pytest.raises(InferenceServerException, match="no such output; it has prediction"):
        asked(oip, oip.regressor, row, "target")


class Raw(RpcClient):
    """A client of the queues that keeps bodies and properties as they came."""

    def on_response(self, ch: Any, method: Any, props: pika.BasicProperties, body: bytes) -> None:
        if self.corr_id == props.correlation_id:
            self.responses.append((props, body))  # type: ignore[arg-type]


def test_the_queues_take_the_same_bodies(oip: World, connection: pika.BlockingConnection) -> None:
    amqp = Raw(connection)
    columns = features(2)
    wanted = oip.rows(oip.regressor, rows_of(columns))["prediction"]
    tensors = [tensor(name, values, binary=False)._get_tensor() for name, values in columns.items()]
    body = {"id": "7", "inputs": tensors}
    known = {"content_type": "application/vnd.oip+json", "headers": {"model_id": oip.regressor}}
    ((props, said),) = amqp.call(PREDICT_QUEUE, body, **known)
    assert props.content_type == "application/vnd.oip+json"
    answer = fits("inference_response", json.loads(said))
    assert (answer["model_name"], answer["id"]) == (oip.regressor, "7")
    assert answer["outputs"][0]["data"] == wanted

    inputs = [tensor(name, values) for name, values in columns.items()]
    whole, length = triton.InferenceServerClient.generate_request_body(inputs)
    headers = {"model_id": oip.regressor, LENGTH: length}
    binary = {"content_type": "application/octet-stream", "headers": headers}
    ((props, said),) = amqp.call(PREDICT_QUEUE, bytes(whole), **binary)
    assert props.content_type == "application/octet-stream"
    result = triton.InferResult.from_response_body(said, header_length=props.headers[LENGTH])
    assert result.as_numpy("prediction").tolist() == wanted

    oip.remote.answer = {"prediction": [3.0]}
    one = {"inputs": [{"name": "a", "shape": [1], "datatype": "FP64", "data": [1]}]}
    there = {**known, "headers": {"model_id": "remote"}}
    ((_, said),) = amqp.call(INVOKE_QUEUE, one, **there)
    assert json.loads(said)["outputs"][0]["data"] == [3.0]


def test_an_error_of_the_queues_is_that_of_the_protocol(
    oip: World, connection: pika.BlockingConnection
) -> None:
    amqp = Raw(connection)
    kind = "application/vnd.oip+json"
    one = {"inputs": [{"name": "age", "shape": [1], "datatype": "FP64", "data": [1]}]}
    for body, headers, says in (
        (one, {"model_id": "nothing"}, "there is no model nothing"),
        (one, {}, "model_id: this header is missing"),
        (one, {"model_id": oip.regressor}, "inputs.bmi.0: missing bmi"),
        (b"{", {"model_id": oip.regressor}, "not valid JSON"),
        (one, {"model_id": oip.regressor, LENGTH: 10_000}, "must be a number of bytes"),
    ):
        ((props, said),) = amqp.call(PREDICT_QUEUE, body, content_type=kind, headers=headers)
        assert (props.content_type, props.type) == (kind, "TASK_ERROR")
        error = fits("inference_error_response", json.loads(said))
        assert error.keys() == {"error"}
        assert says in error["error"]
