"""The course of a job: how it began, the lines of its log, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from warren_cli import console
from warren_cli.records import error_text, metrics_text, result_text, time

if TYPE_CHECKING:
    from warren_client.records import JobRecord, LogLine


@dataclass(frozen=True)
class Event:
    """Something that happened, and when."""

    time: str | None
    text: str


class Course:
    """Collects what happened to a job, and prints each event and each line of its log once."""

    def __init__(self, *, tell: bool) -> None:
        """Begin; with `tell` events and lines are printed, and lines are not kept."""
        self._tell = tell
        self._events: list[Event] = []
        self._lines: list[LogLine] = []
        self._last = 0  # the number of the newest line

    def begin(self, job: JobRecord) -> None:
        """Take in how a job began, which is in front of its log."""
        self._add(beginning(job))

    def line(self, line: LogLine) -> None:
        """Take in the next line of the log."""
        last, self._last = self._last, line.number
        if not self._tell:
            self._lines.append(line)
            return
        if (left_out := line.number - last - 1) > 0:
            click.echo(
                f"{'-':23}  {left_out:,} {'line is' if left_out == 1 else 'lines are'} left out"
            )
        place = f"attempt {line.attempt}"
        if line.part is not None:
            place = f"part {line.part}, {place}"
        text = console.plain(f"{place}  {line.level}  {line.text}")
        click.echo(f"{time(line.time) or '-':23}  {text}")

    def end(self, job: JobRecord) -> None:
        """Take in what is known of a job behind its log."""
        self._add(ending(job))

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        """Return all events, and the lines unless they were printed."""
        lines = [each.model_dump(mode="json") for each in self._lines]
        return {"events": list(map(asdict, self._events)), "lines": lines}

    def _add(self, events: Iterator[Event]) -> None:
        for event in events:
            self._events.append(event)
            if self._tell:
                click.echo(f"{event.time or '-':23}  {console.plain(event.text)}")


def beginning(job: JobRecord) -> Iterator[Event]:
    """Yield how a job began."""
    subject = f" on data set {job.dataset_id}" if job.dataset_id else ""
    yield Event(time(job.created_at), f"accepted: {job.kind}{subject}")
    if job.started_at:
        worker = (job.model_extra or {}).get("worker")
        place = f" in {worker}" if worker else ""
        yield Event(time(job.started_at), f"attempt {job.attempt} began{place}")


def ending(job: JobRecord) -> Iterator[Event]:
    """Yield how far a job is: its progress, warnings, error and end."""
    if job.progress is not None and not job.ended:
        yield Event(time(datetime.now(UTC)), f"{job.progress:.0%} done")
    for warning in job.warnings or []:
        yield Event(time(job.ended_at), f"warning: {warning.get('detail')}")
    if job.error and not job.ended:
        later = (job.model_extra or {}).get("run_after")
        again = f"; tried again after {later}" if later else ""
        yield Event(None, f"an attempt failed: {job.error.get('detail')}{again}")
    if job.ended:
        yield Event(time(job.ended_at), f"{job.state}{_end(job)}")


def _end(job: JobRecord) -> str:
    told = error_text(job) or metrics_text(job.metrics) or (job.result and result_text(job.result))
    return f": {told}" if told else ""
