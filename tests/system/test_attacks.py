"""Clients that send without an end, or nothing: memory stays bounded, and others are answered."""

import asyncio
import sys
import threading

import httpx2
import pytest

from tests.support.attacks import run
from tests.system.support.processes import Process, Stack

PLAIN_HTTP = True  # it speaks HTTP by itself

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of the memory")

SECONDS = 4.0
SLOW = {"open_quote": 15.0}  # eight times 6 MB pass in turns of 64 kB
QUICK = {"HEAD_SECONDS": "1", "PREDICT_TIMEOUT": "2", "KEEP_ALIVE_SECONDS": "1"}
ALONE = {"Connection": "close"}  # a connection between two tests may be idle for too long
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def producer(world: Stack) -> tuple[Process, httpx2.Client]:
    return world.producer(**QUICK)


# By name: the outcomes that an attacker may meet, and how much memory all of them may take in MB.
# A connection whose caller waits for a turn holds what the loop reads at once, up to 256 kB.
# `open` is one that the end of the test interrupts, `closed` one that sent after the answer.
@pytest.mark.parametrize(
    ("name", "outcomes", "most"),
    [
        ("endless_headers", {"431"}, 30),
        ("long_header", {"431"}, 30),
        ("endless_trailers", {"431", "415"}, 30),
        ("half_open", {"408"}, 30),
        ("half_bodies", {"408", "429", "503"}, 200),
        ("slow_uploads", {"503"}, 30),
        ("slow_forms", {"503"}, 30),
        ("open_quote", {"422"}, 100),
        ("many_lists", {"413"}, 100),
        ("many_objects", {"413", "429"}, 100),
        ("lists_to_train", {"413", "429"}, 100),
        ("pipelined", {"200"}, 100),
    ],
)
def test_an_attack_takes_bounded_memory_and_others_are_answered(
    producer: tuple[Process, httpx2.Client], name: str, outcomes: set[str], most: int
) -> None:
    process, http = producer
    before = process.peak()
    got: dict[str, int] = {}

    def attack() -> None:
        address = str(http.base_url.host), int(http.base_url.port or 0)
        got.update(asyncio.run(run(name, address, SLOW.get(name, SECONDS))))

    attacker = threading.Thread(target=attack)
    attacker.start()
    answered = 0
    while attacker.is_alive():
        assert http.get("/health", headers=ALONE).status_code == 200
        answered += 1
        attacker.join(0.02)
    assert answered
    assert outcomes & got.keys(), got
    assert got.keys() <= outcomes | {"open", "closed"}
    assert process.peak() - before < most * MEGABYTE
    assert "Traceback" not in process.output()
