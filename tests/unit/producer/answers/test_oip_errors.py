import json

import pytest
from fastapi import Request

from app.producer.answers.oip_errors import is_of_protocol, protocol_error
from app.producer.answers.problems import problem


def shown(path, status, root_path="", **extra):
    request = Request({"type": "http", "path": path, "root_path": root_path})
    return protocol_error(request, problem(status, "age: it is wrong", "invalid", **extra))


@pytest.mark.parametrize("path", ["/v2", "/v2/", "/v2/models/m/infer", "/v2/nowhere"])
@pytest.mark.parametrize(("status", "told"), [(422, 400), (400, 400), (404, 404), (503, 503)])
def test_an_error_below_v2_is_that_of_the_protocol(path, status, told):
    answer = shown(path, status)

    assert is_of_protocol(path)
    assert (answer.status_code, answer.headers["content-type"]) == (told, "application/json")
    assert json.loads(answer.body) == {"error": "age: it is wrong"}
    assert ("retry-after" in answer.headers) is (told == 503)


def test_below_a_prefix_the_rest_of_the_path_counts():
    assert json.loads(shown("/warren/v2/models", 404, "/warren").body).keys() == {"error"}


def test_a_401_says_how_to_authenticate():
    assert shown("/v2", 401).headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/", "/v2s", "/v", "/models/v2", "/predict"])
def test_other_paths_keep_their_problems(path):
    answer = shown(path, 422)

    assert (answer.status_code, json.loads(answer.body)["type"]) == (422, "invalid")
