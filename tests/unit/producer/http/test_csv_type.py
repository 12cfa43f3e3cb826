import pytest
from starlette.requests import Request

from app import errors
from app.producer.http.csv_type import check_csv_type


def request(content_type):
    headers = [] if content_type is None else [(b"content-type", content_type.encode())]
    return Request({"type": "http", "headers": headers})


@pytest.mark.parametrize(
    "content_type",
    [
        *(None, "", "text/csv", "Text/CSV;charset=UTF-8", 'text/csv; charset="utf-8"'),
        *("text/csv; header=present", "text/csv; charset=us-ascii", "application/csv"),
        *("text/plain; charset=ISO-8859-1", "application/octet-stream", "application/vnd.ms-excel"),
        "application/x-www-form-urlencoded",
    ],
)
def test_what_clients_say_of_a_csv_is_accepted(content_type):
    check_csv_type(request(content_type))


@pytest.mark.parametrize(
    ("content_type", "says"),
    [
        ("application/json", "it is application/json, by its Content-Type; send CSV, with the hea"),
        ("application/vnd.apache.parquet", "send CSV, with the header Content-Type: text/csv"),
        ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "send CSV"),
        ("application/x-ndjson", "send CSV"),
        ("multipart/form-data; boundary=x", "send the file itself, not a form: curl -T data.csv"),
        (
            "text/csv; charset=utf-16",
            "its charset is utf-16, by its Content-Type; save it as UTF-8",
        ),
        ("text/csv; charset=shift_jis", "save it as UTF-8"),
        ("text/csv; header=absent", "add a first line with the names of the columns"),
        ("text/csv; header=Absent; charset=utf-8", "it has no header"),
    ],
)
def test_what_says_that_it_is_no_csv_is_refused_with_the_remedy(content_type, says):
    with pytest.raises(errors.Unsupported) as caught:
        check_csv_type(request(content_type))

    assert says in caught.value.detail
    assert caught.value.extra == {"field": "body", "media_types": "text/csv"}
    assert len(caught.value.detail) < 220
