"""Print the audit log: `python -m app.cli audit --help`."""

from dataclasses import asdict
from datetime import UTC, datetime

import click

from app import errors
from app.auth.audit import Action, Thing
from app.auth.audit_listing import NEWEST_FIRST, AuditEntry, AuditFilter, list_audit
from app.cli.commands import Command, print_lines, read_settings
from app.cli.database import open_database
from app.database.paging import Page
from app.observability import logs

ROW = "{:20} {:10} {:16} {:8} {:11} {:36} {:6} {}"
TIME = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


@click.command(cls=Command)
@click.option("--owner", help="Only what was done for this owner.")
@click.option("--actor", help="Only what this actor did, such as 'key x7Qm2Lp0'.")
@click.option(
    "--kind",
    type=click.Choice([each.value for each in Thing]),
    help="Only what was done to this kind.",
)
@click.option("--name", help="Only what was done to the thing of this name.")
@click.option(
    "--action", type=click.Choice([each.value for each in Action]), help="Only this action."
)
@click.option("--since", type=TIME, help="Only from this time on, in UTC.")
@click.option("--until", type=TIME, help="Only before this time, in UTC.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
def audit(
    owner: str | None,
    actor: str | None,
    kind: str | None,
    name: str | None,
    action: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """Print who changed which model, data set, job, key or grant, the newest first."""
    logs.configure("WARNING")
    which = AuditFilter(
        owner,
        actor,
        Thing(kind) if kind else None,
        name,
        Action(action) if action else None,
        since and since.replace(tzinfo=UTC),
        until and until.replace(tzinfo=UTC),
    )
    engine = open_database(read_settings())
    found, _ = list_audit(engine, which, Page(limit, NEWEST_FIRST))
    engine.dispose()
    if as_json:
        times = ({"created_at": each.created_at.astimezone(UTC).isoformat()} for each in found)
        rows = [asdict(each) | time for each, time in zip(found, times, strict=True)]
        print_lines("entries", rows)
        return
    for each in found:
        click.echo(line(each))


def line(each: AuditEntry) -> str:
    """Return a row of the log as a line."""
    time = each.created_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    what = (each.action, each.kind, each.name, each.outcome, each.detail or "")
    return errors.escaped(ROW.format(time, each.owner, each.actor, *what)).rstrip()
