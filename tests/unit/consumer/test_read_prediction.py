import json

import pytest

from app import errors
from app.amqp.message import Disposition
from app.consumer.read_prediction import read_or_reject, read_prediction
from app.protocol.oip.message import infer_head, wrap
from app.protocol.oip.rows import InferPrediction
from app.protocol.requests import PredictRequest
from tests.support.fakes import delivery

INFER = {"inputs": [{"name": "a", "shape": [1], "datatype": "FP64", "data": [0.5]}]}


def test_each_form_is_read():
    plain = read_prediction(delivery({"model_id": "m", "input_data": {"a": 0.5}}))
    assert type(plain) is PredictRequest

    wrapped = delivery({})
    wrapped.body = wrap(json.dumps(INFER).encode(), None, "m")
    own = delivery(INFER)
    own.infer = infer_head("application/vnd.oip+json", {"model_id": "m"})
    for each in (wrapped, own):
        got = read_prediction(each)
        assert isinstance(got, InferPrediction)
        assert (got.model_id, got.input_data) == ("m", [{"a": 0.5}])


def test_a_message_that_is_no_request_is_answered_in_its_own_form():
    plain, own = delivery({"model_id": "m"}), delivery({"inputs": []})
    own.infer = infer_head("application/vnd.oip+json", {"model_id": "m"})

    for message in (plain, own):
        assert read_or_reject(message) is None
        assert message.disposition is Disposition.REJECT
    assert plain.channel.replies[0]["error"]["type"] == "invalid"
    assert own.channel.replies == [{"error": "inputs: must not be empty"}]


def test_a_message_of_the_protocol_without_its_model_is_refused():
    own = delivery(INFER)
    own.infer = infer_head("application/vnd.oip+json", {})

    with pytest.raises(errors.Invalid, match="model_id: this header is missing"):
        read_prediction(own)


def test_a_wrong_element_that_a_producer_has_sent_is_answered_and_not_kept():
    """Its caller gets the error, as for a row of /predict that does not fit the model."""
    tensors = {"inputs": [{**INFER["inputs"][0], "data": ["high"]}]}
    message = delivery(wrap(json.dumps(tensors).encode(), None, "m"))

    assert read_or_reject(message) is None

    assert message.channel.replies[0]["error"]["field"] == "inputs.a"
    assert message.disposition is Disposition.ACK
    nameless = delivery(message.body, reply_to=None)
    assert read_or_reject(nameless) is None
    assert nameless.disposition is Disposition.REJECT
