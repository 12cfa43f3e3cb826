"""The form of keys: what is one, and what a typing error makes of it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth.tokens import KEY_PREFIX, SESSION_PREFIX, new_token, read_id

KEY = new_token(KEY_PREFIX)
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize("prefix", [KEY_PREFIX, SESSION_PREFIX])
def test_a_token_has_its_form_and_gives_its_id(prefix: str) -> None:
    made = new_token(prefix)

    assert re.fullmatch(rf"{prefix}_[0-9A-Za-z]{{8}}_[0-9A-Za-z]{{38}}", made.text)
    assert made.text.split("_")[1] == made.id
    assert read_id(made.text.encode(), prefix) == made.id


def test_no_token_is_made_twice() -> None:
    assert len({new_token(KEY_PREFIX).text for _ in range(1000)}) == 1000


def test_a_session_is_no_key() -> None:
    assert read_id(new_token(SESSION_PREFIX).text.encode(), KEY_PREFIX) is None
    assert read_id(KEY.text.encode(), SESSION_PREFIX) is None


@given(st.integers(0, len(KEY.text) - 1), st.sampled_from(LETTERS))
def test_a_wrong_character_is_seen_by_the_checksum(place: int, letter: str) -> None:
    wrong = KEY.text[:place] + letter + KEY.text[place + 1 :]

    assert (read_id(wrong.encode(), KEY_PREFIX) is None) is (wrong != KEY.text)


@given(st.binary(max_size=80))
def test_junk_is_no_token(junk: bytes) -> None:
    assert read_id(junk, KEY_PREFIX) is None


@pytest.mark.parametrize(
    "text",
    [KEY.text[:-1], KEY.text + "\n", " " + KEY.text, KEY.text.upper()],
    ids=["short", "line break", "blank", "upper case"],
)
def test_an_incomplete_copy_is_no_token(text: str) -> None:
    assert read_id(text.encode(), KEY_PREFIX) is None
