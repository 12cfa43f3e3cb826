"""Ports of 127.0.0.1: which are free, and which ones the servers of a stack get."""

import random
import socket
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

import psutil

from devstack.program import MARK, ProgramError

# Where each server listens when nobody else does.
USUAL = {
    "PORT": 5000,
    "RABBITMQ_PORT": 5672,
    "RABBITMQ_MANAGEMENT_PORT": 15672,
    "RABBITMQ_PROMETHEUS_PORT": 15692,
    "RABBITMQ_DIST_PORT": 25672,
    "ERL_EPMD_PORT": 14369,
    "S3_PORT": 9000,
}

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


def owner(port: int) -> str:
    """Name the process that listens on a port, as far as the system lets us see it."""
    with suppress(psutil.Error, OSError):  # macOS shows the connections of others to root only
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid:
                process = psutil.Process(each.pid)
                with suppress(psutil.AccessDenied):
                    if stack := process.environ().get(MARK):
                        return f"{process.name()}, process {each.pid} of the stack in {stack}"
                return f"{process.name()}, process {each.pid}"
    return "a process that we may not see"


def first_free(
    wanted: int, taken: Collection[int] = (), is_free: Callable[[int], bool] = is_free
) -> int:
    """Find the first free port from the wanted one upwards, the taken ones left out."""
    for port in range(wanted, 65536):
        if port not in taken and is_free(port):
            return port
    raise ProgramError(f"no free port from {wanted} upwards")


def choose(
    wanted: Mapping[str, int],
    demanded: Mapping[str, int],
    is_free: Callable[[int], bool] = is_free,
    owner: Callable[[int], str] = owner,
) -> dict[str, int]:
    """Find a free port for each variable: the wanted one if possible, and no port twice.

    A demanded port is that or none. Raises `ProgramError` if it is taken.
    """
    chosen: dict[str, int] = {}
    for name, port in demanded.items():
        twins = [other for other, its in chosen.items() if its == port]
        if twins:
            raise ProgramError(f"{name}={port}: {twins[0]} is the same port")
        if not is_free(port):
            raise ProgramError(f"{name}={port}: this port is taken by {owner(port)}")
        chosen[name] = port
    rest = {name: port for name, port in wanted.items() if name not in demanded}
    for name, port in rest.items():  # first, so that none that has to move takes another's port
        if port not in chosen.values() and is_free(port):
            chosen[name] = port
    for name, port in rest.items():
        if name not in chosen:
            chosen[name] = first_free(port, chosen.values(), is_free)
    return chosen


def parse(name: str, value: str) -> int:
    """Read a port. Raises `ProgramError`."""
    if not (value.isascii() and value.isdigit() and 0 < int(value) < 65536):
        raise ProgramError(f"{name}={value}: a port is a number from 1 to 65535")
    return int(value)


def check_host(host: str) -> None:
    """Raise `ProgramError` if no server can listen on this address."""
    try:
        address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(address[0]) as probe:
            probe.bind(address[4])
    except OSError as error:
        raise ProgramError(f"HOST={host}: this machine cannot listen there ({error})") from None


def unused(count: int) -> list[int]:
    """Find free ports that no service is known for, for the servers of a test."""
    found: list[int] = []
    while len(found) < count:
        found.append(first_free(random.choice(UNUSUAL_PORTS), found))
    return found
