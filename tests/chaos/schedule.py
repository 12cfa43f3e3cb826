"""Which fault comes when: a shuffled deck of all kinds, dealt one after the other by a seed."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from time import monotonic, sleep, time

from tests.chaos import messages, processes, servers, wires
from tests.chaos.journal import Journal
from tests.chaos.proxy import Mode
from tests.chaos.wires import Kind
from tests.chaos.world import World


@dataclass(frozen=True)
class Fault:
    """A kind of fault. `quick` ones fit into the short form; `long` ones overlap with others."""

    name: str
    inject: Kind
    quick: bool = True
    long: bool = False


def _on_wires() -> list[Fault]:
    modes: dict[str, Callable[[Random], Mode]] = {
        "late": wires.late,
        "stalled": wires.stalled,
        "blackholed": wires.swallowed,
        "refused": wires.refused,
        "cut after some bytes": wires.cut_short,
    }
    found = [
        Fault(f"{part}: {name}", wires.during(part, mode), quick=name != "late")
        for part in ("broker", "s3", "database")
        for name, mode in modes.items()
    ]
    for part in ("broker", "s3", "database"):
        found.append(Fault(f"{part}: connections reset", wires.lost(part, reset=True)))
        found.append(
            Fault(f"{part}: connections closed", wires.lost(part, reset=False), part == "broker")
        )
    return [
        *found,
        Fault("s3: answers 500", wires.during("s3", wires.failing)),
        Fault("s3: answers 503", wires.during("s3", wires.slowing), quick=False),
    ]


FAULTS = [
    *_on_wires(),
    Fault("one consumer: no broker", wires.consumer_without_broker, quick=False),
    Fault("one consumer: no database", wires.consumer_without_database, quick=False),
    Fault(
        "one consumer: alone past its lease",
        wires.consumer_alone_past_its_lease,
        quick=False,
        long=True,
    ),
    Fault(
        "one consumer: frozen past its lease", processes.consumer_frozen_past_its_lease, long=True
    ),
    Fault("one consumer: frozen", processes.consumer_frozen, quick=False),
    Fault("consumer A: kill -9", processes.consumer_a_killed),
    Fault("consumer B: kill -9", processes.consumer_b_killed),
    Fault("both consumers: kill -9", processes.both_consumers_killed, quick=False),
    Fault("one consumer: SIGTERM", processes.consumer_terminated, long=True),
    Fault("a fit: kill -9", processes.fit_killed),
    Fault("producer: kill -9", processes.producer_killed),
    Fault("producer: SIGTERM", processes.producer_terminated, quick=False),
    Fault("producer: frozen", processes.producer_frozen, quick=False),
    Fault("producer and consumers: kill -9", processes.all_processes_killed, quick=False),
    Fault("broker: restart", servers.broker_restarted, quick=False),
    Fault("broker: kill -9", servers.broker_killed),
    Fault("broker: data wiped", servers.broker_wiped, quick=False),
    Fault("broker: closes all connections", servers.broker_closes_all_connections, quick=False),
    Fault("broker: memory alarm", servers.broker_out_of_memory, quick=False),
    Fault("broker: disk alarm", servers.broker_out_of_disk, quick=False),
    Fault("queue: train deleted", servers.train_queue_deleted),
    Fault("queue: predict.async deleted", servers.predict_async_queue_deleted),
    Fault("queue: batch or batch.part deleted", servers.batch_queue_deleted),
    Fault("queue: predict and invoke deleted", servers.predict_queue_deleted, quick=False),
    Fault("queue: all of jobs purged", servers.all_queues_purged),
    Fault("s3: restart", servers.s3_restarted),
    Fault("database: restart", servers.database_restarted),
    Fault("database: crash", servers.database_crashed, quick=False),
    Fault("database: sessions ended", servers.database_connections_ended),
    Fault("database: table locked", servers.job_table_locked, quick=False),
    Fault("messages: duplicated", messages.messages_duplicated),
    Fault("messages: malformed", messages.messages_malformed),
]

#: After these a message that no row knows of may be gone with the broker's data.
DATA_LOST = ("broker: data wiped", "queue: train deleted", "queue: all of jobs purged")
#: While these last the producer cannot publish.
BROKER_AWAY = (
    "broker: restart", "broker: kill -9", "broker: data wiped", "broker: refused",
    "broker: stalled", "broker: blackholed", "broker: memory alarm", "broker: disk alarm",
)  # fmt: skip

LASTS = {True: (0.4, 0.8), False: (1.0, 4.0)}  # seconds, in the short form and in the whole one
CALM = {True: (0.2, 0.5), False: (0.6, 1.4)}


class Schedule:
    """Injects faults until the time is over, and writes each with its start and end."""

    def __init__(self, world: World, journal: Journal, seed: int, short: bool) -> None:
        self._world = world
        self._journal = journal
        self._chance = Random(seed)
        self._short = short
        self._long: list[threading.Thread] = []
        self._failed: list[BaseException] = []

    def run(self, seconds: float) -> None:
        """Raise the error of a fault, because it fails the run and not the product."""
        end = monotonic() + seconds
        try:
            while monotonic() < end:
                for fault in self._deck():
                    if monotonic() >= end:
                        break
                    self._deal(fault)
                    sleep(self._chance.uniform(*CALM[self._short]))
        finally:
            for thread in self._long:
                thread.join()
            self._world.heal()
        if self._failed:
            raise self._failed[0]

    def _deck(self) -> list[Fault]:
        deck = [fault for fault in FAULTS if fault.quick or not self._short]
        self._chance.shuffle(deck)
        # Those that last begin first, for the others to fall into.
        return deck

    def _deal(self, fault: Fault) -> None:
        chance = Random(self._chance.getrandbits(64))
        seconds = chance.uniform(*LASTS[self._short])
        work = threading.Thread(target=self._inject, args=(fault, chance, seconds))
        work.start()
        if fault.long:
            self._long.append(work)
        else:
            work.join()

    def _inject(self, fault: Fault, chance: Random, seconds: float) -> None:
        start = time()
        try:
            detail = fault.inject(self._world, chance, seconds)
        except Exception as error:  # noqa: BLE001  the thread's end is told to the one that waits
            self._failed.append(error)
            detail = {"failed": repr(error)}
        self._journal.write(kind=fault.name, start=start, end=time(), detail=detail or {})
