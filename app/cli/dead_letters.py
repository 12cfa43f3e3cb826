"""List, show, replay and purge dead letters: `python -m app.cli.dead_letters --help`."""

import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import click

from app import errors
from app.amqp.dead_letter_summary import MAX_WIDTH, parse, summary
from app.amqp.dead_letters import DeadLetter, open_dead_letters, plain
from app.amqp.topology import DEAD_LETTER_QUEUE
from app.auth.audit import Action, Thing, begin
from app.cli.actor import operator
from app.cli.commands import JSON, Commands, print_lines, print_object, read_settings, tell
from app.cli.database import open_database
from app.database.engine import Engine
from app.observability import logs
from app.settings import Settings

ROW = "{:15} {:20} {:25} {:14} {:36} {:>8} {}"

IDS = click.argument("ids", metavar="[ID]...", nargs=-1)
ALL = click.option("--all", "everything", is_flag=True, help="All messages there are now.")


@click.group(cls=Commands)
@click.pass_context
def main(context: click.Context) -> None:
    """List, show, replay and purge the dead letters.

    They are the messages of queue.model.dead: invalid requests, and messages delivered too often.
    """
    context.obj = read_settings().acting_as("tools")
    logs.configure("WARNING")


@main.command("list")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.pass_obj
def list_(settings: Settings, limit: int, as_json: bool) -> None:
    """List messages, the oldest first, one line for each."""
    with open_dead_letters(settings) as queue:
        rows = [summary(message) for message in islice(queue.messages, limit)]
    if as_json:
        print_lines("messages", rows)
    elif rows:
        for cells in (rows[0], *(row.values() for row in rows)):
            click.echo(line(cells))
    click.echo(f"{len(rows)} of {queue.total} messages in {DEAD_LETTER_QUEUE}", err=True)


@main.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with all of them.")
@click.pass_obj
def show(settings: Settings, ids: tuple[str, ...], as_json: bool) -> None:
    """Print messages as JSON, with their properties and whole body."""
    with open_dead_letters(settings) as queue:
        found = list(queue.select(ids))
    if as_json:
        print_object({"messages": [fields(each) for each in found]})
        return
    for message in found:
        for text in json.dumps(fields(message), ensure_ascii=False, indent=2).split("\n"):
            click.echo(errors.escaped(text))


def fields(message: DeadLetter) -> dict[str, Any]:
    """Return all that is known of a message, with its properties and body."""
    properties = {k: v for k, v in plain(vars(message.properties)).items() if v is not None}
    return summary(message) | {"properties": properties, "body": parse(message.body)}


@main.command()
@IDS
@ALL
@click.option(
    "--to", metavar="QUEUE", help="The queue to publish to, if not the one where it died."
)
@click.option(
    "--as-default", is_flag=True, help="Also those without user_id, which act for owner default."
)
@JSON
@click.pass_context
def replay(
    context: click.Context,
    ids: tuple[str, ...],
    everything: bool,
    to: str | None,
    as_default: bool,
    as_json: bool,
) -> None:
    """Publish messages to the queues where they died, then delete them.

    The audit log has a row of each. A crash in between leaves a message in both queues. A message
    without user_id stays, unless --as-default is given.
    """
    check_selection(ids, everything)
    if to == DEAD_LETTER_QUEUE:
        raise click.UsageError(f"the messages already are in {DEAD_LETTER_QUEUE}")
    replayed, notices, failures = 0, [], []
    settings: Settings = context.obj
    with audited(settings) as engine, open_dead_letters(settings) as queue:
        for message in queue.select(ids):
            try:
                note(engine, Action.REPLAY, message, to)
                queue.replay(message, to, as_default=as_default)
                replayed += 1
                if "original-expiration" in message.death:
                    notices.append(f"{message.id} had a deadline; its sender may not wait any more")
            except errors.WarrenError as error:
                failures.append(f"{message.id} stays: {error.detail}")
    for notice in notices:
        click.echo(notice, err=True)
    tell({"replayed": replayed, "failures": failures}, f"{replayed} replayed", as_json=as_json)
    if failures and as_json:
        context.exit(1)
    if failures:
        raise click.ClickException(errors.escaped("; ".join(failures)))


@main.command()
@IDS
@ALL
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
@click.pass_obj
def purge(
    settings: Settings, ids: tuple[str, ...], everything: bool, yes: bool, as_json: bool
) -> None:
    """Delete messages for good. The audit log has a row of each."""
    check_selection(ids, everything)
    with open_dead_letters(settings) as queue:
        count = len(set(ids)) or queue.total  # messages that arrive later are not deleted
    if not yes:  # no connection is open meanwhile
        click.confirm(f"Delete {count} dead letters for good?", abort=True, err=as_json)
    deleted = 0
    with audited(settings) as engine, open_dead_letters(settings) as queue:
        for message in islice(queue.select(ids), count):
            note(engine, Action.PURGE, message)
            queue.delete(message)
            deleted += 1
    tell({"deleted": deleted}, f"{deleted} deleted", as_json=as_json)


@contextmanager
def audited(settings: Settings) -> Iterator[Engine]:
    """Open the database of the audit log."""
    engine = open_database(settings)
    try:
        yield engine
    finally:
        engine.dispose()


def note(engine: Engine, action: Action, message: DeadLetter, to: str | None = None) -> None:
    """Write what is done to a message. Raises `errors.DatabaseUnavailable`: then it stays."""
    queue = to or plain(message.death.get("queue"))
    begin(engine, operator(), action, Thing.DEAD_LETTER, message.id, f"queue {queue}")


def check_selection(ids: Collection[str], everything: bool) -> None:
    """Require either ids or `--all`. Raises `click.UsageError`."""
    if bool(ids) == everything:
        raise click.UsageError("give either the IDs of messages or --all")


def line(cells: Iterable[Any]) -> str:
    """Return a line of the table."""
    return ROW.format(*("-" if c is None else errors.escaped(str(c))[:MAX_WIDTH] for c in cells))


if __name__ == "__main__":
    main()
