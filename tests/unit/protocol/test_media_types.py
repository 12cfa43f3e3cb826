import pytest

from app.protocol.media_types import media_type


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("application/json", "application/json"),
        ("Application/JSON; charset=UTF-8", "application/json"),
        ("application/json;charset=utf-8", "application/json"),
        (" application/json ;", "application/json"),
        ("application/problem+json", "application/json"),
        ("application/vnd.api+JSON; v=1", "application/json"),
        ("application/x-ndjson; charset=utf-8", "application/x-ndjson"),
        ("application/ndjson", "application/x-ndjson"),
        ("application/jsonlines", "application/x-ndjson"),
        ("application/x-jsonlines", "application/x-ndjson"),
        ("application/jsonl", "application/x-ndjson"),
        ("application/x-jsonl", "application/x-ndjson"),
        ("application/JSONLines;charset=utf-8", "application/x-ndjson"),
        ("text/csv; header=present", "text/csv"),
        ("image/svg+json", "image/svg+json"),
        ("", ""),
        (";", ""),
        ("json", "json"),
    ],
)
def test_names_that_mean_the_same_are_one(written, meant):
    assert media_type(written) == meant
