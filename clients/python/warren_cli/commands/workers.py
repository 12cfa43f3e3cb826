"""`warren workers`."""

import click

from warren_cli import console
from warren_cli.command import Command
from warren_cli.session import Session

HEADING = ("NAME", "STATE", "HOST", "VERSION", "THREADS", "JOBS", "MEMORY", "HEARD OF")


@click.command(cls=Command)
@click.pass_obj
def workers(session: Session) -> None:
    """List the consumers: where they run, and what they do."""
    with session.client() as warren:
        found = warren.workers()
    rows = [
        (
            *(each[name] for name in ("name", "state", "host", "version", "threads", "jobs")),
            f"{each['memory_bytes'] / 1e6:.0f} MB",
            f"{each['seconds_ago']:.0f} s ago",
        )
        for each in found
    ]
    names = [each["name"] for each in found]
    session.give({"workers": found}, names, lambda: console.print_table(HEADING, rows))
