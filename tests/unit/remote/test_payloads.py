import json

import pytest

from app import errors
from app.models.endpoint import EndpointSpec
from app.protocol.requests import PredictionInputs
from app.remote.http_transport import HttpResponse
from app.remote.payloads import check_status, decode_response, encode_request
from app.remote.redaction import SecretRedactor
from app.settings import Settings
from tests.support.remote_calls import ONE, ROW, TWO, WRITTEN

PLAIN = EndpointSpec(url="http://localhost/")
INSTANCES = EndpointSpec(url="http://localhost/", sends="instances")
NO_SECRETS = SecretRedactor(Settings(_env_file=None))


@pytest.mark.parametrize(
    ("spec", "inputs", "body"),
    [
        (PLAIN, ONE, {"input_data": ROW}),
        (PLAIN, TWO, {"input_data": [ROW, {"a": 2.5}]}),
        (PLAIN, PredictionInputs(image_data="AAAA"), {"image_data": "AAAA"}),
        (INSTANCES, ONE, {"instances": [ROW]}),
        (INSTANCES, PredictionInputs(image_data=["AAAA"]), {"instances": ["AAAA"]}),
    ],
)
def test_inputs_are_sent_in_the_format_of_the_endpoint(spec, inputs, body):
    assert json.loads(encode_request(spec, inputs)) == body


@pytest.mark.parametrize(
    ("spec", "inputs", "says", "answer"),
    [
        (PLAIN, ONE, {"prediction": "a", "pred_proba": {"a": 1.0}, "more": 1},
         {"prediction": "a", "pred_proba": {"a": 1.0}}),
        (PLAIN, ONE, {"predictions": ["a"]}, {"prediction": "a"}),
        (PLAIN, ONE, "a", {"prediction": "a"}),
        (PLAIN, ONE, [1, 2], {"prediction": [1, 2]}),  # one answer, that is a list
        (PLAIN, TWO, ["a", "b"], {"prediction": ["a", "b"]}),
        (INSTANCES, ONE, ["a"], {"prediction": "a"}),
    ],
)  # fmt: skip
def test_answers_of_many_shapes_are_understood(spec, inputs, says, answer):
    assert decode_response(spec, inputs, json.dumps(says).encode(), NO_SECRETS) == answer


@pytest.mark.parametrize(
    ("status", "kind", "body", "error", "says"),
    [
        (500, "", b"no", errors.EndpointFailed, "answers 500: no"),
        (404, "", b"", errors.EndpointFailed, "answers 404$"),
        (429, "", b"", errors.EndpointUnavailable, "429"),
        (503, "", b"", errors.EndpointUnavailable, "503"),
        (400, "", b"bad row", errors.Invalid, "input_data: .*: bad row"),
        (422, "", b"", errors.Invalid, "input_data"),
        (400, "ThrottlingException", b"", errors.EndpointUnavailable, "400"),
        (400, "ValidationError", b"{}", errors.EndpointFailed, "400"),
        (424, "ModelError", b'{"OriginalStatusCode": 422}', errors.Invalid, "input_data"),
        (424, "ModelError", b"{", errors.EndpointFailed, "424"),
    ],
)
def test_a_status_is_an_error_of_its_own_kind(status, kind, body, error, says):
    response = HttpResponse(status, {"x-amzn-errortype": kind}, body)

    with pytest.raises(error, match=says) as caught:
        check_status(response, NO_SECRETS, "input_data")

    assert type(caught.value) is error
    assert caught.value.extra.get("may_have_begun", False) is (status == 503)


@pytest.mark.parametrize("status", [200, 201, 299])
def test_a_status_of_success_is_no_error(status):
    check_status(HttpResponse(status, {}, b""), NO_SECRETS, "input_data")


@pytest.mark.parametrize("write", ["in JSON", "with escaped slashes"])
@pytest.mark.parametrize("padding", [0, 200_000])
@pytest.mark.parametrize(
    "place", ['"%s"', '{"a": [{"%s": 1}]}', '{"prediction": 1, "%s": 1, "%s": 2}']
)
@pytest.mark.parametrize("secret", ["t0ken-of/the-suite", 'a"b\\c/d-of-the-suite'])
def test_no_answer_holds_a_secret(write, padding, place, secret):
    hidden = SecretRedactor(Settings(_env_file=None, invoke_secrets={"token": secret}))
    body = b" " * padding + place.replace("%s", WRITTEN[write](secret)).encode()
    with pytest.raises(errors.EndpointFailed) as caught:
        decode_response(EndpointSpec(url="http://localhost/"), ONE, body, hidden)
    assert secret not in caught.value.detail
