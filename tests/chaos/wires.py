"""Faults of the network between a process of ours and a server."""

from collections.abc import Callable
from random import Random
from time import sleep

from tests.chaos.processes import LEASE, Detail
from tests.chaos.proxy import Mode, Proxy, canned
from tests.chaos.world import CONSUMERS, PARTS, World

LATE = 0.2

Kind = Callable[[World, Random, float], Detail | None]


def during(part: str, mode: Callable[[Random], Mode]) -> Kind:
    """Make a fault: for a time, all wires to a server are in this mode."""

    def fault(world: World, chance: Random, seconds: float) -> None:
        hold(world.wires(part), mode(chance), seconds)

    return fault


def hold(wires: list[Proxy], mode: Mode, seconds: float) -> None:
    try:
        for wire in wires:
            wire.add(mode)
        sleep(seconds)
    finally:
        for wire in wires:
            wire.remove(mode)


def lost(part: str, reset: bool) -> Kind:
    """Make a fault: every connection to a server is lost at once."""

    def fault(world: World, chance: Random, seconds: float) -> None:
        for wire in world.wires(part):
            wire.cut(reset)

    return fault


def late(chance: Random) -> Mode:
    return Mode(delay=LATE)


def stalled(chance: Random) -> Mode:
    return Mode(stall=True)


def swallowed(chance: Random) -> Mode:
    return Mode(swallow=True)


def refused(chance: Random) -> Mode:
    return Mode(refuse=True)


def cut_short(chance: Random) -> Mode:
    """Cut each connection after some bytes: in a handshake, a publish, a query, an upload."""
    return Mode(cut_after=chance.randint(300, 6000))


def failing(chance: Random) -> Mode:
    return Mode(answer=canned(500, "InternalError"))


def slowing(chance: Random) -> Mode:
    return Mode(answer=canned(503, "SlowDown"))


def consumer_without_broker(world: World, chance: Random, seconds: float) -> Detail:
    victim = chance.choice(CONSUMERS)
    hold(world.wires("broker", victim), Mode(swallow=True), seconds)
    return {"on": victim}


def consumer_without_database(world: World, chance: Random, seconds: float) -> Detail:
    victim = chance.choice(CONSUMERS)
    hold(world.wires("database", victim), Mode(stall=True), seconds)
    return {"on": victim}


def consumer_alone_past_its_lease(world: World, chance: Random, seconds: float) -> Detail:
    """Part a consumer from everything; what it wrote meanwhile arrives too late."""
    victim = chance.choice(CONSUMERS)
    wires = [wire for part in PARTS for wire in world.wires(part, victim)]
    hold(wires, Mode(stall=True), LEASE + chance.uniform(1, 4))
    return {"on": victim}
