import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import errors
from app.inference.base64_text import decode_base64

FORMS = {
    "plain": base64.b64encode,
    "lines of 76": base64.encodebytes,
    "lines of 64, CRLF": lambda file: b"\r\n".join(
        base64.b64encode(file)[at : at + 64] for at in range(0, 2 * len(file), 64)
    ),
    "blanks around": lambda file: b" \t" + base64.b64encode(file) + b"\n",
    "for URLs": base64.urlsafe_b64encode,
    "no padding": lambda file: base64.b64encode(file).rstrip(b"="),
    "for URLs, no padding": lambda file: base64.urlsafe_b64encode(file).rstrip(b"="),
    "a data URL": lambda file: b"data:image/png;base64," + base64.b64encode(file),
    "a percent-encoded data URL": lambda file: (
        b"data:image/png;base64," + quote(base64.b64encode(file), safe="").encode()
    ),
    "a data URL without a type": lambda file: b"data:;base64," + base64.b64encode(file),
    "a data URL with parameters": lambda file: (
        b"Data:image/png;name=a.png;BASE64,\n" + base64.urlsafe_b64encode(file)
    ),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@given(file=st.binary())
def test_each_form_of_base64_is_read(form, file):
    assert decode_base64(form(file).decode(), "image_data") == file


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("red!", "not base64"),
        ("é" * 8, "not base64"),
        ("abcde", "not base64"),
        ("ab=c", "not base64"),
        ("====", "not base64"),
        ("data:image/png," + "a" * 8, "a data: URL has to say ;base64"),
        ("data:image/png;base64;" + "a" * 8, "not base64"),
        ("data:image/png;base64,red!", "not base64"),
        ("https://example.com/cat.png", "the address of an image is not read"),
    ],
)
def test_what_is_no_base64_is_refused(text, says):
    with pytest.raises(errors.Invalid, match=f"image_data.3: {says}"):
        decode_base64(text, "image_data.3")
