"""Wait for a job: the bar or the lines meanwhile, and the exit code of its end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from warren_cli import console, exit_codes
from warren_cli.arguments import seconds
from warren_cli.session import Session

if TYPE_CHECKING:
    from warren_client import Job
    from warren_client.errors import WaitTimeout
    from warren_client.progress import Show
    from warren_client.records import JobRecord

WAIT = click.option("--wait", is_flag=True, help="Wait for the end; its outcome is the exit code.")
TIMEOUT = click.option(
    "--timeout",
    metavar="SECONDS",
    type=seconds,
    help="Wait no longer than this; the exit code is 124 then, and the job goes on.",
)


@dataclass(frozen=True)
class Outcome:
    """How a wait ended: the exit code, and the job as it was seen last."""

    code: int
    job: JobRecord


def finish(session: Session, job: Job, timeout: float | None, *, wait: bool = True) -> Outcome:
    """Wait for a job, or not; return how that ended. Raises `WarrenError`."""
    if not wait:
        return Outcome(exit_codes.OK, job.record)
    return outcome(session, lambda show: job.wait(timeout, show))


def outcome(session: Session, wait: Callable[[Show], Job]) -> Outcome:
    """Run a function that waits for a job and shows it meanwhile; return how that ended.

    Raises `WarrenError` if the server cannot be reached any more.
    """
    from warren_client.errors import JobEndedBadly, WaitTimeout
    from warren_client.progress import progress_bar

    seen: list[JobRecord] = []
    with progress_bar(_progress(session)) as show:

        def look(job: JobRecord) -> None:
            seen[:] = [job]
            session.job_id = None if job.ended else job.id
            show(job)

        try:
            return Outcome(exit_codes.OK, wait(look).record)
        except JobEndedBadly as error:
            code, why = exit_codes.FAILED, error.detail
        except WaitTimeout as error:
            if not seen:
                raise
            code, why = exit_codes.OUT_OF_TIME, _later(error, seen[0])
    console.say(f"Error: {why}")
    return Outcome(code, seen[0])


def _later(error: WaitTimeout, job: JobRecord) -> str:
    return f"{error.detail.partition(';')[0]}; it goes on: `warren jobs wait {job.id}` waits again"


def _progress(session: Session) -> bool | Show | None:
    if session.quiet:
        return False
    if sys.stderr.isatty():
        return True  # the client's bar
    states: list[str] = []

    def tell(job: JobRecord) -> None:
        if job.state not in states:
            states.append(job.state)
            console.say(f"job {job.id}: {job.state}")

    return tell
