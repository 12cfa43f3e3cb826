"""The report: a page of Markdown for docs/reliability.md."""

import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from math import isfinite
from pathlib import Path
from typing import Any

from tests.chaos import figures
from tests.chaos.oracle import Verdict
from tests.chaos.schedule import BROKER_AWAY

ROOT = Path(__file__).parents[2]
SHOWN = 20  # of the things that went wrong, at most


@dataclass(frozen=True)
class Run:
    """All there is to tell about one run; the times are seconds since 1970."""

    command: str
    seed: int
    commit: str
    begin: float
    end: float
    drained: float | None
    settings: Mapping[str, str]
    servers: Mapping[str, str]
    calls: list[dict[str, Any]]
    faults: list[dict[str, Any]]
    jobs: list[dict[str, Any]]
    audit: list[dict[str, Any]]
    said: Counter[str]
    restarts: Mapping[str, Counter[int]]
    dead_letters: int
    verdict: Verdict


def render(run: Run) -> str:
    """Return the page of a run with faults."""
    kinds = len({fault["kind"] for fault in run.faults})
    head = heading(f"{len(run.faults)} faults of {kinds} kinds", run, run.verdict.holds)
    parts = [head, machine(run), promises(run), _times(run), _events(run), _faults(run)]
    return page([*parts, evidence(broken(run.verdict))])


