import base64
import json
import struct

import numpy as np
import pytest

from app import errors
from app.protocol.oip.message import (
    answer_of,
    infer_head,
    parse_message,
    unwrap,
    wrap,
)
from app.protocol.oip.reply import infer_reply
from app.protocol.replies import Failed, Predicted
from tests.support.oip_schema import fits

ROW = [1.5, -2.0]
MATRIX = {"name": "input-0", "shape": [1, 2], "datatype": "FP64", "data": ROW}
BINARY = {k: v for k, v in MATRIX.items() if k != "data"} | {"parameters": {"binary_data_size": 16}}
RAW = struct.pack("<2d", *ROW)
PNG, WEBP = b"\x89PNG\r\n", b"RIFF\0\0\0\0WEBPVP8L"


def request(*inputs, raw=b"", **more):
    header = json.dumps({"inputs": inputs, **more}).encode()
    return unwrap(wrap(header + raw, str(len(header)) if raw else None, "m"))


def answer(asked, labels=None, **members):
    reply = infer_reply(asked, Predicted("red~m", **members), labels)
    body, length = answer_of(reply.encode())
    if length is None:
        return fits("inference_response", json.loads(body)), b""
    return fits("inference_response", json.loads(body[:length])), body[length:]


@pytest.mark.parametrize(("tensor", "raw"), [(MATRIX, b""), (BINARY, RAW)])
def test_a_wrapped_request_is_the_same(tensor, raw):
    header = json.dumps({"inputs": [tensor]}, indent=1).encode()
    message = wrap(
        b"\xef\xbb\xbf" * (not raw) + header + raw, str(len(header)) if raw else None, "m"
    )

    got = unwrap(message.replace(b"\n", b" "))  # as a line of several
    assert (got.model_id, got.input_data, got.many) == ("m", [ROW], True)


@pytest.mark.parametrize(
    "message",
    [
        b'{"model_id":"m","infer":1}',
        b'{"model_id":"m","infer":}',
        b'{"model_id":"m","infer":{}',
        b'{"model_id":"m","infer":{"inputs":[]}}',
        b'{"model_id":"m","infer":{"inputs":[{"name":"a"}]},"x":1}',
        b'{"model_id":"..","infer":%s}' % json.dumps({"inputs": [MATRIX]}).encode(),
        b'{"model_id":"m","raw":"AA==","infer":%s}' % json.dumps({"inputs": [MATRIX]}).encode(),
        b'{"model_id":"m","raw":"A","infer":{}}',
    ],
)
def test_a_wrapped_request_of_another_client_is_checked(message):
    with pytest.raises((errors.Invalid, errors.Malformed)):
        unwrap(message)


@pytest.mark.parametrize(
    "message",
    [
        b'{"infer":{"inputs":[]},"model_id":"m"}',
        b'{"model_id":1,"infer":{}}',
        b'{"model_id":"m\xff","infer":{}}',
        b'{"model_id":"m","raw":"?","infer":{}}',
        b'{"model_id":"m","infer":{',
        b'{"model_id":"m","input_data":{}}',
    ],
)
def test_a_message_that_is_not_wrapped_is_another_request(message):
    assert unwrap(message) is None


def test_the_properties_of_a_message_tell_what_it_is():
    oip, octets = "application/vnd.oip+json", "application/octet-stream"
    length = {"inference-header-content-length": 5}
    assert infer_head(oip, None).headers() == {}
    assert infer_head(oip, {"model_id": "m"}).headers() == {"model_id": "m"}
    assert infer_head(octets, length).header_length == 5
    assert infer_head(octets, None) is None
    assert infer_head("application/json", length) is None


@pytest.mark.parametrize("model_id", [None, 5, b"m", "../m", "m" * 500])
def test_a_message_names_its_model(model_id):
    head = infer_head("application/vnd.oip+json", {"model_id": model_id})
    with pytest.raises(errors.Invalid, match=r"^model_id: "):
        parse_message(json.dumps({"inputs": [MATRIX]}).encode(), head)


def test_a_regressor_answers_one_tensor():
    said, _ = answer(request(MATRIX, id='"4\n2'), prediction=[0.1], pred_proba=[0.1])

    assert said == {
        "model_name": "red~m",
        "id": '"4\n2',
        "outputs": [{"name": "prediction", "datatype": "FP64", "shape": [1], "data": [0.1]}],
    }


@pytest.mark.parametrize(
    ("labels", "prediction", "datatype", "data"),
    [
        (["a", "b"], ["b"], "BYTES", ["b"]),
        ([0, 1], [1], "INT64", [1]),
        ([False, True], [True], "BOOL", [True]),
        ([1, "b"], [1], "BYTES", ["1"]),
        ([0, 2**70], [0], "BYTES", ["0"]),
    ],
)
def test_labels_have_the_type_of_all_labels(labels, prediction, datatype, data):
    shares = [{str(each): 0.5 for each in labels}]
    said, _ = answer(request(MATRIX), labels, prediction=prediction, pred_proba=shares)

    first, second = said["outputs"]
    assert (first["datatype"], first["data"]) == (datatype, data)
    assert (second["shape"], second["data"]) == ([1, 2], [0.5, 0.5])
    assert second["parameters"] == {"labels": list(map(str, labels))}


def test_a_classifier_without_probabilities_answers_labels_only():
    said, _ = answer(request(MATRIX), ["a", "b"], prediction=["a"], pred_proba=[None])

    assert [each["name"] for each in said["outputs"]] == ["prediction"]


