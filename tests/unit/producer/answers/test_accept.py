"""The media type that a client prefers."""

import pytest
from fastapi import Request
from starlette.exceptions import HTTPException

from app.producer.answers.accept import best, choose

JSON, CSV, LINES = "application/json", "text/csv", "application/jsonlines"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, JSON),
        ("", JSON),
        (" , ", JSON),
        ("*/*", JSON),
        ("text/csv", CSV),
        ("Text/CSV", CSV),
        ("text/csv; charset=utf-8", CSV),
        ("text/*", CSV),
        ("application/*", JSON),
        (BROWSER, JSON),
        ("application/json, text/plain, */*", JSON),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON),
        ("text/csv, */*", CSV),
        ("text/csv, application/json", JSON),
        ("text/csv;q=0.5, application/json;q=0.4", CSV),
        ("text/csv; q=0.5 , application/jsonlines ; q=0.9", LINES),
        ("*/*, application/json;q=0", CSV),
        ("application/json;q=0.1, */*;q=0.9", CSV),
        ('text/plain; note="a,b", text/csv', CSV),
        ("text/csv;q=2, application/json", JSON),
        ("text/csv;q=-1", None),
        ("text/csv;q=high, application/jsonlines", LINES),
        ("text/csv;q=nan", JSON),
        ("nonsense", JSON),
        ("text/html", None),
        ("*/*;q=0", None),
        ("text/csv;q=0", None),
        ("image/*", None),
    ],
)
def test_the_preferred_type_is_chosen(header: str | None, expected: str | None) -> None:
    assert best(header, [JSON, CSV, LINES]) == expected


def _request(*accept: bytes) -> Request:
    return Request({"type": "http", "headers": [(b"accept", each) for each in accept]})


def test_several_headers_are_one_list() -> None:
    assert choose(_request(b"text/html", b"text/csv"), [JSON, CSV]) == CSV


def test_an_answer_that_does_not_exist_is_a_406_that_names_the_forms() -> None:
    with pytest.raises(HTTPException) as caught:
        choose(_request(b"text/html"), [JSON, CSV])
    assert caught.value.status_code == 406
    assert "ask for application/json, text/csv" in caught.value.detail
