"""List, show, replay and purge dead letters: `python -m app.cli.dead_letters --help`."""

import json
from collections.abc import Collection, Iterable
from itertools import islice
from typing import Any

import click

from app import errors
from app.amqp.dead_letters import DeadLetter, open_dead_letters, plain
from app.amqp.topology import DEAD_LETTER_QUEUE
from app.observability import logs
from app.protocol import strict_json
from app.settings import Settings

MAX_WIDTH = 40  # characters of a cell
ROW = "{:15} {:20} {:25} {:14} {:36} {:>8} {}"

IDS = click.argument("ids", metavar="[ID]...", nargs=-1)
ALL = click.option("--all", "everything", is_flag=True, help="All messages there are now.")


class Commands(click.Group):
    """A group whose commands report a failure in one line, with status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except errors.WarrenError as error:
            raise click.ClickException(escape(error.detail)) from None


@click.group(cls=Commands)
@click.pass_context
def main(context: click.Context) -> None:
    """List, show, replay and purge the dead letters.

    They are the messages of queue.model.dead: invalid requests, and messages delivered too often.
    """
    context.obj = Settings()
    logs.configure("WARNING")


@main.command("list")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.pass_obj
def list_(settings: Settings, limit: int, as_json: bool) -> None:
    """List messages, the oldest first, one line for each."""
    with open_dead_letters(settings) as queue:
        rows = [summary(message) for message in islice(queue.messages, limit)]
    if rows and not as_json:
        click.echo(line(rows[0]))
    for row in rows:
        click.echo(escape(json.dumps(row)) if as_json else line(row.values()))
    click.echo(f"{len(rows)} of {queue.total} messages in {DEAD_LETTER_QUEUE}", err=True)


@main.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.pass_obj
def show(settings: Settings, ids: tuple[str, ...]) -> None:
    """Print messages as JSON, with their properties and whole body."""
    with open_dead_letters(settings) as queue:
        found = list(queue.select(ids))
    for message in found:
        properties = {k: v for k, v in plain(vars(message.properties)).items() if v is not None}
        fields = summary(message) | {"properties": properties, "body": parse(message.body)}
        for text in json.dumps(fields, ensure_ascii=False, indent=2).split("\n"):
            click.echo(escape(text))


@main.command()
@IDS
@ALL
@click.option(
    "--to", metavar="QUEUE", help="The queue to publish to, if not the one where it died."
)
@click.pass_obj
def replay(settings: Settings, ids: tuple[str, ...], everything: bool, to: str | None) -> None:
    """Publish messages to the queues where they died, then delete them.

    A crash in between leaves a message in both queues.
    """
    check_selection(ids, everything)
    if to == DEAD_LETTER_QUEUE:
        raise click.UsageError(f"the messages already are in {DEAD_LETTER_QUEUE}")
    replayed, notices, failures = 0, [], []
    with open_dead_letters(settings) as queue:
        for message in queue.select(ids):
            try:
                queue.replay(message, to)
                replayed += 1
                if "original-expiration" in message.death:
                    notices.append(f"{message.id} had a deadline; its sender may not wait any more")
            except errors.WarrenError as error:
                failures.append(f"{message.id} stays: {error.detail}")
    for notice in notices:
        click.echo(notice, err=True)
    click.echo(f"{replayed} replayed")
    if failures:
        raise click.ClickException(escape("; ".join(failures)))


@main.command()
@IDS
@ALL
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def purge(settings: Settings, ids: tuple[str, ...], everything: bool, yes: bool) -> None:
    """Delete messages for good."""
    check_selection(ids, everything)
    with open_dead_letters(settings) as queue:
        count = len(set(ids)) or queue.total  # messages that arrive later are not deleted
    if not yes:  # no connection is open meanwhile
        click.confirm(f"Delete {count} dead letters for good?", abort=True)
    deleted = 0
    with open_dead_letters(settings) as queue:
        for message in islice(queue.select(ids), count):
            queue.delete(message)
            deleted += 1
    click.echo(f"{deleted} deleted")


def check_selection(ids: Collection[str], everything: bool) -> None:
    """Require either ids or `--all`. Raises `click.UsageError`."""
    if bool(ids) == everything:
        raise click.UsageError("give either the IDs of messages or --all")


def summary(message: DeadLetter) -> dict[str, Any]:
    """Return the fields of `list`."""
    job_id = plain(message.properties.message_id)
    if not job_id and isinstance(body := parse(message.body), dict):
        job_id = body.get("model_id")
    return {
        "id": message.id,
        **{key: plain(message.death.get(key)) for key in ("time", "queue", "reason")},
        "job_id": None if job_id is None else str(job_id),
        "size": len(message.body),
        "body": plain(message.body[: 4 * MAX_WIDTH])[:MAX_WIDTH],
    }


def parse(body: bytes) -> Any:
    """Return the JSON value of a body, or its text if it is not JSON."""
    try:
        return strict_json.loads(body)
    except errors.Malformed:
        return plain(body)


def line(cells: Iterable[Any]) -> str:
    """Return a line of the table."""
    return ROW.format(*("-" if c is None else escape(str(c))[:MAX_WIDTH] for c in cells))


def escape(text: str) -> str:
    """Write characters that control a terminal (controls, bidi overrides) as JSON escapes."""
    return "".join(
        c if c.isprintable() else json.dumps(c)[1:-1].replace("\x7f", "\\u007f") for c in text
    )


if __name__ == "__main__":
    main()
