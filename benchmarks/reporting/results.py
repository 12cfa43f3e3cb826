"""The results: one JSON file of sections, each with its rows and the machine it ran on."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import sleep
from typing import Any

from devstack.layout import ROOT, RUN
from devstack.program import find

_TIMES = Path("/proc/stat")
PATH = RUN / "bench" / "results.json"

Row = dict[str, Any]
#: {"at": ISO date, "machine": {name: text}, "settings": {name: number}, "rows": [row]}
Section = dict[str, Any]


def load() -> dict[str, Section]:
    """Return the sections measured so far, by name."""
    found: dict[str, Section] = json.loads(PATH.read_text()) if PATH.exists() else {}
    return found


def save(name: str, rows: list[Row], machine: dict[str, str], settings: dict[str, Any]) -> None:
    """Put a section into the file, in the place of the one measured before."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    section = {"at": at, "machine": machine, "settings": settings, "rows": rows}
    PATH.parent.mkdir(parents=True, exist_ok=True)
    beside = PATH.with_suffix(".new")
    beside.write_text(json.dumps({**load(), name: section}, indent=1))
    beside.replace(PATH)


def machine(broker: str) -> dict[str, str]:
    """Describe the machine and what runs on it; `broker` is RabbitMQ's version."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    names = ("pika", "onnxruntime", "fastapi", "uvicorn")
    versions = {"Python": platform.python_version(), "RabbitMQ": broker}
    versions |= {name: version(name) for name in names}
    return {
        "machine": f"{os.cpu_count()} cores ({processor()}), {memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release().rsplit('.', 1)[0]}",
        "versions": ", ".join(f"{name} {number}" for name, number in versions.items()),
        "commit": commit(),
    }


def busy(seconds: float = 1) -> float | None:
    """Return the part of all cores' time that others take just now; None where Linux is not."""
    if not _TIMES.exists():
        return None
    before = _times()
    sleep(seconds)  # a span to measure, not something to wait for
    total, idle = (now - then for now, then in zip(_times(), before, strict=True))
    return 1 - idle / total


def _times() -> tuple[int, int]:
    """Return the time of all cores since boot, and the part of it that was idle, in ticks."""
    ticks = [int(each) for each in _TIMES.read_text().partition("\n")[0].split()[1:9]]
    return sum(ticks), ticks[3] + ticks[4]  # idle, and waiting for a disk


def processor() -> str:
    """Name the processor."""
    about = Path("/proc/cpuinfo")
    for line in about.read_text().splitlines() if about.exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def commit() -> str:
    """Return the commit that is measured, marked if files differ from it."""
    command = [find("git"), "describe", "--always", "--dirty", "--exclude", "*"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return ended.stdout.strip() or "unknown"
