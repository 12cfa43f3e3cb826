"""The rights of each user of the broker: one table, from which the definitions are rendered.

RabbitMQ asks for `configure` to declare or delete a queue, for `write` on an exchange to publish,
and for `read` on a queue to consume, get or purge. To bind takes `write` on the queue and `read` on
the exchange. A passive declare takes any right from RabbitMQ 4.3 on, so the services may "write"
the queues that they count; no exchange is theirs to read, so they cannot bind them.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from app.amqp.reply_to import DIRECT_REPLY_PREFIX, SERVER_NAMED_PREFIX
from app.amqp.topology import (
    DEAD_LETTER_QUEUE,
    OWN_PREFIXES,
    PRESENCE_PREFIX,
    REQUEST_EXCHANGE,
    WORK_EXCHANGE,
    WORK_QUEUES,
)
from app.protocol.types import OWNER

DEFAULT_EXCHANGE = "amq.default"  # its name in permissions; whoever writes it writes every queue
CLIENT_PREFIX = "wrn-client-"  # of the users that act for the owner whose name follows
DEAD_LETTER_LOCK = f"{DEAD_LETTER_QUEUE}.lock"  # an exclusive queue of whoever reads dead letters
_SERVER_NAMED = f"{SERVER_NAMED_PREFIX}*"
_DIRECT_REPLIES = f"{DIRECT_REPLY_PREFIX}*"


class Role(StrEnum):
    """The kinds of users."""

    PRODUCER = "producer"
    CONSUMER = "consumer"
    TOOLS = "tools"  # the operators' commands: dead letters, doctor, users
    OPERATOR = "operator"  # a person: the management page, and programs by the plain contract
    CLIENT = "client"  # a program that sends requests and reads its own replies


@dataclass(frozen=True)
class Rights:
    """The names of the queues and exchanges that a user may use; `*` ends a prefix."""

    configure: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @cached_property
    def patterns(self) -> dict[str, str]:
        """The regular expressions of the permission, by `configure`, `write` and `read`."""
        return {kind: pattern(getattr(self, kind)) for kind in ("configure", "write", "read")}

    def allow(self, kind: str, name: str) -> bool:
        """Tell whether the names of `kind` include `name`."""
        return any(
            name == each or (each.endswith("*") and name.startswith(each[:-1]))
            for each in getattr(self, kind)
        )


_OWN_QUEUES = tuple(f"{prefix}*" for prefix in OWN_PREFIXES)

RIGHTS = {
    Role.PRODUCER: Rights(
        configure=(_SERVER_NAMED,),
        write=(WORK_EXCHANGE, *_OWN_QUEUES),
        read=(_SERVER_NAMED,),
    ),
    # Replies go to any queue that a client names, so they need the default exchange.
    # `may_reply_to` keeps them out of Warren's own queues.
    Role.CONSUMER: Rights(
        configure=(f"{PRESENCE_PREFIX}*",),
        write=(DEFAULT_EXCHANGE, WORK_EXCHANGE, *_OWN_QUEUES),
        read=WORK_QUEUES,
    ),
    # A replayed message keeps its sender's `user_id`, which takes the tag `impersonator`. Only an
    # administrator sees the permissions of others, which the doctor compares with this table.
    Role.TOOLS: Rights(
        configure=(DEAD_LETTER_LOCK,),
        write=(WORK_EXCHANGE, REQUEST_EXCHANGE),
        read=(DEAD_LETTER_QUEUE,),
        tags=("administrator", "impersonator"),
    ),
    Role.OPERATOR: Rights(
        configure=("*",), write=("*",), read=("*",), tags=("monitoring", "policymaker")
    ),
    Role.CLIENT: Rights(
        configure=(_SERVER_NAMED,),
        write=(REQUEST_EXCHANGE,),
        read=(_SERVER_NAMED, _DIRECT_REPLIES),
    ),
}


def owner_of_client(user: str) -> str | None:
    """Return the owner for whom a user acts by its name, or None if it is not such a user."""
    owner = user.removeprefix(CLIENT_PREFIX)
    return owner if owner != user and re.fullmatch(OWNER, owner) else None


def pattern(names: tuple[str, ...]) -> str:
    """Return the regular expression of a permission that matches these names and no other."""
    if "*" in names:
        return ".*"
    parts = [name.replace(".", r"\.").replace("*", ".*") for name in names]
    return f"^({'|'.join(parts)})$" if parts else "^$"
