"""Faults of our own processes. Each is injected, lasts, is healed; what it returns is logged."""

import os
from random import Random
from signal import SIGKILL, SIGTERM
from time import monotonic, sleep
from typing import Any

from tests.chaos.world import CONSUMERS, PRODUCER, World

Detail = dict[str, Any]
LEASE = 15.0  # seconds a job belongs to a consumer that does not renew it
RESTART_SECONDS = 45.0


def _send(world: World, number: int, *names: str) -> Detail:
    return {"pids": [world.services[name].send(number) for name in names], "on": list(names)}


def consumer_a_killed(world: World, chance: Random, seconds: float) -> Detail:
    return _send(world, SIGKILL, CONSUMERS[0])


def consumer_b_killed(world: World, chance: Random, seconds: float) -> Detail:
    return _send(world, SIGKILL, CONSUMERS[1])


def both_consumers_killed(world: World, chance: Random, seconds: float) -> Detail:
    return _send(world, SIGKILL, *CONSUMERS)


def producer_killed(world: World, chance: Random, seconds: float) -> Detail:
    return _send(world, SIGKILL, PRODUCER)


def all_processes_killed(world: World, chance: Random, seconds: float) -> Detail:
    return _send(world, SIGKILL, PRODUCER, *CONSUMERS)


def fit_killed(world: World, chance: Random, seconds: float) -> Detail:
    """Kill the process of a fit, waiting for one as long as the fault may last."""
    deadline = monotonic() + max(seconds, 2.0)
    while monotonic() < deadline:
        fits = [fit for name in CONSUMERS for fit in world.services[name].fits()]
        if fits:
            victim = chance.choice(fits)
            try:
                os.kill(victim, SIGKILL)
            except ProcessLookupError:
                continue
            return {"child": victim}
        sleep(0.005)
    return {"child": None}


def consumer_terminated(world: World, chance: Random, seconds: float) -> Detail:
    """Restart as an operator does: SIGTERM, wait for the end, start again."""
    return _terminated(world, chance.choice(CONSUMERS))


def producer_terminated(world: World, chance: Random, seconds: float) -> Detail:
    return _terminated(world, PRODUCER)


def _terminated(world: World, name: str) -> Detail:
    service = world.services[name]
    runs, begun = len(service.ends), monotonic()
    detail = _send(world, SIGTERM, name)
    while len(service.ends) == runs:
        if monotonic() > begun + RESTART_SECONDS:
            service.send(SIGKILL)
            return {**detail, "did not end": True}
        sleep(0.05)
    return {**detail, "status": service.ends[runs][2], "took": round(monotonic() - begun, 2)}


def consumer_frozen_past_its_lease(world: World, chance: Random, seconds: float) -> Detail:
    """Stop a consumer's time and let it wake as a zombie, whose jobs others have by then."""
    return _frozen(world, chance.choice(CONSUMERS), LEASE + chance.uniform(1, 4))


def consumer_frozen(world: World, chance: Random, seconds: float) -> Detail:
    return _frozen(world, chance.choice(CONSUMERS), seconds)


def producer_frozen(world: World, chance: Random, seconds: float) -> Detail:
    return _frozen(world, PRODUCER, seconds)


def _frozen(world: World, name: str, seconds: float) -> Detail:
    detail = {"pids": [world.services[name].freeze()], "on": [name], "for": round(seconds, 2)}
    try:
        sleep(seconds)
    finally:
        world.services[name].thaw()
    return detail
