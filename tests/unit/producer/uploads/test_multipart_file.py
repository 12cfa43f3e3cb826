import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.producer.uploads.multipart_file import MultipartFile


def read(body, size=1000, boundary="xyz"):
    following = iter([*(body[at : at + size] for at in range(0, len(body), size)), b""])
    file = MultipartFile(lambda: next(following), boundary)
    content = b""
    while chunk := file.next_chunk():
        content += chunk
    return content, file.content_type


def form(*contents, headers=b"Content-Type: text/csv"):
    head = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n'
    return b"".join(head + headers + b"\r\n\r\n" + each + b"\r\n" for each in contents) + (
        b"--xyz--\r\n"
    )


@given(content=st.binary(max_size=80), size=st.integers(1, 200))
def test_the_file_is_what_was_sent_wherever_the_body_is_cut(content, size):
    assert read(form(content), size) == (content, "text/csv")


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize(
    "content", [b"\r\n--xy", b"\r\n" * 50, b"--xyz", b"a\r\n--xyzz\r\n--xy\r\n"]
)
def test_what_looks_like_a_boundary_belongs_to_the_file(content, size):
    assert read(form(content), size)[0] == content


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the form has no part; send one part with the file: curl -X PUT -F file=@data.csv"),
        (form(b"a", b"b"), "the form has several parts"),
        (form(b"a")[:-10], "the form was cut off: its last boundary is missing"),
        (b"a,b\n1,2\n", "not a readable form"),
        (form(b"a", headers=b"Content-Transfer-Encoding: base64"), "send its bytes as they are"),
        (form(b"a", headers=b"X: " + b"a" * 9000), "not a readable form"),
        (form(b"a", headers=b"X" * 9000 + b": a"), "not a readable form"),
        (form(b"a", headers=b"\x00: a"), "not a readable form"),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_what_is_no_form_with_one_file_is_refused(body, said, size):
    with pytest.raises(errors.Invalid) as caught:
        read(body, size)

    assert said in caught.value.detail


def test_a_boundary_that_is_too_long_is_refused():
    with pytest.raises(errors.Invalid, match="the boundary in Content-Type is too long"):
        read(form(b"a"), boundary="x" * 5000)


def test_a_form_without_a_boundary_is_refused():
    with pytest.raises(errors.Invalid, match="Content-Type has no boundary"):
        read(form(b"a"), boundary="")
