"""Find faults of a broker: users with more rights than they need, missing queues."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from app.amqp.management import ManagementApi
from app.amqp.permissions import (
    DEAD_LETTER_LOCK,
    DEFAULT_EXCHANGE,
    RIGHTS,
    Rights,
    Role,
    owner_of_client,
)
from app.amqp.topology import BINDINGS, EXCHANGE_TYPES, PRESENCE_PREFIX, QUEUE_TYPES
from app.amqp.users import is_password

# A pattern is judged by what it matches of these: all names of Warren, and some of others.
_NAMES = (
    *QUEUE_TYPES,
    *EXCHANGE_TYPES,
    *(DEFAULT_EXCHANGE, DEAD_LETTER_LOCK, f"{PRESENCE_PREFIX}name", "queue.model.new"),
    *("amq.gen-name", "amq.rabbitmq.reply-to.name", "amq.topic", "amq.rabbitmq.trace"),
    *("exchange.model.new", "another.name", ""),
)


_OF_VHOST = ("queues", "exchanges", "bindings", "vhost-limits")


@dataclass(frozen=True)
class BrokerState:
    """What the management API tells of a vhost, and of the users of the whole broker."""

    vhost: str
    users: list[dict[str, Any]]
    permissions: list[dict[str, Any]]
    queues: list[dict[str, Any]]
    exchanges: list[dict[str, Any]]
    bindings: list[dict[str, Any]]
    limits: list[dict[str, Any]]


def read_state(api: ManagementApi, vhost: str) -> BrokerState:
    """Ask the API, which takes an administrator. Raises what `ManagementApi.call` does."""
    there = quote(vhost, safe="")
    return BrokerState(
        vhost,
        *(api.call("GET", path) for path in ("users", "permissions")),
        *(api.call("GET", f"{kind}/{there}") for kind in _OF_VHOST),
    )


def examine(state: BrokerState, services: Mapping[str, Role]) -> list[str]:
    """Return a sentence for each thing that is wrong. `services` has the roles of users."""
    roles = {
        **{each["name"]: Role.CLIENT for each in state.users if owner_of_client(each["name"])},
        **services,
    }
    return [
        *_guest(state.users),
        *(line for user, role in roles.items() for line in _user(state, user, role)),
        *_topology(state),
        *_limits(state),
    ]


def _guest(users: Iterable[dict[str, Any]]) -> Iterator[str]:
    for each in users:
        if each["name"] == "guest" and is_password("guest", each.get("password_hash") or ""):
            yield "guest has its default password: delete this user"


def _user(state: BrokerState, user: str, role: Role) -> Iterator[str]:
    found = [each for each in state.users if each["name"] == user]
    if not found:
        yield f"{user}: there is no such user, which should be that of the {role}"
        return
    rights = RIGHTS[role]
    if more := sorted({*_tags(found[0]["tags"])} - {*rights.tags}):
        yield f"{user} has tags that it does not need: {', '.join(more)}"
    granted = [each for each in state.permissions if each["user"] == user]
    for each in granted:
        if each["vhost"] != state.vhost:
            yield f"{user} has rights in the vhost {each['vhost']}, and needs none there"
    here = [each for each in granted if each["vhost"] == state.vhost]
    if not here:
        yield f"{user} has no rights in the vhost {state.vhost}"
    for each in here:
        for kind in ("configure", "write", "read"):
            yield from _compare(user, kind, each[kind], rights)


def _compare(user: str, kind: str, granted: str, rights: Rights) -> Iterator[str]:
    wanted = rights.patterns[kind]
    try:
        matches = {name for name in _NAMES if granted and re.search(granted, name)}
    except re.error:
        yield f"{user}: the pattern for {kind} is not understood: {granted}"
        return
    needed = {name for name in _NAMES if rights.allow(kind, name)}
    if more := sorted(matches - needed):
        names = ", ".join(name or "the empty name" for name in more)
        yield f"{user} has more rights than it needs: to {kind} {names}; {wanted} is enough"
    if less := sorted(needed - matches):
        yield f"{user} lacks rights: to {kind} {', '.join(less)}; it needs {wanted}"


def _tags(tags: str | list[str]) -> list[str]:
    """Return the tags of a user, which some versions separate by commas."""
    return [each for each in (tags.split(",") if isinstance(tags, str) else tags) if each]


def _topology(state: BrokerState) -> Iterator[str]:
    queues = {each["name"]: each.get("type") for each in state.queues}
    exchanges = {each["name"]: each["type"] for each in state.exchanges}
    for found, wanted in ((queues, QUEUE_TYPES), (exchanges, EXCHANGE_TYPES)):
        for name, kind in wanted.items():
            if name not in found:
                yield f"{name} is missing: `restore` makes it"
            elif found[name] != kind:
                yield f"{name} has the type {found[name]} and should have {kind}: delete it first"
    bound = {(each["source"], each["destination"], each["routing_key"]) for each in state.bindings}
    for each in BINDINGS:
        if (each.exchange, each.queue, each.routing_key) not in bound:
            yield f"{each.queue} is not bound to {each.exchange}: `restore` does it"


def _limits(state: BrokerState) -> Iterator[str]:
    """Ask for a bound of queues: RabbitMQ has none for those of a user, only for a vhost's."""
    if not any(each["value"].get("max-queues", -1) >= 0 for each in state.limits):
        yield f"the vhost {state.vhost} has no max-queues: import definitions.json, which limits it"
