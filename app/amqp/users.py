"""The users of the broker, in the form in which RabbitMQ imports them."""

import base64
import hashlib
import secrets
from collections.abc import Iterable
from typing import Any, NamedTuple

from app.amqp.permissions import RIGHTS, Role

_SALT_BYTES = 4  # RabbitMQ's


class User(NamedTuple):
    """A user of the broker, and what it is for; without a password it needs a certificate."""

    role: Role
    name: str
    password: str


def new_password() -> str:
    """Return a random password of letters, digits, `-` and `_`, which fit into a URL."""
    return secrets.token_urlsafe(24)


def password_hash(password: str) -> str:
    """Return a salted hash as RabbitMQ stores it: `rabbitmqctl` of 3.10.8 cannot make one."""
    return _hash(secrets.token_bytes(_SALT_BYTES), password)


def is_password(password: str, stored: str) -> bool:
    """Tell whether a hash of RabbitMQ, perhaps an empty one, is that of a password."""
    return stored == _hash(base64.b64decode(stored)[:_SALT_BYTES], password)


def user_definitions(users: Iterable[User], vhost: str) -> dict[str, list[dict[str, Any]]]:
    """Return users and their permissions in a vhost, to be imported by RabbitMQ 3.10 to 4.3."""
    made = list(users)
    return {
        "users": [
            {
                "name": each.name,
                "password_hash": password_hash(each.password) if each.password else "",
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": list(RIGHTS[each.role].tags),
            }
            for each in made
        ],
        "permissions": [
            {"user": each.name, "vhost": vhost, **RIGHTS[each.role].patterns} for each in made
        ],
    }


def _hash(salt: bytes, password: str) -> str:
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
