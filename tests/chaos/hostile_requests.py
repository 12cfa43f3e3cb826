"""Attacks by connections and bodies: those of `tests.support.attacks`, over and over."""

import asyncio
from itertools import cycle
from time import monotonic
from urllib.parse import urlsplit

from tests.chaos.neighbour import ADDRESS, Neighbour
from tests.support.attacks import ATTACKS, run

TURN = 2.0  # seconds

#: These keep what they have, and go on all the time. The others take turns.
HOLDING = (
    "half_open", "silent", "half_bodies", "half_predictions", "compressed_halves", "slow_uploads",
    "slow_forms", "event_streams", "slow_readers",
)  # fmt: skip


async def attack(neighbour: Neighbour, seconds: float, parts: list[str]) -> None:
    """Carry out all whose name contains one of the parts, for some seconds."""
    at = urlsplit(neighbour.url)
    address, end = (at.hostname or "", at.port or 0), monotonic() + seconds

    async def one(name: str, for_seconds: float) -> None:
        for outcome, count in (await run(name, address, for_seconds, ADDRESS)).items():
            neighbour.note(name, outcome, count)

    chosen = [name for name in ATTACKS if any(part in name for part in parts)]

    async def turns() -> None:
        for name in cycle(each for each in chosen if each not in HOLDING):
            if monotonic() >= end:
                break
            await one(name, TURN)

    await asyncio.gather(turns(), *(one(name, seconds) for name in chosen if name in HOLDING))
