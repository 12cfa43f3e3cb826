"""What it costs /predict that each request needs a key."""

from contextlib import ExitStack
from typing import Any

from benchmarks.harness.in_turn import compared
from benchmarks.harness.servers import Bench

NAME = "keys"


def run(bench: Bench) -> list[dict[str, Any]]:
    """Load a producer without keys and one with them; both get the header with a key."""
    header = {"Authorization": f"Bearer {bench.key}"}  # made first: a producer needs one to start
    with ExitStack() as running:
        urls = {
            auth: f"{running.enter_context(bench.stack(AUTH=auth)).url}/predict"
            for auth in ("off", "on")
        }
        return compared(bench, urls, header)
