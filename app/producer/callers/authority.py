"""Read the `host[:port]` that a request is for."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

PORT = r"(?::([0-9]{1,5}))?"
_AUTHORITY = re.compile(rf"([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\]){PORT}")

# The member of the scope with the `Host` that a proxy sent, if it forwards the one that it got.
PROXY_HOST = "warren.proxy_host"


def host_of(authority: str) -> str | None:
    """Return the host, in lower case, without its port, a final dot, or the brackets of IPv6.

    None if the text is not `host` or `host:port`.
    """
    match = _AUTHORITY.fullmatch(authority)
    return match[1].lower().removesuffix(".").strip("[]") if match else None


def address_of(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address, as IPv4 if an IPv6 socket wrote it; None if it is none."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
