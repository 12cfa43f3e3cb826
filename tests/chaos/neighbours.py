"""The hostile clients, as a process: `python -m tests.chaos.neighbours URL JOURNAL PARTS`.

It prepares and says `ready`. When it has read how many seconds it is to attack, it does, and ends.
Only the attacks whose name contains one of PARTS are carried out. An empty part is in every name.
"""

import asyncio
import logging
import os
import sys
import threading
import traceback
from pathlib import Path
from time import monotonic, sleep
from typing import Protocol

from tests.chaos import hostile_jobs, hostile_models, hostile_requests
from tests.chaos.journal import Journal
from tests.chaos.neighbour import Neighbour

PAUSE = 0.1  # seconds between two strikes of an attack
NICENESS = 19  # the clients of a real server have other machines


class Attack(Protocol):
    """What a thread does again and again."""

    name: str

    def prepare(self, neighbour: Neighbour) -> None:
        """Make what the strikes need."""

    def strike(self, neighbour: Neighbour) -> None:
        """Do harm once."""


def attacks(parts: list[str]) -> list[Attack]:
    """Return one of each kind whose name has one of the parts."""
    every: list[Attack] = [
        hostile_models.Greedy(),
        hostile_models.Quadratic(),
        hostile_models.Endless(),
        hostile_models.ManyRows(),
        hostile_models.ManyLabels(),
        hostile_models.Uploads(),
        hostile_jobs.EndlessFits(),
        hostile_jobs.WideJobs(),
        hostile_jobs.JobFlood(),
        hostile_jobs.PredictFlood(),
        hostile_jobs.TrainedFlood(),
    ]
    return [attack for attack in every if any(part in attack.name for part in parts)]


def main(url: str, journal: Path, parts: list[str]) -> None:
    """Attack as long as the first line of stdin says."""
    os.nice(NICENESS)
    neighbour = Neighbour(url, Journal(journal))
    every = attacks(parts)
    for attack in every:
        attack.prepare(neighbour)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    seconds = float(sys.stdin.readline() or 0)
    end = monotonic() + seconds
    threads = [threading.Thread(target=repeat, args=(each, neighbour, end)) for each in every]
    for thread in threads:
        thread.start()
    asyncio.run(hostile_requests.attack(neighbour, seconds, parts))
    for thread in threads:
        thread.join()


def repeat(attack: Attack, neighbour: Neighbour, end: float) -> None:
    """Strike until the time is over."""
    while monotonic() < end:
        try:
            attack.strike(neighbour)
        except Exception:  # noqa: BLE001  an attacker who errs goes on, and the report shows it
            neighbour.note(attack.name, "failed", error=traceback.format_exc())
        sleep(PAUSE)


if __name__ == "__main__":
    logging.disable()
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3].split(","))
