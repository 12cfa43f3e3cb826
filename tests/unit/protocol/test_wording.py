"""Names in errors are bounded, safe to read, and compared as people compare them."""

import unicodedata

import pytest

from app.errors import escaped
from app.protocol.wording import (
    MAX_NAME,
    MAX_NFC,
    did_you_mean,
    listed,
    nearest,
    nfc,
    quoted,
    repeated,
)


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("Diabetes", ["iris", "diabetes"], "diabetes"),
        ("inputData", ["input_data", "image_data"], "input_data"),
        ("input-data", ["input_data", "image_data"], "input_data"),
        (" age", ["age", "bmi"], "age"),
        ("featurs", ["features", "target"], "features"),
        ("n_estimator", ["n_estimators", "n_jobs"], "n_estimators"),
        ("größe", [unicodedata.normalize("NFD", "größe")], unicodedata.normalize("NFD", "größe")),
        ("GRÖSSE", ["größe"], "größe"),
        ("price", ["age", "bmi"], None),
        ("", ["age"], None),
        ("x" * 10**6, ["x" * 10**6], None),
        ("age", ["x" * 10**6, "Age"], "Age"),
    ],
)
def test_the_nearest_known_name_is_the_one_that_was_meant(name, known, found):
    assert nearest(name, known) == found


def test_letters_are_compared_with_few_names_only():
    read = 0

    def names():
        nonlocal read
        for read in range(1, 10**6):
            yield f"column {read}"

    assert nearest("columnx", names()) is not None
    assert read == 10_000


def test_a_question_names_the_nearest():
    assert did_you_mean("Ridge", ["ridge"]) == '; did you mean "ridge"?'
    assert did_you_mean("forest", ["ridge"]) == ""


def test_names_that_are_repeated_are_in_the_order_of_the_first():
    assert repeated(["b", "a", "c", "a", "b", "b"]) == ["b", "a"]
    assert repeated(name for name in ("a", "b")) == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a", '"a"'),
        ("größe", '"größe"'),
        ('a"b\n', '"a\\"b\\n"'),
        ("a\u202eb", '"a\\u202eb"'),
        ("größe\u200c", '"größe\\u200c"'),
        ("x" * 100, f'"{"x" * 80}…"'),
    ],
)
def test_a_text_is_quoted_as_json_and_cut(text, shown):
    assert quoted(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a: größe", "a: größe"),
        ("a\x1b[31m\n\u202eb", "a\\u001b[31m\\n\\u202eb"),
        ("क्\u200dष", "क्\\u200dष"),
        ("\U000e0041", "\\udb40\\udc41"),
        ("{}%s", "{}%s"),
    ],
)
def test_characters_that_cannot_be_seen_are_escaped(text, shown):
    assert escaped(text) == shown


def test_names_that_are_hard_to_see_are_quoted_in_a_list():
    assert listed(["", " b", "c ", "d e"]) == '"", " b", "c ", d e'


def test_long_lists_and_long_names_are_cut():
    assert listed(["a", "b"]) == "a, b"
    assert listed([]) == ""
    assert listed(["x" * 10**6]) == f"{'x' * MAX_NAME}…"
    names = [f"column {n}" for n in range(10_000)]
    assert listed(names).startswith("column 0, column 1, ")
    assert listed(names).endswith(" more")
    assert len(listed(names)) < 1100


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKD"])
def test_a_name_has_one_form(form):
    assert nfc(unicodedata.normalize(form, "größe")) == "größe"
    assert nfc("age") == "age"


def test_a_name_that_would_take_too_long_is_not_composed():
    accents = "\u0327\u0301"

    assert nfc("c" + accents * 10) != "c" + accents * 10
    endless = "c" + accents * MAX_NFC
    assert nfc(endless) is endless
