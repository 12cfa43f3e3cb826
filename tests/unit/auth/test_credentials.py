"""Which texts open a door: those whose hash is known, until they end."""

from datetime import UTC, datetime, timedelta

import pytest

from app.auth.credentials import Credential, Credentials
from app.auth.hashing import token_hash
from app.auth.identity import Identity, Scope
from app.auth.tokens import KEY_PREFIX, SESSION_PREFIX, Token, new_token

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = b"of this database"
KEY, SESSION = new_token(KEY_PREFIX), new_token(SESSION_PREFIX)
WHO = Identity("team", frozenset((Scope.PREDICT,)), KEY.id)


def known(token: Token, ends: datetime | None = None, secret: bytes = SECRET) -> Credentials:
    found = {token.id: Credential(WHO, token_hash(secret, token.text.encode()), ends)}
    is_key = token.text.startswith(KEY_PREFIX)
    return Credentials("1", SECRET, found if is_key else {}, {} if is_key else found)


@pytest.mark.parametrize("token", [KEY, SESSION])
def test_a_known_token_stands_for_its_identity(token: Token) -> None:
    assert known(token).check(token.text.encode(), NOW) == WHO


@pytest.mark.parametrize("token", [KEY, SESSION])
def test_a_token_ends(token: Token) -> None:
    ends = known(token, NOW)

    assert ends.check(token.text.encode(), NOW - timedelta(seconds=1)) == WHO
    assert ends.check(token.text.encode(), NOW) is None


def test_the_right_id_with_another_secret_is_refused() -> None:
    guessed = new_token(KEY_PREFIX)
    credentials = known(Token(guessed.id, KEY.text))

    assert credentials.check(guessed.text.encode(), NOW) is None


def test_a_hash_of_another_database_opens_nothing() -> None:
    assert known(KEY, secret=b"of another one").check(KEY.text.encode(), NOW) is None


def test_an_unknown_token_is_refused() -> None:
    assert known(KEY).check(new_token(KEY_PREFIX).text.encode(), NOW) is None


def test_nothing_of_the_secret_is_shown() -> None:
    assert "of this database" not in repr(known(KEY))
