"""Figures from the journals and the audit: how long things took, and what the processes said."""

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil
from statistics import median
from typing import Any

from tests.chaos.oracle import COMPLETED, RUNNING

Entry = Mapping[str, Any]

SPOKEN = ("duplicate dropped", "fenced", "is gone", "retry", "cancelled")
SETTLING = 2.0  # seconds after a fault in which an answer is still put down to it


def quantile(values: Iterable[float], part: float) -> float | None:
    """Return the smallest value that so many are not above; None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, ceil(part * len(ordered)) - 1)] if ordered else None


def accept_seconds(calls: Sequence[Entry], spans: Iterable[tuple[float, float]]) -> list[float]:
    """Return how long each 202 took that was asked for in one of the spans."""
    inside = list(spans)
    return [
        call["seconds"]
        for call in calls
        if call["what"] == "train"
        and call["status"] == 202
        and any(start <= call["at"] < end for start, end in inside)
    ]


def calm(faults: Sequence[Entry], begin: float, end: float) -> Iterator[tuple[float, float]]:
    """Yield the spans in which no fault was on, and none had been for a while."""
    at = begin
    for fault in sorted(faults, key=lambda each: each["start"]):
        if fault["start"] > at:
            yield at, fault["start"]
        at = max(at, fault["end"] + SETTLING)
    if end > at:
        yield at, end


def spans(faults: Sequence[Entry], kinds: Iterable[str]) -> list[tuple[float, float]]:
    """Return when faults of these kinds were on."""
    wanted = set(kinds)
    return [(fault["start"], fault["end"]) for fault in faults if fault["kind"] in wanted]


def answers(calls: Sequence[Entry], faults: Sequence[Entry]) -> dict[str, Counter[int]]:
    """Count by kind of fault the answers >= 500, and 0 for none, to what was asked under it.

    A fault that lasts long gets those that no other one explains.
    """
    found = defaultdict[str, Counter[int]](Counter)
    ordered = sorted(faults, key=lambda each: each["end"] - each["start"])
    for call in calls:
        if call["what"] != "amqp" and (call["status"] >= 500 or not call["status"]):
            ended = call["at"] + call["seconds"]
            kind = next(
                (
                    fault["kind"]
                    for fault in ordered
                    if fault["start"] <= ended and call["at"] <= fault["end"] + SETTLING
                ),
                "(none)",
            )
            found[kind][call["status"]] += 1
    return found


def recoveries(audit: Sequence[Entry], faults: Sequence[Entry]) -> dict[str, list[float]]:
    """Return by kind how long after each fault's end the next job completed."""
    done = sorted(line["at"] for line in audit if line["state"] == COMPLETED)
    found = defaultdict[str, list[float]](list)
    for fault in faults:
        after = bisect_right(done, fault["end"])
        if after < len(done):
            found[fault["kind"]].append(done[after] - fault["end"])
    return found


def reruns(audit: Sequence[Entry], kills: Sequence[Entry]) -> list[tuple[float, float]]:
    """Return of each job that a kill interrupted how long after it the job was free and ran again.

    Free is queued again; between free and running it waits its turn. Infinite if it
    never did.
    """
    lines = defaultdict[str, list[Entry]](list)
    for line in audit:
        lines[line["id"]].append(line)
    found = []
    for kill in kills:
        dead = [f":{pid}:" for pid in kill["detail"]["pids"]]
        for history in lines.values():
            before = [line for line in history if line["at"] <= kill["start"]]
            last = before[-1] if before else None
            if last and last["state"] == RUNNING and any(pid in last["worker"] for pid in dead):
                after = [line for line in history if line["at"] > kill["start"]]
                again = [line for line in after if line["state"] == RUNNING]
                found.append((_since(kill["start"], after), _since(kill["start"], again)))
    return found


def _since(start: float, lines: Sequence[Entry]) -> float:
    return float(lines[0]["at"] - start) if lines else float("inf")


def said(lines: Iterable[tuple[str, str]]) -> Counter[str]:
    """Count the lines of the log that tell of each of these things."""
    found = Counter[str]()
    for _, line in lines:
        message = re.sub(r"^.*?\] ", "", line)
        found.update(phrase for phrase in SPOKEN if phrase in message)
        if " CRITICAL " in line or line.startswith("Traceback"):
            found["Traceback or CRITICAL"] += 1
    return found


def middle(values: list[float]) -> float | None:
    return median(values) if values else None
