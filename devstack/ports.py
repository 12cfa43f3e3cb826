"""Ports of 127.0.0.1 that nobody uses."""

import random
import socket
from collections.abc import Collection

# Below the range from which systems take the ports of outgoing connections.
UNUSUAL_PORTS = range(20000, 32000)


def is_free(port: int) -> bool:
    """Tell whether nothing listens on the port, on any address a local client would try."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.settimeout(0.5)
                # macOS lets us bind beside a server on 0.0.0.0, so ask first who answers.
                if probe.connect_ex((address, port)) == 0:
                    return False
        except OSError:  # no such family here
            continue
    with socket.socket() as probe:
        # A port whose last owner has just closed its connections is free all the same.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def first_free(wanted: int, taken: Collection[int] = ()) -> int:
    """Find the first free port from the wanted one upwards, the taken ones left out."""
    for port in range(wanted, 65536):
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no free port from {wanted} upwards")


def choose(wanted: dict[str, int]) -> dict[str, int]:
    """Find a free port for each name: the wanted one if possible, and no port twice."""
    chosen: dict[str, int] = {}
    for name, port in wanted.items():
        chosen[name] = first_free(port, chosen.values())
    return chosen


def unused(count: int) -> list[int]:
    """Find free ports that no service is known for, for the servers of a test."""
    found: list[int] = []
    while len(found) < count:
        found.append(first_free(random.choice(UNUSUAL_PORTS), found))
    return found
