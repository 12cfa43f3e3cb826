"""What it costs /predict that a producer counts its requests, beside a usual instrumentator.

The consumers count in all three: they cannot be told not to.
"""

from contextlib import ExitStack
from typing import Any

from benchmarks.harness.in_turn import Requests, compared
from benchmarks.harness.servers import Bench

NAME = "metrics"

PRODUCERS = {
    "nothing": ("benchmarks.peers.counted_web", "nothing"),
    "Warren": ("app.producer.main",),
    "instrumentator": ("benchmarks.peers.counted_web", "instrumentator"),
}


def run(bench: Bench) -> list[dict[str, Any]]:
    """Load a producer that counts nothing, one as it is, and one with the instrumentator."""
    with ExitStack() as running:
        sides = {
            name: Requests(running.enter_context(bench.stack(producer=producer)), bench.body)
            for name, producer in PRODUCERS.items()
        }
        return compared(bench, sides)
