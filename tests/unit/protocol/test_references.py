"""References to models: which texts are some, and what they consist of."""

import pytest
from pydantic import TypeAdapter, ValidationError

from app.protocol.references import AliasName, ModelName, ModelReference, Reference, is_generated

REFERENCE = TypeAdapter(ModelReference)
NAME = TypeAdapter(ModelName)
ALIAS = TypeAdapter(AliasName)
HEX = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("m", ("m", None, None)),
        (HEX, (HEX, None, None)),
        ("latest", ("latest", None, None)),
        ("churn:3", ("churn", None, 3)),
        ("churn:999999999", ("churn", None, 999_999_999)),
        ("churn@champion", ("churn", "champion", None)),
        ("red~churn@a-b_c", ("red~churn", "a-b_c", None)),
        (f"{'o' * 32}~{'n' * 64}@{'a' * 30}", (f"{'o' * 32}~{'n' * 64}", "a" * 30, None)),
    ],
)
def test_a_reference_has_parts_and_is_written_from_them(
    text: str, parts: tuple[str, str | None, int | None]
) -> None:
    assert REFERENCE.validate_python(text) == text
    assert Reference.parse(text) == parts
    assert Reference.parse(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "@a", ":1", "m@", "m:", "m:0", "m:01", "m:-1", "m:a", "m@1", "m@a@b", "m:1:2"),
        *("m@a:1", "m:1@a", "m@a b", "m @a", "RED~m@a", "m@a\n", "m@" + "a" * 31, "x" * 129),
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="behind a name, @alias or :version may follow"):
        REFERENCE.validate_python(text)


@pytest.mark.parametrize("name", ["churn", "a.b-c_d", "0", HEX[:-1], HEX.upper(), "x" * 64])
def test_a_name_is_like_an_id(name: str) -> None:
    assert NAME.validate_python(name) == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("latest", "latest always means the newest model"),
        (HEX, "32 hexadecimal digits are the id of a model"),
        ("a:1", "at most 64 characters"),
        ("red~a", "at most 64 characters"),
        ("x" * 65, "at most 64 characters"),
    ],
)
def test_a_name_that_means_something_else_is_refused(name: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        NAME.validate_python(name)


@pytest.mark.parametrize("alias", ["latest", "1", "a.b", "", "x" * 31])
def test_an_alias_begins_with_a_letter_and_is_not_latest(alias: str) -> None:
    with pytest.raises(ValidationError):
        ALIAS.validate_python(alias)


def test_generated_ids_are_known_by_their_form() -> None:
    assert all(is_generated(each) for each in (HEX, f"red~{HEX}"))
    assert not any(is_generated(each) for each in ("m", HEX[:-1], HEX + "0", f"red~{HEX[:-1]}x"))