def page(parts: Iterable[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def heading(what: str, run: Run, holds: bool) -> str:
    word = "every promise was kept" if holds else "PROMISES WERE BROKEN"
    return f"## {what} in {run.end - run.begin:.0f} s: {word}"


def machine(run: Run) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    names = ("pika", "SQLAlchemy", "scikit-learn")
    versions = {"Python": platform.python_version(), **run.servers}
    versions |= {name: version(name) for name in names}
    settings = ", ".join(f"{name}={value}" for name, value in run.settings.items())
    rows = [
        ("Machine", f"{os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}"),
        ("Versions", ", ".join(f"{name} {number}" for name, number in versions.items())),
        ("Commit, when it began", run.commit),
        ("Command", f"`{run.command}` (seed {run.seed})"),
        ("Processes", "1 producer, 2 consumers with 2 threads each, 1 broker, 1 S3, 1 PostgreSQL"),
        ("Settings", settings or "the defaults"),
    ]
    return table(("Run", ""), rows)


def promises(run: Run) -> str:
    it = run.verdict
    rows = [
        ("accepted", len(it.accepted)),
        ("of these by AMQP alone (confirmed by the broker)", len(it.by_amqp)),
        ("of these predictions", len(it.predictions)),
        ("completed", it.completed),
        ("failed as they must, with one clear error", it.failed_as_must),
        ("cancelled", it.cancelled),
        ("calls not to be repeated, whose end is uncertain, and said to be", it.uncertain),
        ("gave up after the last attempt, with one clear error", len(it.gave_up)),
        ("gone with a broker whose data were thrown away (AMQP alone)", len(it.gone_with_broker)),
        ("**lost**", len(it.lost)),
        ("**double effects**", len(it.double)),
        ("**stuck**", len(it.stuck)),
        ("**wrong**", len(it.wrong)),
        ("**answers 500**", len(it.bugs)),
        ("drained after the last fault, s", fixed(run.drained, 1)),
    ]
    return table(("Jobs", "n"), rows)


def _times(run: Run) -> str:
    calm = figures.accept_seconds(run.calls, figures.calm(run.faults, run.begin, run.end))
    away = figures.accept_seconds(run.calls, figures.spans(run.faults, BROKER_AWAY))
    all_of_it = figures.accept_seconds(run.calls, [(0, float("inf"))])
    kills = [
        fault
        for fault in run.faults
        if "kill -9" in fault["kind"] and "consumer" in fault["kind"] and "pids" in fault["detail"]
    ]
    again = figures.reruns(run.audit, kills)
    asked = [call for call in run.calls if call["what"] == "train"]
    taken = sum(call["status"] == 202 for call in asked)
    rows = [
        ("POST /train answered 202", f"{taken} of {len(asked)} ({taken / max(1, len(asked)):.1%})"),
        ("accepted in calm, p50 / p99, ms", latencies(calm)),
        ("accepted while the broker is away, p50 / p99, ms",
         latencies(away)),
        ("accepted over all, p50 / p99, ms", latencies(all_of_it)),
        (f"consumer killed in a fit (n={len(again)}): its job is free after, median / max, s",
         spread([free for free, _ in again])),
        ("and runs again (if it was not cancelled), behind those that wait, median / max, s",
         spread([runs for _, runs in again if isfinite(runs)])),
    ]  # fmt: skip
    return table(("Times", ""), rows)


def _events(run: Run) -> str:
    rows: list[tuple[str, object]] = [
        ("jobs with more than one attempt", run.verdict.retried),
        ("of these completed", run.verdict.recovered),
        *((f"log: {phrase}", run.said[phrase]) for phrase in figures.SPOKEN),
        ("log: Traceback or CRITICAL", run.said["Traceback or CRITICAL"]),
        ("model folders that no row points at", len(run.verdict.orphans)),
        ("dead letters", run.dead_letters),
        ("error types of failed jobs", counted(run.verdict.errors)),
    ]
    rows += [(f"exits of {name} (status: n)", counted(ends)) for name, ends in run.restarts.items()]
    return table(("Events", ""), rows)


def _faults(run: Run) -> str:
    count = Counter(fault["kind"] for fault in run.faults)
    recovered = figures.recoveries(run.audit, run.faults)
    bad = figures.answers(run.calls, run.faults)
    rows = []
    for kind in sorted({*count, *bad}):
        times, codes = recovered.get(kind, []), bad.get(kind, Counter[int]())
        other = {code: n for code, n in codes.items() if code not in (0, 503)}
        rows.append(
            (
                kind, count[kind],
                fixed(figures.middle(times), 2), fixed(max(times, default=None), 2),
                codes[503], codes[0], counted(other),
            )
        )  # fmt: skip
    head = ("Fault", "n", "next completed, median s", "max s", "503", "no answer", "other 5xx")
    return table(head, rows)


def broken(it: Verdict) -> dict[str, list[str]]:
    """Return the jobs and answers that broke a promise, by which one."""
    return {
        "lost": it.lost, "double": it.double, "stuck": it.stuck, "wrong": it.wrong,
        "500": it.bugs, "gave up": it.gave_up,
    }  # fmt: skip


def evidence(found_by_promise: Mapping[str, list[str]]) -> str:
    lines = []
    for name, found in found_by_promise.items():
        lines += [f"- {name}: `{each}`" for each in found[:SHOWN]]
        if len(found) > SHOWN:
            lines.append(f"- {name}: and {len(found) - SHOWN} more")
    return "\n".join(lines)


def table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def fixed(value: float | None, digits: int, times: float = 1) -> str:
    return "-" if value is None else f"{value * times:.{digits}f}"


def latencies(seconds: list[float]) -> str:
    """Return the median and the 99th centile, in milliseconds."""
    middle, high = (fixed(figures.quantile(seconds, part), 0, 1000) for part in (0.5, 0.99))
    return f"{middle} / {high} (n={len(seconds)})"


def spread(values: list[float]) -> str:
    return f"{fixed(figures.middle(values), 1)} / {fixed(max(values, default=None), 1)}"


def counted(found: Mapping[Any, int]) -> str:
    return ", ".join(f"{name}: {n}" for name, n in sorted(found.items())) or "-"


def commit() -> str:
    """Return the commit that runs, and whether files differ from it."""
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    ended = subprocess.run(git, capture_output=True, text=True, check=False)
    return ended.stdout.strip() or "unknown"


def progress(text: str) -> None:
    sys.stderr.write(f"{text}\n")
