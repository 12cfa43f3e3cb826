"""The forms of a request and of its answer, by its headers."""

import pytest
from fastapi import Request
from starlette.exceptions import HTTPException

from app import errors
from app.producer.invocations.media import csv_header, form_of_answer, form_of_request

JSON, CSV, LINES = "application/json", "text/csv", "application/jsonlines"


def request(kind: str | None, accept: str | None = None) -> Request:
    pairs = (("content-type", kind), ("accept", accept))
    headers = [(name.encode(), value.encode()) for name, value in pairs if value is not None]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    ("kind", "accept", "expected"),
    [
        # The answer has the form of the request ...
        (JSON, None, JSON),
        ("application/vnd.x+json; charset=utf-8", "*/*", JSON),
        (CSV, None, CSV),
        ("Text/CSV; header=present", "*/*", CSV),
        (LINES, None, LINES),
        ("application/x-ndjson; charset=utf-8", "*/*", "application/x-ndjson"),
        ("application/x-jsonlines", None, LINES),
        ("image/png", "*/*", JSON),
        # ... unless another one is preferred.
        (CSV, JSON, JSON),
        (JSON, CSV, CSV),
        (JSON, "text/*", CSV),
        (CSV, "application/*", JSON),
        (JSON, "application/jsonl", "application/jsonl"),
        (JSON, "application/json;q=0.1, application/jsonlines", LINES),
        ("image/jpeg", CSV, CSV),
    ],
)
def test_the_form_of_an_answer(kind: str, accept: str | None, expected: str) -> None:
    asked = request(kind, accept)
    assert form_of_answer(asked, form_of_request(asked)) == expected


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/x-npy", "text/csvx"])
def test_an_unknown_form_is_refused_with_those_that_are_known(kind: str | None) -> None:
    with pytest.raises(errors.Unsupported) as caught:
        form_of_request(request(kind))
    for known in (JSON, CSV, LINES, "image/png"):
        assert known in caught.value.detail
        assert known in caught.value.extra["media_types"]


def test_curl_s_own_type_is_refused_by_its_name() -> None:
    with pytest.raises(errors.Unsupported, match="curl's -d says that it sends application/x-www"):
        form_of_request(request("application/x-www-form-urlencoded"))


def test_an_answer_in_an_unknown_form_is_refused() -> None:
    with pytest.raises(HTTPException, match=r"406.*text/csv"):
        form_of_answer(request(JSON, "application/x-npy"), JSON)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("text/csv", None),
        ("text/csv; charset=UTF-8", None),
        ("text/csv;header=present", "present"),
        ('text/csv; charset=utf-8; HEADER="Absent"', "absent"),
    ],
)
def test_what_the_content_type_says_of_a_header(kind: str, expected: str | None) -> None:
    assert csv_header(request(kind)) == expected


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("text/csv; header=yes", errors.Invalid, "Content-Type: header must be present or absent"),
        ("text/csv; charset=utf-16", errors.Unsupported, "body: its charset is utf-16, by its"),
    ],
)
def test_parameters_that_are_not_known(kind: str, error: type[errors.Invalid], said: str) -> None:
    with pytest.raises(error) as caught:
        csv_header(request(kind))
    assert caught.value.detail.startswith(said)
