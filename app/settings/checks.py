"""Checks of settings that are texts: lists of hosts, origins and addresses, a path, a level."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[^/\s*A-Z]+")
_HOST = re.compile(r"\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
# Segments of letters, digits and `._~-`. None begins with a dot, so that none is `..`.
PATH_PREFIX = r"^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$"

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

Port = Annotated[int, Field(ge=1, le=65_535)]
Networks = tuple[IPv4Network | IPv6Network, ...]


def names(text: str) -> tuple[str, ...]:
    """Return the names that commas separate, in their order."""
    return tuple(filter(None, map(str.strip, text.split(","))))


def networks(text: str) -> Networks:
    """Parse addresses and networks that commas separate; `*` alone is every address.

    Raises `ValueError`, which names the wrong one.
    """
    each = ("0.0.0.0/0", "::/0") if text.strip() == "*" else names(text)
    return tuple(ip_network(name, strict=False) for name in each)


def check_networks(text: str) -> str:
    """Return addresses and networks as they are written. Raises `ValueError`."""
    networks(text)
    return text


def check_origins(origins: str) -> str:
    """Return origins as they are written. Raises `ValueError`, which names the wrong one."""
    for each in names(origins):
        if not _ORIGIN.fullmatch(each):
            raise ValueError(
                f"{each} is no origin; write https://app.example.com, in lower case and "
                "without a path or slash behind it, or * for all"
            )
    return origins


def check_hosts(hosts: str) -> str:
    """Return hosts in lower case. Raises `ValueError`, which names the wrong one."""
    for each in names(hosts):
        if not _HOST.fullmatch(each):
            raise ValueError(
                f"{each} is no host; write warren.example.com, *.example.com or an address, "
                "without a port, or * for all"
            )
    return hosts.lower()


def check_path_prefix(path: str) -> str:
    """Return a path below which Warren is served, as it is written. Raises `ValueError`."""
    if not re.fullmatch(PATH_PREFIX, path):
        raise ValueError(
            f"{path} is no path; write /warren, in letters, digits, dots, dashes, underscores and "
            "tildes"
        )
    return path


def check_level(level: str) -> str:
    """Return a level of logging in upper case. Raises `ValueError` for another word."""
    if level.upper() not in LEVELS:
        raise ValueError(f"{level} is no level; use one of {', '.join(LEVELS)}")
    return level.upper()


def is_private(url: str) -> bool:
    """Tell whether nobody on the way can change what an address answers: https, or this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
