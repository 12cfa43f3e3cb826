"""The stand-in for a remote model of `examples/remote`: who may call it, and what it answers."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from examples.remote import server, signature
from examples.remote.signature import Refused

URL = "http://127.0.0.1:5055/endpoints/thinker/invocations"
BODY = b'{"input_data": {"a": 1}}'


def signed(
    key: str = "key", secret: str = "secret", service: str = "sagemaker", query: str = ""
) -> dict[str, str]:
    """Return the headers that AWS's own library sends."""
    headers = {"Content-Type": "application/json", "Host": "127.0.0.1:5055"}
    request = AWSRequest("POST", URL + query, headers, BODY)
    SigV4Auth(Credentials(key, secret), service, "eu-central-1").add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def check(headers: dict[str, str], body: bytes = BODY, query: str = "", key: str = "key") -> None:
    path = "/endpoints/thinker/invocations"
    signature.check("POST", path, query, headers, body, key, "secret")


def test_what_aws_signs_is_taken():
    check(signed())
    check(signed(query="?a=b"), query="a=b")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"authorization": ""}, "Missing"),
        ({"authorization": "Bearer token"}, "Missing"),
        ({"host": "another:5055"}, "does not match"),
        ({"content-type": "text/plain"}, "does not match"),
        ({"x-amz-date": ""}, "ISO-8601"),
        ({"x-amz-date": "20200101T000000Z"}, "expired"),
    ],
)
def test_what_was_changed_on_the_way_is_refused(changes, said):
    with pytest.raises(Refused, match=said):
        check(signed() | changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"secret": "other"}, "does not match"),
        ({"key": "other"}, "invalid"),
        ({"service": "s3"}, "scoped"),
    ],
)
def test_another_key_or_service_is_refused(changes, said):
    with pytest.raises(Refused, match=said):
        check(signed(**changes))


def test_another_body_or_query_is_refused():
    for changed in ({"body": b"{}"}, {"query": "a=b"}):
        with pytest.raises(Refused, match="does not match"):
            check(signed(), **changed)


def test_a_header_that_was_signed_has_to_come():
    headers = signed()
    del headers["content-type"]
    with pytest.raises(Refused, match="must be sent"):
        check(headers)


def test_a_signature_of_yesterday_is_refused():
    headers = signed()
    then = datetime.now(UTC) - timedelta(minutes=6)
    with pytest.raises(Refused, match="expired"):
        check(headers | {"x-amz-date": then.strftime("%Y%m%dT%H%M%SZ")})


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ({"input_data": {"a": 1, "b": 2.5, "c": "red"}}, {"prediction": 3.5}),
        ({"input_data": [{"a": 1}, {"a": 2}]}, {"prediction": [1.0, 2.0]}),
        ({"instances": [{"a": 1}]}, {"predictions": [1.0]}),
        ({"image_data": "abc"}, {"prediction": 3.0}),
        ({"image_data": ["abc", "d"]}, {"prediction": [3.0, 1.0]}),
    ],
)
def test_it_answers_in_the_form_of_the_question(asked: dict[str, Any], answer: dict[str, Any]):
    assert json.loads(json.dumps(server.predict(asked))) == answer
