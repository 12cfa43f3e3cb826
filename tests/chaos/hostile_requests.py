"""Attacks by connections and bodies: those of `tests.support.attacks`, over and over."""

import asyncio
from itertools import cycle
from time import monotonic
from urllib.parse import urlsplit

from tests.chaos.neighbour import ADDRESS, Neighbour
from tests.support.attacks import ATTACKS, run

#: These keep what they have, and go on all the time, with so many connections.
HOLDING = {
    "half_open": 100, "silent": 100, "half_bodies": 100, "half_predictions": 100,
    "compressed_halves": 100, "slow_uploads": 16, "slow_forms": 16, "event_streams": 600,
    "slow_readers": 20,
}  # fmt: skip
#: The others take turns of so many seconds.
TURN, TURN_CONNECTIONS, TURN_PAUSE = 2.0, 4, 0.1
HOLDING_PAUSE = 1.0


async def attack(neighbour: Neighbour, seconds: float, parts: list[str]) -> None:
    """Carry out all whose name contains one of the parts, for some seconds."""
    at = urlsplit(neighbour.url)
    address, end = (at.hostname or "", at.port or 0), monotonic() + seconds

    async def one(name: str, for_seconds: float, connections: int, pause: float) -> None:
        outcomes = await run(
            name, address, for_seconds, source=ADDRESS, connections=connections, pause=pause
        )
        for outcome, count in outcomes.items():
            neighbour.note(name, outcome, count)

    chosen = [name for name in ATTACKS if any(part in name for part in parts)]

    async def turns() -> None:
        for name in cycle(each for each in chosen if each not in HOLDING):
            if monotonic() >= end:
                break
            await one(name, min(TURN, end - monotonic()), TURN_CONNECTIONS, TURN_PAUSE)

    holding = [
        one(name, seconds, HOLDING[name], HOLDING_PAUSE) for name in chosen if name in HOLDING
    ]
    await asyncio.gather(turns(), *holding)
