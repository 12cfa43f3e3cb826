"""Read the state of a consumer, for its metrics and for its row in the table of consumers."""

import os
import platform
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from app.children.forked import running_children
from app.children.process_memory import private_memory, resident_memory
from app.consumer.heartbeat import Heartbeat
from app.inference.cache import ModelCache
from app.jobs.lease import LeaseKeeper
from app.jobs.workers import Worker
from app.observability.metrics import catalogue
from app.observability.metrics.families import Gauge, Labels, Read
from app.observability.version import running_version

Held = Callable[[], dict[str, int]]  # unacknowledged deliveries, by queue


class _Consumer(Protocol):
    @property
    def unacknowledged(self) -> dict[str, int]:
        """The deliveries that it holds, by queue."""


def held_deliveries(consumers: Sequence[_Consumer]) -> dict[str, int]:
    """Return how many deliveries the consumers of a process hold unacknowledged, by queue."""
    total = Counter[str]()
    for each in consumers:
        total.update(each.unacknowledged)
    return dict(total)


def describe_worker(name: str, threads: int, leases: LeaseKeeper, held: Held) -> Worker:
    """Return what this consumer says of itself."""
    return Worker(
        name=name,
        host=socket.gethostname(),
        pid=os.getpid(),
        version=running_version(),
        python=platform.python_version(),
        threads=threads,
        jobs=leases.held,
        memory=resident_memory(os.getpid()) + sum(map(sum, _children().values())),
        unacknowledged=held(),
    )


def read_gauges(
    threads: int,
    cache: ModelCache,
    leases: LeaseKeeper,
    heartbeat: Heartbeat,
    held: Held,
    is_served: Callable[[], bool],
) -> dict[Gauge, Read]:
    """Return how to read the gauges of this consumer.

    `is_served` tells whether all its connections to the broker are.
    """
    build: dict[Labels, float] = {(running_version(), platform.python_version()): 1.0}
    return {
        catalogue.MODELS: lambda: {(): cache.held[0]},
        catalogue.MODEL_BYTES: lambda: {(): cache.held[1]},
        catalogue.IN_HAND: lambda: {(): leases.held},
        catalogue.UNACKNOWLEDGED: lambda: {
            (queue,): float(count) for queue, count in held().items()
        },
        catalogue.THREADS: lambda: {(): threads},
        catalogue.CHILDREN: lambda: _by_purpose(len),
        catalogue.CHILD_BYTES: lambda: _by_purpose(sum),
        catalogue.BUILD: lambda: build,
        catalogue.BROKER: lambda: {(): float(is_served())},
        catalogue.DATABASE: lambda: {(): float(heartbeat.connected)},
    }


def _by_purpose(total: Callable[[list[int]], int]) -> dict[Labels, float]:
    """Return a total of the memory of the children that run, by their purpose."""
    return {(purpose,): total(memory) for purpose, memory in _children().items()}


def _children() -> dict[str, list[int]]:
    """Return the bytes of each child that runs, without the pages that it shares with others."""
    found: dict[str, list[int]] = {"fit": [], "answer": []}
    for purpose, pid in running_children():
        found.setdefault(purpose, []).append(private_memory(pid))
    return found
