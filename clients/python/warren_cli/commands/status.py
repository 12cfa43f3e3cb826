"""`warren status`."""

from typing import Any

import click

from warren_cli import console, exit_codes
from warren_cli.command import Command
from warren_cli.operator_commands import has_module
from warren_cli.session import Session

HEADING = ("PART", "STATE", "MS", "DETAIL")


@click.command(cls=Command)
@click.pass_context
def status(context: click.Context) -> None:
    """Tell whether the server and all that it needs work; the exit code is 1 if one does not.

    Of the local stack of this checkout it also tells which programs run.
    """
    session: Session = context.obj
    with session.client() as warren:
        found = warren.status()
    found["programs"] = _programs(str(found["url"]))
    session.give(found, str(found["url"]), lambda: _show(found))
    health = found["health"]
    context.exit(exit_codes.FAILED if health and health["status"] != "ok" else exit_codes.OK)


def _show(found: dict[str, Any]) -> None:
    health, workers = found["health"], found["workers"]
    console.print_fields(
        {
            "url": found["url"],
            "health": health["status"] if health else "not known to this key",
            "consumers": None if workers is None else len(workers),
            "running jobs": found["running"],
            "queued jobs": found["queued"],
        }
    )
    if health:
        rows = [
            (name, each["status"], each["elapsed_ms"], each.get("detail") or "")
            for name, each in health["checks"].items()
        ]
        click.echo()
        console.print_table(HEADING, rows)
    if found["programs"]:
        click.echo()
        console.print_table(("PROGRAM", "STATE"), found["programs"].items())


def _programs(url: str) -> dict[str, str] | None:
    """Return the states of the local stack's programs, if it is the server that was asked."""
    if not has_module("devstack.stack"):
        return None
    from devstack import supervisor
    from devstack.layout import RUN, api_address, last_settings
    from devstack.program import ProgramError

    if not supervisor.is_running(RUN):
        return None
    try:
        mine = api_address(last_settings()) == url
    except ProgramError:
        return None
    return dict(supervisor.states(RUN)) if mine else None
