import pytest
from starlette.requests import Request

from app import errors
from app.producer.uploads.table_type import MEDIA_TYPES, RequestTable


def table(content_type, *chunks):
    headers = [] if content_type is None else [(b"content-type", content_type.encode())]
    following = iter([*chunks, b""])
    return RequestTable(Request({"type": "http", "headers": headers}), lambda: next(following))


@pytest.mark.parametrize(
    ("content_type", "kind", "delimiter", "charset"),
    [
        *((each, None, None, "") for each in (None, "", "application/csv", "text/csv; header=yes")),
        ("Text/CSV;charset=UTF-8", None, None, "utf-8"),
        ('text/csv; charset="utf-8"', None, None, "utf-8"),
        ("text/csv; charset=us-ascii", None, None, "us-ascii"),
        ("text/csv; charset=cp1252", None, None, "cp1252"),
        ("text/csv; charset=utf-16", None, None, "utf-16"),
        ("text/plain; charset=ISO-8859-1", None, None, "iso-8859-1"),
        ("application/octet-stream", None, None, ""),
        ("application/vnd.ms-excel", None, None, ""),
        ("application/x-www-form-urlencoded", None, None, ""),
        ("text/tab-separated-values", None, "\t", ""),
        ("application/gzip", None, None, ""),
        ("application/vnd.apache.parquet", "parquet", None, ""),
        ("application/vnd.apache.arrow.stream", "arrow", None, ""),
        ("application/vnd.apache.arrow.file", "arrow", None, ""),
    ],
)
def test_what_a_content_type_says_is_noted(content_type, kind, delimiter, charset):
    found = table(content_type, b"a\n")

    assert (found.kind, found.delimiter, found.charset) == (kind, delimiter, charset)
    assert [found.next_chunk() for _ in range(2)] == [b"a\n", b""]


@pytest.mark.parametrize(
    ("content_type", "says"),
    [
        ("application/json", "it is application/json, by its Content-Type; send CSV, Parquet or A"),
        ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "send CSV"),
        ("application/x-ndjson", "send CSV"),
        ("text/csv; charset=shift_jis", "its charset is shift_jis, by its Content-Type; save it"),
        ("text/csv; header=absent", "add a first line with the names of the columns"),
        ("text/csv; header=Absent; charset=utf-8", "it has no header"),
    ],
)
def test_what_says_that_it_is_no_table_is_refused_with_the_remedy(content_type, says):
    with pytest.raises(errors.Unsupported) as caught:
        table(content_type)

    assert says in caught.value.detail
    assert caught.value.extra == {"field": "body", "media_types": ", ".join(MEDIA_TYPES)}
    assert len(caught.value.detail) < 260


FORM = "multipart/form-data; boundary=xyz"


def part(content, *headers):
    return b"\r\n".join([b"--xyz", *headers, b"", content, b"--xyz--", b""])


DISPOSITION = b'Content-Disposition: form-data; name="file"; filename="a.csv"'


@pytest.mark.parametrize("size", [1, 10, 1000])
def test_the_file_of_a_form_is_read_with_its_own_type(size):
    body = part(b"a\tb\r\n1\t2\r\n", DISPOSITION, b"Content-Type: text/tab-separated-values")
    found = table(FORM, *(body[at : at + size] for at in range(0, len(body), size)))

    read = b""
    while chunk := found.next_chunk():
        read += chunk
        assert found.delimiter == "\t"
    assert read == b"a\tb\r\n1\t2\r\n"


def test_a_type_of_no_table_in_a_form_is_refused():
    found = table(FORM, part(b"{}", DISPOSITION, b"Content-Type: application/json"))

    with pytest.raises(errors.Unsupported, match="it is application/json"):
        found.next_chunk()
