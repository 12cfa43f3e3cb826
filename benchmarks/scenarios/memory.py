"""Memory of the producer and of a consumer: idle, after 50,000 predictions, after a million."""

from pathlib import Path
from typing import Any

from benchmarks.harness import hey
from benchmarks.harness.servers import Bench, Stack
from benchmarks.reporting.figures import shown

NAME = "memory"

IN_FLIGHT = 64
FIRST = 50_000


def run(bench: Bench) -> list[dict[str, Any]]:
    """Measure when a stack is idle, after the first predictions, and after all of them.

    Raises `ValueError` when there are none to come after the first.
    """
    if bench.predictions <= FIRST:
        raise ValueError(f"memory: growth shows only after more than {FIRST:,} predictions")
    with bench.stack() as stack:
        states = [read(stack)]
        sent = errors = 0
        while sent < bench.predictions:
            part = min(FIRST, bench.predictions - sent)
            load = hey.load(f"{stack.url}/predict", stack.body, IN_FLIGHT, requests=part)
            sent, errors = sent + load.total, errors + load.errors
            states.append(read(stack))
            print(f"  {sent} predictions, {errors} errors", flush=True)
    idle, first, last = states[0], states[1], states[-1]
    return [
        shown(
            {
                "process": name,
                "idle, MB": round(idle[name]),
                "at most": limit,
                f"after the first {FIRST:,}": round(first[name], 1),
                f"after {sent:,}": round(last[name], 1),
                "growth, at most 10 %": f"{100 * (last[name] / first[name] - 1):+.1f} %",
                "errors": errors,
            }
        )
        for name, limit in LIMITS.items()
    ]


PRODUCER = "producer, RSS"
CONSUMER = "consumer, RSS"
WHOLE = "consumer and the process it forks fits from, PSS"
LIMITS = {PRODUCER: 150, CONSUMER: 350, WHOLE: 350}


def read(stack: Stack) -> dict[str, float]:
    """Return the memory of the processes in MB (10^6 bytes)."""
    (consumer,) = stack.consumer_pids
    return {
        PRODUCER: resident(stack.producer_pid),
        CONSUMER: resident(consumer),
        WHOLE: sum(proportional(pid) for pid in family(consumer)),
    }


def resident(pid: int) -> float:
    """Return what a process has in memory, MB."""
    return field(Path(f"/proc/{pid}/status"), "VmRSS")


def proportional(pid: int) -> float:
    """Return the same with pages that several processes share divided among them, MB."""
    return field(Path(f"/proc/{pid}/smaps_rollup"), "Pss")


def field(file: Path, name: str) -> float:
    """Read a number of kB from one of the kernel's tables."""
    (line,) = [line for line in file.read_text().splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024 / 1e6


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    children = Path(f"/proc/{pid}/task").glob("*/children")
    below = [int(each) for file in children for each in file.read_text().split()]
    return [pid, *(one for each in below for one in family(each))]
