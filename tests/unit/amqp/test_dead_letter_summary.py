from datetime import UTC, datetime

import pika
import pytest

from app.amqp.dead_letter_summary import deaths
from app.amqp.dead_letters import DeadLetter

EARLY, LATE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("found", "first", "times"),
    [
        ([{"time": LATE, "count": 2}, {"time": EARLY, "count": 3}], "2026-01-01T00:00:00Z", 5),
        ([{"time": LATE}], "2026-01-02T00:00:00Z", None),
        ([{"time": "<b>", "count": "many"}, "x", None], None, None),
        ("not a list", None, None),
        (None, None, None),
    ],
)
def test_a_message_tells_when_it_died_first_and_how_often(found, first, times):
    properties = pika.BasicProperties(headers={"x-death": found})

    assert deaths(DeadLetter("a", 1, properties, b"")) == {"first": first, "deaths": times}
    assert deaths(DeadLetter("a", 1, pika.BasicProperties(), b""))["first"] is None
