"""Each attack on the producer: its memory, and how long `GET /health` took meanwhile."""

import json
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx2

from benchmarks.harness.servers import Bench, Stack
from benchmarks.reporting.figures import shown
from benchmarks.scenarios.memory import field
from devstack.layout import ROOT
from tests.support.attacks import ATTACKS

NAME = "attacks"

EVERY_SECONDS = 0.02  # between two questions after the health
QUIET = "none"


def run(bench: Bench) -> list[dict[str, Any]]:
    """Carry out each attack on a producer of its own, from a process of its own."""
    return [shown(attacked(bench, name)) for name in (QUIET, *ATTACKS)]


def attacked(bench: Bench, name: str) -> dict[str, Any]:
    """Return the figures of one attack."""
    with bench.stack() as stack:
        idle = peak(stack)
        attack = None if name == QUIET else start(name, stack, bench.seconds)
        times = health_times(stack.url, bench.seconds)
        outcomes = json.loads(attack.communicate(timeout=60)[0]) if attack else {}
        return {
            "attack": name,
            "connections": ATTACKS[name][1] if attack else 0,
            "attackers got": ", ".join(f"{each}: {n}" for each, n in sorted(outcomes.items())),
            "producer, idle, MB": round(idle),
            "most, MB": round(peak(stack)),
            "/health p50, ms": round(1000 * times[len(times) // 2], 1),
            "p99, at most 100 ms": round(1000 * times[int(0.99 * (len(times) - 1))], 1),
            "longest, ms": round(1000 * times[-1], 1),
        }


def start(name: str, stack: Stack, seconds: float) -> "subprocess.Popen[str]":
    """Start the attackers, with less of the cores than the servers get."""
    address = stack.url.removeprefix("http://")
    command = [sys.executable, "-m", "tests.support.attacks", name, address]
    return subprocess.Popen(
        ["nice", *command, "--seconds", str(seconds)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def health_times(url: str, seconds: float) -> list[float]:
    """Ask for the health again and again; return how many seconds each answer took, sorted."""
    times = []
    until = monotonic() + seconds
    with httpx2.Client(trust_env=False, timeout=60) as client:
        while (begun := monotonic()) < until:
            client.get(f"{url}/health").raise_for_status()
            times.append(monotonic() - begun)
            sleep(EVERY_SECONDS)
    return sorted(times)


def peak(stack: Stack) -> float:
    """Return the most memory that the producer ever had, MB."""
    return field(Path(f"/proc/{stack.producer_pid}/status"), "VmHWM")
