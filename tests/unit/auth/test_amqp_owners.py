import pytest

from app import errors
from app.auth.amqp_owners import CLIENT_SCOPES, parse_owners
from app.auth.identity import Identity, Scope


def test_owners_are_read_from_the_setting():
    assert parse_owners("") == {}
    assert parse_owners(" a=team, b=other:predict+metrics,") == {
        "a": Identity("team", CLIENT_SCOPES),
        "b": Identity("other", frozenset({Scope.PREDICT, Scope.METRICS})),
    }


@pytest.mark.parametrize("text", ["a=x~y", "a=b c", "a=Team", "a=x.y", "a=-x", f"a={'x' * 33}"])
def test_an_owner_has_a_name_as_that_of_a_key(text):
    with pytest.raises(errors.Invalid, match="for the owner, use lower-case letters, digits"):
        parse_owners(text)


@pytest.mark.parametrize(
    "text", ["a", "=team", "a=", "a=team:", "a=team:fly", "a=team,a=team", "a=x,b=y,a=z"]
)
def test_a_wrong_setting_is_refused(text):
    with pytest.raises(errors.Invalid, match=r"^AMQP_OWNERS: .*write user=owner:predict\+train"):
        parse_owners(text)
