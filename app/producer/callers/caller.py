"""Who sent a request: its identity, the caller as all limits count it, and the actor."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import Scope

from app.auth.actor import Actor
from app.auth.identity import ANYONE, Identity
from app.producer.callers.authority import address_of

IDENTITY = "warren.identity"  # the member of the scope that authentication adds
WRONG_KEY = "warren.wrong_key"  # beside it: a function that logs a wrong key of a form
_REQUEST_ID = b"x-request-id"  # which clients and proxies send
_IS_ID = re.compile(rb"[!-~]{1,128}")
_NETWORK_BITS = 64  # of an IPv6 address; a host chooses the others itself (RFC 4291, 2.5.4)


def identity_of(scope: Scope) -> Identity:
    """Return the identity that authentication found; without authentication, that of anyone."""
    identity: Identity = scope.get(IDENTITY, ANYONE)
    return identity


def caller_of(scope: Scope) -> str:
    """Return who sent a request: the owner of its key, else the client's address, of IPv6 its /64.

    All keys of an owner are one caller, together with its users of the broker. The address is that
    which `Forwarded` found. Clients without one, of a Unix socket, are the caller `local`.
    """
    if (identity := identity_of(scope)).name:
        return identity.caller
    client = scope.get("client")
    return _named(client[0]) if client else "local"


def actor_of(scope: Scope) -> Actor:
    """Return who sent a request, as the audit log names them."""
    identity, client = identity_of(scope), scope.get("client")
    name = "anyone"
    if identity.name:
        name = f"{'key' if identity.key_id else 'subject'} {identity.name}"
    sent = (
        value for key, value in scope["headers"] if key == _REQUEST_ID and _IS_ID.fullmatch(value)
    )
    request = next(sent, b"").decode() or None
    return Actor(name, identity.owner, client[0] if client else None, request, identity.name)


async def _actor(request: Request) -> Actor:  # not a thread's work
    return actor_of(request.scope)


ActorDep = Annotated[Actor, Depends(_actor)]


@lru_cache(maxsize=4096)
def _named(host: str) -> str:
    address = address_of(host.partition("%")[0])  # without a zone (RFC 4007)
    if address is None:
        return host
    if isinstance(address, IPv4Address):
        return str(address)
    kept = IPv6Address(int(address) >> _NETWORK_BITS << _NETWORK_BITS)
    return f"{kept}/{_NETWORK_BITS}"
