"""Members of JSON columns are read whatever texts stand beside them, on each kind of database."""

import pytest
import sqlalchemy as sa

from app.database.engine import connect
from app.database.json_members import json_text
from app.database.tables import jobs_table
from app.protocol.types import JobKind


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"name": "plain"}, "plain"),
        ({"name": "\N{GRINNING FACE} é"}, "\N{GRINNING FACE} é"),
        ({"name": "x", "other": ["a\0b"]}, "x"),
        ({"name": "x", "other": "\ud800 \udfff"}, "x"),
        ({"name": "x", "a\0": {"\udc00": 1}}, "x"),
        ({"name": "\N{GRINNING FACE}", "other": "\0"}, "\N{GRINNING FACE}"),
        ({"name": "c:\\u0000", "other": "\0"}, "c:\\u0000"),
        ({"name": "\\\\", "other": "\\\0"}, "\\\\"),
        ({"name": None}, None),
        ({"other": 1}, None),
    ],
)
def test_a_member_is_its_text(store, value, expected):
    assert store.create("m", JobKind.TRAIN, "d", value)

    with connect(store.engine) as connection:
        assert connection.scalar(sa.select(json_text(jobs_table.c.request, "name"))) == expected
        is_it = json_text(jobs_table.c.request, "name") == expected
        assert connection.scalar(sa.select(jobs_table.c.id).where(is_it)) == "m"
