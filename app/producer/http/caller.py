"""Name the caller of a request, as all limits count it."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.types import Scope

_NETWORK_BITS = 64  # of an IPv6 address; a host chooses the others itself (RFC 4291, 2.5.4)


def caller_of(scope: Scope) -> str:
    """Return who sent a request: the client's address, of IPv6 its /64.

    The address is that which `Forwarded` found. Clients without one, of a Unix socket, are the
    caller `local`.
    """
    client = scope.get("client")
    return _named(client[0]) if client else "local"


@lru_cache(maxsize=4096)
def _named(host: str) -> str:
    try:
        address = ip_address(host.partition("%")[0])  # without a zone (RFC 4007)
    except ValueError:
        return host
    address = getattr(address, "ipv4_mapped", None) or address
    if isinstance(address, IPv4Address):
        return str(address)
    kept = IPv6Address(int(address) >> _NETWORK_BITS << _NETWORK_BITS)
    return f"{kept}/{_NETWORK_BITS}"
