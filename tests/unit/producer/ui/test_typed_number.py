"""A number that a person types is read as it is meant, and nothing else is a number."""

import pytest

from app.producer.ui.typed_number import typed_number


@pytest.mark.parametrize(
    ("text", "value"),
    [("7", 7), (" -0.5 ", -0.5), ("+1.", 1), (".25", 0.25), ("1e3", 1000), ("2E-1", 0.2)],
)
def test_a_number_is_read(text, value):
    assert typed_number(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1_0",
        "\N{ARABIC-INDIC DIGIT THREE}",
        "nan",
        "inf",
        "-Infinity",
        "1e400",
        "0x10",
        "1,5",
        "1 2",
        "1e",
        ".",
        "e3",
    ],
)
def test_other_texts_are_none(text):
    with pytest.raises(ValueError):  # noqa: PT011  it has no text
        typed_number(text)
