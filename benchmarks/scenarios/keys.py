"""What it costs /predict that each request needs a key."""

from contextlib import ExitStack
from typing import Any

from benchmarks.harness.in_turn import Requests, compared
from benchmarks.harness.servers import Bench

NAME = "keys"


def run(bench: Bench) -> list[dict[str, Any]]:
    """Load a producer without keys and one with them; both get the header with a key."""
    header = {"Authorization": f"Bearer {bench.key}"}  # made first: a producer needs one to start
    with ExitStack() as running:
        stacks = {auth: running.enter_context(bench.stack(AUTH=auth)) for auth in ("off", "on")}
        sides = {
            name: Requests(stack, bench.body, headers=header) for name, stack in stacks.items()
        }
        return compared(bench, sides)
