"""The hostile clients, as a process: `python -m tests.chaos.neighbours JOURNAL URL PARTS`.

It prepares and says `ready`. When it has read how many seconds it is to attack, it does, and ends.
Only the attacks whose name contains one of PARTS are carried out. An empty part is in every name.
"""

import asyncio
import logging
import os
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic, sleep
from typing import Protocol

from tests.chaos import hostile_jobs, hostile_models, hostile_requests
from tests.chaos.journal import Journal
from tests.chaos.neighbour import Neighbour

PREPARING = 4  # attacks at a time
PAUSE = 0.1  # seconds between two strikes of an attack
# The clients of a real server have other machines. Of two sessions that always compute, Linux gives
# the one of nice value 5 a quarter of the time: enough for an attack beside fits without end.
NICENESS = 19
SESSION_NICENESS = 5
AUTOGROUP = Path("/proc/self/autogroup")


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
        hostile_models.Hungry(),
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
    leave_cores_to_others()
    neighbour = Neighbour(url, Journal(journal))
    every = attacks(parts)
    with ThreadPoolExecutor(PREPARING) as pool:
        for each in [pool.submit(attack.prepare, neighbour) for attack in every]:
            each.result()
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


def leave_cores_to_others() -> None:
    """Give this process, which leads a session, a smaller share of the cores than the servers.

    Linux may schedule sessions as groups (sched(7), "autogroup"). The nice value of a process then
    counts within its session only, and the session has one of its own.
    """
    os.nice(NICENESS)
    if AUTOGROUP.exists():
        AUTOGROUP.write_text(str(SESSION_NICENESS))


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
    main(sys.argv[2], Path(sys.argv[1]), sys.argv[3].split(","))
