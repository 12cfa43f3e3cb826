from datetime import UTC, datetime

import pytest
from fastapi import Request
from starlette.exceptions import HTTPException

from app.datasets.version import DatasetVersion
from app.producer.conditions.dataset_conditions import DatasetConditions

CURRENT = DatasetVersion("d", "v1", "key", '"etag"', 1, None, None, None, None, datetime.now(UTC))


def conditions(**sent):
    headers = [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()]
    return DatasetConditions.of(Request({"type": "http", "headers": headers}))


@pytest.mark.parametrize(
    ("sent", "current", "replaced"),
    [
        ({}, CURRENT, None),
        ({}, None, None),
        ({"if_match": "*"}, CURRENT, None),
        ({"if_match": '"v1"'}, CURRENT, CURRENT),
        ({"if_match": '"v0", "v1"'}, CURRENT, CURRENT),
        ({"if_match": '"v1.c0ffee"'}, CURRENT, CURRENT),  # the tag of its description
        ({"if_none_match": "*"}, None, None),
        ({"if_none_match": '"v0.c0ffee"'}, CURRENT, None),
        ({"if_none_match": '"v0"'}, CURRENT, None),
        ({"if_none_match": '"v1"'}, None, None),
    ],
)
def test_a_condition_that_holds_lets_the_request_through(sent, current, replaced):
    assert conditions(**sent).check("d", lambda _: current) == replaced


@pytest.mark.parametrize(
    ("sent", "current", "said"),
    [
        ({"if_match": "*"}, None, "there is no data set d, and If-Match wants it"),
        ({"if_match": '"v0"'}, CURRENT, 'data set d is not at "v0" but at "v1"'),
        ({"if_match": '"v0.v1"'}, CURRENT, 'data set d is not at "v0.v1" but at "v1"'),
        ({"if_match": "v1"}, CURRENT, 'data set d is not at v1 but at "v1"'),
        ({"if_match": 'W/"v1"'}, CURRENT, 'not at W/"v1" but at "v1"'),
        ({"if_match": '"v1"'}, None, "there is no data set d"),
        ({"if_none_match": "*"}, CURRENT, "If-None-Match forbids it"),
        ({"if_none_match": '"v1.c0ffee"'}, CURRENT, "If-None-Match forbids it"),
        ({"if_none_match": '"v0", "v1"'}, CURRENT, "If-None-Match forbids it"),
        ({"if_match": "*", "if_none_match": "*"}, CURRENT, "If-None-Match forbids it"),
    ],
)
def test_a_condition_that_does_not_hold_is_a_412(sent, current, said):
    with pytest.raises(HTTPException) as caught:
        conditions(**sent).check("d", lambda _: current)

    assert caught.value.status_code == 412
    assert said in caught.value.detail


def test_without_conditions_nobody_looks():
    conditions().check("d", lambda _: pytest.fail("it looked"))
