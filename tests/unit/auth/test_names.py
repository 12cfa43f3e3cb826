import pytest

from app.auth.names import owner_of, qualified, shown


@pytest.mark.parametrize(
    ("owner", "name", "full"),
    [
        ("default", "prices", "prices"),
        ("blue", "prices", "blue~prices"),
        ("blue", "default~prices", "prices"),
        ("blue", "red~prices", "red~prices"),
        ("default", "red~prices", "red~prices"),
    ],
)
def test_a_name_is_qualified_once(owner, name, full):
    assert qualified(owner, name) == full
    assert qualified(owner, full if "~" in full else f"default~{full}") == full
    assert qualified(owner, shown(owner, full)) == full


@pytest.mark.parametrize(("name", "owner"), [("prices", "default"), ("blue~prices", "blue")])
def test_a_name_tells_its_owner(name, owner):
    assert owner_of(name) == owner


@pytest.mark.parametrize(
    ("owner", "name", "seen"),
    [
        ("default", "prices", "prices"),
        ("blue", "prices", "default~prices"),
        ("blue", "blue~prices", "prices"),
        ("red", "blue~prices", "blue~prices"),
    ],
)
def test_an_owner_sees_no_owner_before_their_own_names(owner, name, seen):
    assert shown(owner, name) == seen
