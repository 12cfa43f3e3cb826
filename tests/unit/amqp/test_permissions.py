"""The rights of the broker's users, without a broker."""

import re

import pytest

from app.amqp.permissions import DEFAULT_EXCHANGE, RIGHTS, Role, pattern
from app.amqp.topology import (
    DEAD_LETTER_QUEUE,
    EXCHANGE_TYPES,
    QUEUE_TYPES,
    REQUEST_EXCHANGE,
    RETRY_QUEUES,
    WORK_EXCHANGE,
    WORK_QUEUES,
)

KINDS = ("configure", "write", "read")
NAMES = (
    *QUEUE_TYPES,
    *EXCHANGE_TYPES,
    DEFAULT_EXCHANGE,
    *("amq.topic", "amq.gen-0123456789", "amq.genuine", "amq.rabbitmq.reply-to", "", "billing"),
    *("queue.model.dead.lock", "queue.model.trainx", "xqueue.model.train", "queueXmodel.train"),
    *("queue.consumer.a:1", "queue.consumer"),
)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("kind", KINDS)
def test_a_pattern_matches_the_names_that_the_table_allows(role, kind):
    rights = RIGHTS[role]
    matched = {name for name in NAMES if re.search(rights.patterns[kind], name)}

    assert matched == {name for name in NAMES if rights.allow(kind, name)}


def test_nobody_may_match_nothing_or_everything_by_mistake():
    assert pattern(()) == "^$"
    assert pattern(("a.b", "c-*")) == r"^(a\.b|c-.*)$"
    assert pattern(("*",)) == ".*"


def may(kind, name):
    """Who has a right, besides the operator, who has all of them."""
    found = {role for role, rights in RIGHTS.items() if rights.allow(kind, name)}
    return found - {Role.OPERATOR}


def test_only_those_who_need_a_right_have_it():
    assert may("write", DEFAULT_EXCHANGE) == {Role.CONSUMER}
    assert may("write", WORK_EXCHANGE) == {Role.PRODUCER, Role.CONSUMER, Role.TOOLS}
    assert may("write", REQUEST_EXCHANGE) == {Role.CLIENT, Role.TOOLS}
    for queue in WORK_QUEUES:
        assert may("read", queue) == {Role.CONSUMER}
    for queue in RETRY_QUEUES:
        assert may("read", queue) == set()
    assert may("read", DEAD_LETTER_QUEUE) == {Role.TOOLS}
    for name in (*QUEUE_TYPES, *EXCHANGE_TYPES):
        assert may("configure", name) == set()
    for exchange in (*EXCHANGE_TYPES, "amq.topic", "amq.rabbitmq.trace"):
        assert may("read", exchange) == set()  # so none of them binds a queue


def test_no_process_that_serves_is_an_administrator():
    assert {role for role, rights in RIGHTS.items() if "administrator" in rights.tags} == {
        Role.TOOLS
    }
    for role in (Role.PRODUCER, Role.CONSUMER, Role.CLIENT):
        assert RIGHTS[role].tags == ()
