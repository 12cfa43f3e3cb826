import pytest

from app.remote.redaction import SecretRedactor
from app.settings import Settings
from tests.support.remote_calls import TOKEN, WRITTEN


@pytest.mark.parametrize("padding", [0, 1, 150, 175, 190, 199, 200, 780, 799, 5000])
@pytest.mark.parametrize("write", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("secret", [TOKEN, 'a"b\\c/d-of-the-suite', "sh/rt"])
def test_no_part_of_a_secret_is_quoted(padding, write, secret):
    hidden = SecretRedactor(Settings(_env_file=None, invoke_secrets={"token": secret}))
    said = hidden.quote(b"\0" * 9 + b"." * padding + write(secret).encode() + b" ok")
    assert len(said) <= 200
    assert said.strip(".").removesuffix(" ok") in ("***", "**", "*", "")


@pytest.mark.parametrize(
    ("body", "quoted"),
    [
        (b"", ""),
        (b"no\x1b[31m\nsuch\t luck", "no [31m such luck"),
        ("ä".encode("latin-1"), "\ufffd"),
        (b"x" * 1000, "x" * 200),
    ],
)
def test_a_quote_is_one_short_printable_line(body, quoted):
    assert SecretRedactor(Settings(_env_file=None)).quote(body) == quoted


def test_only_a_secret_that_is_long_enough_is_found_in_an_answer():
    secrets = {"long": "t0ken-of-the-suite", "short": "sh/rt", "aws": "ID:the-key-of-the-suite"}
    redactor = SecretRedactor(Settings(_env_file=None, invoke_secrets=secrets))

    assert redactor.has_secret({"prediction": ["a t0ken-of-the-suite b"]})
    assert redactor.has_secret({"prediction": {"the-key-of-the-suite": 1}})
    assert not redactor.has_secret({"prediction": "sh/rt"})
