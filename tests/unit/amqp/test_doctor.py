"""What the doctor says of a broker, as the management API would describe it."""

import copy

import pytest

from app.amqp.doctor import BrokerState, examine
from app.amqp.permissions import Role
from app.amqp.topology import (
    BINDINGS,
    EXCHANGE_TYPES,
    PREDICT_QUEUE,
    QUEUE_TYPES,
    TRAIN_QUEUE,
    WORK_EXCHANGE,
)
from app.amqp.users import User, password_hash, user_definitions

SERVICES = {f"warren-{role}": role for role in (Role.PRODUCER, Role.CONSUMER, Role.TOOLS)}
CLIENT = "wrn-client-team"
MADE = user_definitions(
    [
        *(User(role, name, "hush") for name, role in SERVICES.items()),
        User(Role.CLIENT, CLIENT, "hush"),
        User(Role.OPERATOR, "warren", "hush"),
    ],
    "/",
)


@pytest.fixture
def state():
    """A broker of which nothing is wrong."""
    return BrokerState(
        "/",
        copy.deepcopy(MADE["users"]),
        copy.deepcopy(MADE["permissions"]),
        [{"name": name, "type": kind} for name, kind in QUEUE_TYPES.items()],
        [{"name": name, "type": kind} for name, kind in EXCHANGE_TYPES.items()],
        [
            {"source": each.exchange, "destination": each.queue, "routing_key": each.routing_key}
            for each in BINDINGS
        ],
        [{"vhost": "/", "value": {"max-queues": 10_000}}],
    )


def of(user, things):
    (found,) = [each for each in things if each.get("user", each.get("name")) == user]
    return found


def said(state):
    (line,) = examine(state, SERVICES)
    return line


def test_a_broker_with_the_definitions_is_well(state):
    assert examine(state, SERVICES) == []


@pytest.mark.parametrize("user", [*SERVICES, CLIENT])
@pytest.mark.parametrize("kind", ["configure", "write", "read"])
def test_a_user_with_more_rights_than_it_needs_is_reported(state, user, kind):
    mine = of(user, state.permissions)
    enough = mine[kind]
    mine[kind] = f"{enough}|another"

    assert said(state) == (
        f"{user} has more rights than it needs: to {kind} another.name; {enough} is enough"
    )


def test_a_user_with_all_rights_is_reported_thrice(state):
    of("warren-producer", state.permissions).update(configure=".*", write=".*", read=".*")

    lines = examine(state, SERVICES)

    assert len(lines) == 3
    assert all("more rights than it needs" in line for line in lines)
    assert any("amq.default" in line for line in lines)


def test_a_user_with_fewer_rights_is_reported(state):
    of("warren-consumer", state.permissions)["read"] = "^queue\\.model\\.train$"

    assert "warren-consumer lacks rights: to read queue.model.batch, " in said(state)


@pytest.mark.parametrize("tags", ["administrator", ["administrator"]])
def test_a_tag_that_is_not_needed_is_reported(state, tags):
    of(CLIENT, state.users)["tags"] = tags

    assert said(state) == f"{CLIENT} has tags that it does not need: administrator"


def test_rights_in_another_vhost_are_reported(state):
    state.permissions.append({**of(CLIENT, state.permissions), "vhost": "other"})

    assert said(state) == f"{CLIENT} has rights in the vhost other, and needs none there"


def test_a_user_without_rights_or_none_at_all_is_reported(state):
    state.permissions.remove(of("warren-tools", state.permissions))
    assert said(state) == "warren-tools has no rights in the vhost /"

    state.users.remove(of("warren-tools", state.users))
    assert "warren-tools: there is no such user" in said(state)


def test_a_pattern_that_is_none_is_reported(state):
    of(CLIENT, state.permissions)["write"] = "("

    assert "the pattern for write is not understood" in said(state)


@pytest.mark.parametrize(("password", "found"), [("guest", True), ("changed", False)])
def test_guest_with_its_default_password_is_reported(state, password, found):
    state.users.append({"name": "guest", "password_hash": password_hash(password), "tags": []})

    assert examine(state, SERVICES) == (
        ["guest has its default password: delete this user"] if found else []
    )


def test_what_is_missing_of_the_topology_is_reported(state):
    state.queues.remove(of(TRAIN_QUEUE, state.queues))
    of(PREDICT_QUEUE, state.queues)["type"] = "quorum"
    state.exchanges.remove(of(WORK_EXCHANGE, state.exchanges))
    unbound = state.bindings.pop()

    assert examine(state, SERVICES) == [
        "queue.model.train is missing: `restore` makes it",
        "queue.model.predict has the type quorum and should have classic: delete it first",
        "exchange.model.work is missing: `restore` makes it",
        f"{unbound['destination']} is not bound to {unbound['source']}: `restore` does it",
    ]


@pytest.mark.parametrize("limits", [[], [{"vhost": "/", "value": {"max-connections": 9}}]])
def test_a_vhost_without_a_bound_of_queues(state, limits):
    state.limits[:] = limits

    assert said(state).startswith("the vhost / has no max-queues: ")