def test_the_most_probable_of_many_labels_are_named_by_row():
    labels = [f"l{n}" for n in range(101)]
    shares = [{"l3": 0.6, "l1": 0.2}, {"l1": 0.9, "l2": 0.1}]
    for rows in (shares, shares[:1]):
        said, _ = answer(request(MATRIX), labels, prediction=["l3", "l1"], pred_proba=rows)
        _, numbers, named = said["outputs"]
        assert (numbers["name"], numbers["shape"]) == ("pred_proba", [len(rows), 2])
        assert (named["name"], named["datatype"]) == ("pred_proba_labels", "BYTES")
        assert named["data"] == ["l3", "l1", "l1", "l2"][: 2 * len(rows)]


@pytest.mark.parametrize(
    ("values", "datatype", "shape", "data"),
    [
        ([1, 2.5], "FP64", [2], [1.0, 2.5]),
        ([True, False], "BOOL", [2], [True, False]),
        ([[1, 2], [3, 4]], "FP64", [2, 2], [1.0, 2.0, 3.0, 4.0]),
        ([[[1], [2]]] * 2, "FP64", [2, 2, 1], [1.0, 2.0] * 2),
        ([[1, 2], [3]], "BYTES", [2], ["[1,2]", "[3]"]),
        ([{"a": 1}, "x"], "BYTES", [2], ['{"a":1}', "x"]),
        ([10**400, 1], "BYTES", [2], [str(10**400), "1"]),
        ([True, 1], "BYTES", [2], ["true", "1"]),
        ([[], []], "FP64", [2, 0], []),
    ],
)
def test_further_outputs_have_the_type_of_their_values(values, datatype, shape, data):
    outputs = [{"more": each} for each in values]
    said, _ = answer(request(MATRIX), prediction=[1.0] * 2, pred_proba=[1.0] * 2, outputs=outputs)

    assert said["outputs"][1:] == [
        {"name": "more", "datatype": datatype, "shape": shape, "data": data}
    ]


def test_outputs_come_as_bytes_where_that_is_asked_for():
    members = {"prediction": ["a", "grün"], "pred_proba": [{"a": 0.25, "grün": 0.75}] * 2}
    asked = request(BINARY, raw=RAW, parameters={"binary_data_output": True})
    said, raw = answer(asked, ["a", "grün"], **members)
    assert [each["parameters"]["binary_data_size"] for each in said["outputs"]] == [14, 32]
    assert raw[:5] == b"\1\0\0\0a"
    assert np.frombuffer(raw[14:]).tolist() == [0.25, 0.75] * 2

    outputs = [{"name": "pred_proba"}, {"name": "prediction", "parameters": {"binary_data": True}}]
    said, raw = answer(request(MATRIX, outputs=outputs), ["a", "grün"], **members)
    assert [each["name"] for each in said["outputs"]] == ["pred_proba", "prediction"]
    assert said["outputs"][0]["data"] == [0.25, 0.75] * 2
    assert len(raw) == said["outputs"][1]["parameters"]["binary_data_size"] == 14


def test_a_missing_number_is_null_or_nan():
    members = {"prediction": [1.0], "pred_proba": [1.0], "outputs": [{"x": None}]}
    said, raw = answer(request(MATRIX, parameters={"binary_data_output": True}), **members)
    assert said["outputs"][1]["datatype"] == "FP64"
    assert np.isnan(np.frombuffer(raw)[1])

    reply = infer_reply(request(MATRIX), Predicted("m", **members))
    written = json.loads(answer_of(reply.encode()).body)  # the schema knows no missing number
    assert written["outputs"][1]["data"] == [None]


def test_an_output_that_is_not_there_is_an_error():
    asked = request(MATRIX, outputs=[{"name": "q" * 200}])
    reply = infer_reply(asked, Predicted("m", prediction=[1.0]))

    assert isinstance(reply, Failed)
    assert "the model has no such output; it has prediction" in reply.error["detail"]


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("input_data.3.age", "inputs.age.3"),
        ("input_data.3.a.b", "inputs.a.b.3"),
        ("input_data.3", "inputs.3"),
        ("input_data.age", "inputs.age"),
        ("input_data", "inputs"),
        ("image_data.2", "inputs.image_data.2"),
        ("image_data", "inputs.image_data"),
        ("model_id", "model_id"),
    ],
)
def test_an_error_names_the_tensor(field, shown):
    error = Failed.of(errors.Invalid(field, "it is wrong"), "m")

    body, length = answer_of(error.encode())

    assert (json.loads(body), length) == ({"error": f"{shown}: it is wrong"}, None)
    assert infer_reply(request(MATRIX), error) is error


@pytest.mark.parametrize("file", [PNG, WEBP, b"\xff\xd8\xff\xe0"])
def test_images_are_files_or_base64(file):
    text = base64.b64encode(file)
    for each in (file, text):
        raw = struct.pack("<I", len(each)) + each
        tensor = {
            "name": "image_data",
            "shape": [1],
            "datatype": "BYTES",
            "parameters": {"binary_data_size": len(raw)},
        }
        assert request(tensor, raw=raw).image_data == [text.decode()]


def test_one_column_is_a_feature_and_a_matrix_by_its_name():
    column = {"name": "age", "shape": [2, 1], "datatype": "INT32", "data": [1, 2]}
    assert request(column).input_data == [{"age": 1}, {"age": 2}]
    assert request({**column, "name": "input-0"}).input_data == [[1], [2]]
    texts = {"name": "t", "shape": [1, 2], "datatype": "BYTES", "data": ["x", "y"]}
    assert request(texts).input_data == [["x", "y"]]
