"""The page for operators shows the rights that the broker's users have."""

import re
from pathlib import Path

import pytest

from app.amqp.permissions import CLIENT_PREFIX, RIGHTS, Role

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
USERS = {
    "warren-producer": Role.PRODUCER,
    "warren-consumer": Role.CONSUMER,
    "warren-tools": Role.TOOLS,
    "warren": Role.OPERATOR,
    f"{CLIENT_PREFIX}OWNER": Role.CLIENT,
}


def cells(user: str) -> list[str]:
    """Return the cells of a user's row."""
    (row,) = re.findall(rf"^\| `{user}`.*$", PAGE.read_text(), re.MULTILINE)
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


@pytest.mark.parametrize(("user", "role"), USERS.items())
def test_the_rights_of_a_user_are_those_of_the_table(user, role):
    _, *patterns, tags = cells(user)

    assert patterns == [f"`{each}`" for each in RIGHTS[role].patterns.values()]
    assert tuple(filter(None, tags.split(", "))) == RIGHTS[role].tags


def test_every_role_has_a_row():
    assert set(USERS.values()) == set(Role)
